"""Memory that data sets are received into, and read from."""

from __future__ import annotations

import io


class DataSetBuffer:
    """One growing block of memory that a data set is received into without copying.

    It is reused from one instance to the next of an association.

    Parameters
    ----------
    limit
        The most bytes that an instance may have; what is beyond is received and dropped.

    Attributes
    ----------
    used
        Bytes that are in it.
    overflowed
        Whether the instance had more bytes than the limit.
    """

    _FIRST = 1 << 20
    #: A larger block than this is given back after its instance.
    _KEEP = 4 << 20

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._block = bytearray(self._FIRST)
        self._taken_out = 0
        self.used = 0
        self.overflowed = False

    def start(self, prefix: bytes) -> None:
        """Forget what was there and begin with these bytes."""
        if len(self._block) > self._KEEP:
            self._block = bytearray(self._FIRST)
        self._block[: len(prefix)] = prefix
        self.used = len(prefix)
        self._taken_out = 0
        self.overflowed = False

    def reserve(self, count: int) -> memoryview:
        """Where the next `count` bytes belong; release it before the next call."""
        if self._taken_out + self.used + count > self._limit:
            self.overflowed = True
            self.used = 0
        needed = self.used + count
        if needed > len(self._block):
            self._block.extend(bytes(max(count, len(self._block))))
        view = memoryview(self._block)[self.used : needed]
        self.used = needed
        return view

    def view(self) -> memoryview:
        """What is in it; release it before the next call."""
        return memoryview(self._block)[: self.used]

    def empty(self) -> None:
        """Take out what is in it: somebody else has it now. It still counts for the limit."""
        self._taken_out += self.used
        self.used = 0

    def stream(self, content_sha256: str | None = None) -> BufferStream:
        """What was received, for reading; close it before the next `start`."""
        return BufferStream(self.view(), content_sha256)


class BufferStream(io.RawIOBase):
    """A seekable stream over memory that is not copied.

    Attributes
    ----------
    content_sha256
        The digest of the instance (`pipeline.spooled.new_digest`), where it was computed on the way.
    """

    def __init__(self, view: memoryview, content_sha256: str | None = None) -> None:
        super().__init__()
        self.content_sha256 = content_sha256
        self._view = view
        self._position = 0

    def getbuffer(self) -> memoryview:
        """All bytes, not copied; release it before the stream is closed."""
        return self._view[:]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; see `io.IOBase.seek`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._view)}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, or all that are left."""
        end = len(self._view) if size is None or size < 0 else self._position + size
        data = bytes(self._view[self._position : end])
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """All that is left."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill `buffer`; see `io.RawIOBase.readinto`."""
        part = self._view[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        """Let go of the memory."""
        if not self.closed:
            self._view.release()
        super().close()
