"""Child processes of tests: started with a log, waited for, stopped by their own id."""

import os
import subprocess
import time

import httpx


class Child:
    """One child process whose output goes to a file.

    Parameters
    ----------
    command
        What to run.
    log
        File for its output, appended to.
    environment
        Variables besides the test's own.
    """

    def __init__(self, command, log, environment=None, cwd=None):
        self.log = log
        # Small DIMSE messages would wait for acknowledgements otherwise: 40 ms each.
        variables = {**os.environ, "TCP_NODELAY": "1", **(environment or {})}
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=variables, cwd=cwd
            )

    @property
    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, ready, limit_s=180):
        """Wait for `ready()`; fails at once with the log's end if the process ends."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.output[-4000:]}")
            if ready():
                return
            time.sleep(0.05)
        self.stop()  # nobody got it who could
        raise AssertionError(f"not ready after {limit_s} s:\n{self.output[-4000:]}")

    def kill(self):
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, limit_s=20):
        """SIGTERM, then SIGKILL; returns the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(limit_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


def answers(url):
    """A function that says whether `url` answers 200."""

    def ready():
        try:
            return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    return ready


def eventually(look, limit_s=60, what="what was waited for"):
    """The first true value of `look()`."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {limit_s} s")
