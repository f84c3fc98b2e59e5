"""Where the content of a part waits until it is stored: in memory, or in a scratch file.

What a client sends is identifiable, so the node gives scratch files that are encrypted.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.ports.stores import ScratchFile

#: Bytes of a part that stay in memory; a larger part goes to a scratch file.
MEMORY_BYTES = 8 * 1024 * 1024
_READ_BUFFER = 256 * 1024


class MemoryScratch:
    """`ports.ScratchFile` in memory: for a service whose requests are small."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def size(self) -> int:
        """See `ports.ScratchFile`."""
        return len(self._data)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """See `ports.ScratchFile`."""
        self._data += data

    def read_at(self, offset: int, count: int) -> bytes:
        """See `ports.ScratchFile`."""
        return bytes(self._data[offset : offset + count])

    def close(self) -> None:
        """See `ports.ScratchFile`."""
        self._data = bytearray()


class _Window(io.RawIOBase):
    """Read-only view of a stretch of a scratch file."""

    def __init__(self, file: ScratchFile, start: int, size: int, *, owns: bool) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._position = 0
        self._owns = owns

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any buffer in typeshed
        count = min(len(buffer), max(0, self._size - self._position))
        data = self._file.read_at(self._start + self._position, count) if count else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if self._owns and not self.closed:
            self._file.close()
        super().close()


class PartWriter:
    """Takes the content of one part; `finish` gives it back to be read.

    Parameters
    ----------
    memory_bytes
        More than so many go to a file of its own.
    open_scratch
        Makes that file.
    """

    def __init__(
        self, open_scratch: Callable[[], ScratchFile] = MemoryScratch, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self._memory: io.BytesIO | None = io.BytesIO()
        self._open_scratch = open_scratch
        self._memory_bytes = memory_bytes
        self._file: ScratchFile | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        if self._memory is not None:
            if self._memory.tell() + len(data) <= self._memory_bytes:
                self._memory.write(data)
                return
            self._file = self._open_scratch()
            self._file.append(self._memory.getbuffer())
            self._memory = None
        if self._file is not None:
            self._file.append(data)

    def finish(self) -> BinaryIO:
        """All that was written, at position 0; whoever takes it closes it."""
        if self._memory is not None:
            self._memory.seek(0)
            return self._memory
        file = cast("ScratchFile", self._file)
        return _buffered(_Window(file, 0, file.size, owns=True))

    def close(self) -> None:
        """Give up what was written."""
        if self._file is not None:
            self._file.close()


class SharedSpool:
    """One place for all parts of a request that are needed until its end: a file, not one for each part.

    Parts are written one after the other. `close` ends them all.

    Parameters
    ----------
    memory_bytes
        Of all parts together; more go to one file.
    open_scratch
        Makes that file.
    """

    def __init__(
        self, open_scratch: Callable[[], ScratchFile] = MemoryScratch, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self._open_scratch = open_scratch
        self._left = memory_bytes
        self._file: ScratchFile | None = None

    def writer(self) -> PartWriter:
        """A writer for the next part."""
        return _SharedWriter(self)

    def close(self) -> None:
        """Give up all parts."""
        if self._file is not None:
            self._file.close()

    def take_memory(self, count: int) -> bool:
        """Whether so many more bytes may stay in memory."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def file(self) -> ScratchFile:
        """The file that the parts share."""
        if self._file is None:
            self._file = self._open_scratch()
        return self._file


class _SharedWriter(PartWriter):
    def __init__(self, spool: SharedSpool) -> None:
        super().__init__()
        self._spool = spool
        self._start = 0
        self._written = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._memory is not None:
            if self._spool.take_memory(len(data)):
                self._memory.write(data)
                return
            file = self._spool.file()
            self._start = file.size
            file.append(self._memory.getbuffer())
            self._written = self._memory.tell()
            self._memory = None
        self._spool.file().append(data)
        self._written += len(data)

    def finish(self) -> BinaryIO:
        if self._memory is not None:
            return super().finish()
        return _buffered(_Window(self._spool.file(), self._start, self._written, owns=False))

    def close(self) -> None:
        """Nothing of its own to give up."""


def _buffered(window: _Window) -> BinaryIO:
    return io.BufferedReader(window, _READ_BUFFER)
