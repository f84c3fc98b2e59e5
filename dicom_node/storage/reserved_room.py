"""What the processes of a node know together about a disk: room that is spoken for, and how full it is."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: One byte for each volume's level, then one number of bytes for each process.
_LEVELS = 64
_SLOTS = 256
_SLOT = struct.Struct("@Q")
_ALL = struct.Struct(f"@{_SLOTS}Q")
_SIZE = _LEVELS + _SLOTS * _SLOT.size
#: `struct flock`: type, whence, start, length, process id.
_FLOCK = struct.Struct("@hhqqi4x")


class ReservedRoom:
    """Bytes that instances on their way to the disk will take, over all processes that have the file open.

    Each process has a slot, held by a lock that ends with the process: what a killed one had reserved is
    free again at the next `total`. A reader may see a number that is a moment old; the floor that must stay
    free is what allows for that.

    Parameters
    ----------
    path
        The file; made where it is missing. It holds nothing that matters once no process has it open.

    Raises
    ------
    OSError
        If it cannot be made, or more than 256 processes have it open.
    """

    def __init__(self, path: Path) -> None:
        self._guard = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._file).st_size < _SIZE:
                os.ftruncate(self._file, _SIZE)
                # A page that the disk has no room for would end the process when it is written to.
                os.posix_fallocate(self._file, 0, _SIZE)
            self._map = mmap.mmap(self._file, _SIZE)
            self._own = next(slot for slot in range(_SLOTS) if self._lock(slot))
        except StopIteration:
            self.close()
            raise OSError("too many processes share the data folder") from None
        except OSError:
            os.close(self._file)
            raise
        self._put(self._own, 0)

    def add(self, count: int) -> None:
        """Count bytes in (or out, where negative) for this process."""
        with self._guard:
            self._put(self._own, max(0, self._get(self._own) + count))

    def total(self) -> int:
        """Bytes that are spoken for, by living processes."""
        found = 0
        for slot, count in enumerate(_ALL.unpack_from(self._map, _LEVELS)):
            if not count:
                continue
            if slot == self._own or self._is_held(slot):
                found += count
            else:
                self._put(slot, 0)
        return found

    def level(self, volume: int) -> int:
        """How full a volume was found last, by whichever process looked."""
        return self._map[volume]

    def set_level(self, volume: int, level: int) -> None:
        """Tell the others how full a volume is."""
        self._map[volume] = level

    def close(self) -> None:
        """Give the slot up."""
        self._map.close()
        os.close(self._file)

    def _get(self, slot: int) -> int:
        return int(_SLOT.unpack_from(self._map, _LEVELS + slot * _SLOT.size)[0])

    def _put(self, slot: int, count: int) -> None:
        _SLOT.pack_into(self._map, _LEVELS + slot * _SLOT.size, count)

    def _lock(self, slot: int) -> bool:
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, self._range(slot))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _is_held(self, slot: int) -> bool:
        found = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, self._range(slot))
        return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)

    @staticmethod
    def _range(slot: int) -> bytes:
        return _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _LEVELS + slot * _SLOT.size, _SLOT.size, 0)
