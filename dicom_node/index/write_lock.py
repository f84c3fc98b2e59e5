"""Whose turn it is to write to a SQLite file: threads and processes queue up and are woken.

SQLite itself lets a second writer sleep and try again, for up to 100 ms at a time and in no order. With
several processes that store, most of the time would go into such sleeps.
"""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class WriteLock:
    """A context manager; one object for each process and file, shared by its threads.

    It only orders the writers that use it. One that does not, or a lock that a file system does not
    support, costs no more than SQLite's own waiting.

    Parameters
    ----------
    path
        The lock's file, made where it is missing; it stays empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0
        self._file: int | None = None

    def __enter__(self) -> None:
        self._threads.acquire()
        self._depth += 1
        if self._depth == 1:
            try:
                self._lock()
            except OSError:
                self._file = None  # the transaction itself says what is wrong with the folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Give the file back; the next use opens it again."""
        with self._threads:
            file, self._file = self._file, None
            if file is not None:
                os.close(file)

    def _lock(self) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
