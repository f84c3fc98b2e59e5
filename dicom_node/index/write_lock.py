"""Whose turn it is to write to a SQLite file: threads and processes queue up and are woken.

SQLite itself lets a second writer sleep and try again, for up to 100 ms at a time and in no order. With
several processes that store, most of the time would go into such sleeps.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dicom_node.domain.errors import StorageFailure

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
    wait_s
        Seconds after which a writer that waits gives up: another one hangs, or was stopped.
    """

    def __init__(self, path: Path, wait_s: float = 30.0) -> None:
        self._path = path
        self._wait_s = wait_s
        self._threads = threading.RLock()
        self._depth = 0
        self._file: int | None = None

    def __enter__(self) -> None:
        """Wait for the turn.

        Raises
        ------
        StorageFailure
            If it does not come in time.
        """
        deadline = time.monotonic() + self._wait_s
        if not self._threads.acquire(timeout=self._wait_s):
            raise _too_late()
        self._depth += 1
        if self._depth == 1:
            try:
                self._lock(deadline)
            except OSError:
                self._file = None  # the transaction itself says what is wrong with the folder
            except StorageFailure:
                self._depth -= 1
                self._threads.release()
                raise

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

    def _lock(self, deadline: float) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # The kernel wakes who waits, but knows no limit: a thread waits, through the same open file.
            locked = threading.Event()
            threading.Thread(target=_wait, args=(os.dup(self._file), locked), daemon=True).start()
            if not locked.wait(max(0.0, deadline - time.monotonic())):
                # With both descriptors closed the kernel frees a lock that still comes.
                file, self._file = self._file, None
                os.close(file)
                raise _too_late() from None


def _wait(file: int, locked: threading.Event) -> None:
    try:
        with suppress(OSError):  # the transaction says what is wrong
            fcntl.flock(file, fcntl.LOCK_EX)
    finally:
        os.close(file)
        locked.set()


def _too_late() -> StorageFailure:
    return StorageFailure(
        "another writer of the index does not end; look for a process of the node that hangs"
    )
