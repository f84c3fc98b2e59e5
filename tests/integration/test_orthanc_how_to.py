"""Follows orthanc/README.md word by word; only ports differ, so that tests can run beside anything."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ports import take_port
from processes import answers, eventually
from real_orthanc import require_orthanc

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PORTS = ("8042", "4242", "11112", "8080")


class Desk:
    """A folder like a fresh clone's, and terminals in it."""

    def __init__(self, folder, ports):
        self.folder = folder
        self.ports = ports
        self._terminals = []
        shutil.copytree(ROOT / "orthanc", folder / "orthanc")
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        for path in (folder / "orthanc").iterdir():
            path.write_text(self._own_ports(path.read_text(encoding="utf-8")), encoding="utf-8")
        page = (folder / "orthanc" / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^ *```bash\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)
        self.blocks = [textwrap.dedent(block) for block in blocks]

    def _own_ports(self, text):
        for port, own in self.ports.items():
            text = re.sub(rf"\b{port}\b", str(own), text)
        return text

    def run(self, block):
        """Type a block into a terminal and wait for its end; returns what it printed."""
        done = subprocess.run(
            ["bash", "-e"],
            input=block,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def leave_running(self, block):
        """Type a block into a terminal that then belongs to its program."""
        log = self.folder / f"terminal-{len(self._terminals)}.log"
        with log.open("wb") as sink:
            terminal = subprocess.Popen(
                ["bash", "-e", "-c", block],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, "TCP_NODELAY": "1"},
                start_new_session=True,
            )
        self._terminals.append(terminal)
        return log

    def close(self):
        for terminal in self._terminals:
            try:
                os.killpg(terminal.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            terminal.wait()


@pytest.fixture
def desk(tmp_path):
    require_orthanc()
    desk = Desk(tmp_path, {port: take_port() for port in PORTS})
    yield desk
    desk.close()


def test_whoever_follows_the_page_sees_results_in_orthanc(desk):
    install, serve, orthanc, send, studies, look = desk.blocks
    # The first block needs root; scripts/install-debian-packages.sh installs the same.
    script = (ROOT / "scripts" / "install-debian-packages.sh").read_text(encoding="utf-8")
    named = re.search(r"apt-get install (.+)", install).group(1).split()
    assert all(re.search(rf"\b{package}\b", script) for package in named)

    node_log = desk.leave_running(serve)
    orthanc_log = desk.leave_running(orthanc)
    eventually(answers(f"http://127.0.0.1:{desk.ports['8080']}/health/ready"), what="the node")
    eventually(answers(f"http://127.0.0.1:{desk.ports['8042']}/system"), what="Orthanc")
    assert "256 of 256 sent" in desk.run(send)

    def ended():
        return re.search(r"\b(done|rejected|failed|quarantined)\b", desk.run(studies))

    state = eventually(ended, 240, "the study's end").group(1)
    assert state == "done", node_log.read_text() + orthanc_log.read_text()
    assert re.search(r"AI .*mr-brain-extraction", desk.run(look))
    assert orthanc_log.read_text().count("DICOM Node: sending") == 1
