"""The node's end of a model process."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any, cast

import psutil
import structlog

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed

log = structlog.get_logger(__name__)

#: Variables that the model process gets; the node's own (keys, passwords) stay with the node.
PASSED_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)


#: Seconds between two looks at the memory of a process that works.
WATCH_S = 0.25
_MIB = 2**20


class ModelProcess:
    """One running model process. Not thread-safe: the pool lets one caller in at a time.

    Parameters
    ----------
    threads
        Processors that its libraries may use at once.
    """

    def __init__(self, device: str, threads: int) -> None:
        environment = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
        # Few arenas: the process then gives its memory back after a run. Threads that wait shall sleep: on a
        # busy machine their spinning takes the time of those that they wait for (measured: a third).
        environment |= {
            "MALLOC_ARENA_MAX": "2",
            # And none of it within a run: the system would clear each large array anew (measured: a third of
            # the time of mr-brain-extraction, for a fifth more memory at the peak).
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": str(2**33),
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": str(threads),
        }
        try:
            # -P: a folder of the same name where the node was started is not ours.
            self._child = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, "-P", "-m", "inference.runner.worker", device],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # A library's own words may hold values of the image.
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as exc:
            raise ModelProcessFailed(f"the model process cannot be started ({exc.strerror})") from exc
        self._received = b""
        log.info("model.process_started", pid=self._child.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    @property
    def memory_mb(self) -> int:
        """What it holds in memory now, MiB; 0 where it ended."""
        try:
            return int(psutil.Process(self._child.pid).memory_info().rss) // _MIB
        except psutil.Error:
            return 0

    def ask(self, request: dict[str, Any], timeout_s: float, limit_mb: int | None = None) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Parameters
        ----------
        limit_mb
            The process is ended when it holds more, MiB.

        Raises
        ------
        ModelProcessFailed
            If the process died, ran out of memory or did not answer in time; it is gone then.
        InferenceFailed
            If the model could not do it; the process goes on.
        """
        line = json.dumps(request).encode() + b"\n"
        try:
            assert self._child.stdin is not None  # noqa: S101  made with a pipe
            self._child.stdin.write(line)
            self._child.stdin.flush()
        except OSError as exc:
            raise ModelProcessFailed(self._death()) from exc
        answer = cast("dict[str, Any]", json.loads(self._read_line(timeout_s, limit_mb)))
        error = answer.get("error")
        if error == "memory":
            self.kill()
            raise ModelProcessFailed("the model ran out of memory; give the node more, or a smaller input")
        if error == "said":
            raise InferenceFailed(answer["text"])
        if error:
            raise InferenceFailed(f"the model failed: {error}")
        return answer

    def terminate(self) -> None:
        """End it from another thread; the caller that waits for an answer learns of it."""
        self._child.kill()

    def kill(self) -> None:
        """End it at once; nothing happens where it ended before."""
        if self.alive:
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                # What was not sent is of no use any more.
                try:
                    pipe.close()
                except OSError:
                    continue

    def _read_line(self, timeout_s: float, limit_mb: int | None) -> bytes:
        deadline = time.monotonic() + timeout_s
        assert self._child.stdout is not None  # noqa: S101  made with a pipe
        descriptor = self._child.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._received:
                rest = deadline - time.monotonic()
                if rest <= 0:
                    self.kill()
                    raise ModelProcessFailed(f"the model gave no answer in {timeout_s:g} s and was ended")
                if not selector.select(min(rest, WATCH_S)):
                    self._check_memory(limit_mb)
                    continue
                chunk = os.read(descriptor, 65536)
                if not chunk:
                    raise ModelProcessFailed(self._death())
                self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _check_memory(self, limit_mb: int | None) -> None:
        held = self.memory_mb
        if limit_mb is not None and held > limit_mb:
            self.kill()
            raise ModelProcessFailed(
                f"the model used {held} MiB of memory, more than the {limit_mb} MiB that it may, and was"
                " ended; correct memory_mb in its model.yaml, or give it a smaller input"
            )

    def _death(self) -> str:
        try:
            code = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = "; the system may be out of memory" if -code == signal.SIGKILL else ""
            return f"the model process was ended by {name}{hint}"
        return f"the model process ended unexpectedly (exit status {code})"
