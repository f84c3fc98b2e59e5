"""What a process and all that it started use."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil

MIB = 1 << 20


def cpu_ms(pid: int) -> float:
    """Processor time of a process, its living descendants, and those that it has waited for."""
    total = 0.0
    for process in _tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total * 1000


def pss_mib(pid: int) -> float:
    """Memory of a process and its descendants, MiB; what they share is counted once (PSS)."""
    total = 0
    for process in _tree(pid):
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class PeakMemory:
    """The most memory that a tree held while the block ran, looked at four times a second."""

    def __init__(self, pid: int) -> None:
        self.mib = 0.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.mib = max(self.mib, pss_mib(self._pid))

    def _look(self) -> None:
        while not self._done.wait(0.25):
            self.mib = max(self.mib, pss_mib(self._pid))
