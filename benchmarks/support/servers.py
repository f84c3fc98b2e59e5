"""Server processes that benchmarks start, measure and stop."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

STARTUP_S = 60
PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process in a folder of its own."""

    name = ""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self.log = (folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "TCP_NODELAY": "1"},
        )

    def wait_until(self, ready) -> None:
        deadline = time.monotonic() + STARTUP_S
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(
                    f"{self.name} did not start:\n{(self.folder / 'server.log').read_text()[-2000:]}"
                )
            time.sleep(0.05)

    def cpu_ms(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def wait_until_quiet(self) -> None:
        """Wait until what a server does after its start is done: it takes under a tenth of a core."""
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline:
            before = self.cpu_ms()
            time.sleep(2)
            if self.cpu_ms() - before < 200:
                return

    def reset_peak(self) -> None:
        """Begin to measure the peak of memory anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """The most memory that the process held since `reset_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Orthanc(Server):
    name = "orthanc"

    def __init__(self, folder: Path, *, dicomweb: bool = False) -> None:
        self.port, self.http_port = free_port(), free_port()
        self.dicomweb_url = f"http://127.0.0.1:{self.http_port}/dicom-web"
        plugins = ["libOrthancDicomWeb.so", "libOrthancGdcm.so"] if dicomweb else []
        configuration = {
            "Name": "benchmark",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http_port,
            "DicomPort": self.port,
            "DicomAet": "BENCH",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "SyncStorageArea": True,
            "HttpThreadsCount": 50,
            "Plugins": [str(PLUGINS / name) for name in plugins],
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        super().__init__([program, str(folder / "orthanc.json")], folder)
        self.wait_until(lambda: self._statistics() is not None)

    def stored(self) -> int:
        statistics_ = self._statistics()
        return 0 if statistics_ is None else int(statistics_["CountInstances"])

    def _statistics(self) -> dict | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/statistics", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None
