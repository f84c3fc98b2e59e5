"""Forward-only readers over an encoded data set, in bounded memory."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Protocol

from dicom_node.domain.errors import InvalidInstance, TruncatedDataset

if TYPE_CHECKING:
    from typing import BinaryIO

_CHUNK = 16384
#: More inflated data than this is refused: a data set is read whole into memory later on.
_MAX_INFLATED = 2 << 30


class ElementSource(Protocol):
    """Bytes of a data set, front to back."""

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises
        ------
        TruncatedDataset
            If fewer are left.
        """

    def skip(self, count: int) -> None:
        """Step over `count` bytes; raises as `take` does."""

    def at_end(self) -> bool:
        """Whether nothing is left."""

    def window(self) -> tuple[bytes, int]:
        """Bytes that are at hand, and where in them the next one is; perhaps none."""


class PlainSource:
    """A seekable stream from its current position on.

    Parameters
    ----------
    stream
        Its position is undefined afterwards.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._origin = stream.tell()  # stream position of the buffer's first byte
        self._end = stream.seek(0, io.SEEK_END)
        self._buffer = b""
        self._offset = 0

    @property
    def position(self) -> int:
        """Stream position of the next byte."""
        return self._origin + self._offset

    @property
    def end(self) -> int:
        """Stream position behind the last byte."""
        return self._end

    def take(self, count: int) -> bytes:
        """See `ElementSource.take`."""
        start = self._offset
        stop = start + count
        if stop > len(self._buffer):
            self._fill(count)
            start, stop = 0, count
        self._offset = stop
        return self._buffer[start:stop]

    def skip(self, count: int) -> None:
        """See `ElementSource.skip`."""
        if self.position + count > self._end:
            raise _truncated()
        self._offset += count

    def at_end(self) -> bool:
        """See `ElementSource.at_end`."""
        return self.position >= self._end

    def window(self) -> tuple[bytes, int]:
        """See `ElementSource.window`."""
        return self._buffer, min(self._offset, len(self._buffer))

    def _fill(self, count: int) -> None:
        position = self.position
        if position + count > self._end:
            raise _truncated()
        self._stream.seek(position)
        wanted = max(count, _CHUNK)
        parts = []
        got = 0
        while got < count:
            part = self._stream.read(wanted - got)
            if not part:
                raise _truncated()
            parts.append(part)
            got += len(part)
        self._buffer = b"".join(parts)
        self._origin = position
        self._offset = 0


class InflatingSource:
    """A raw deflate stream (PS3.5 §A.5) from the stream's current position on."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._buffer = b""
        self._offset = 0
        self._total = 0

    def take(self, count: int) -> bytes:
        """See `ElementSource.take`."""
        while len(self._buffer) - self._offset < count:
            if not self._more():
                raise _truncated()
        start = self._offset
        self._offset += count
        return self._buffer[start : self._offset]

    def skip(self, count: int) -> None:
        """See `ElementSource.skip`."""
        while count > (left := len(self._buffer) - self._offset):
            count -= left
            self._offset = len(self._buffer)
            if not self._more():
                raise _truncated()
        self._offset += count

    def at_end(self) -> bool:
        """See `ElementSource.at_end`."""
        while self._offset >= len(self._buffer):
            if not self._more():
                return True
        return False

    def window(self) -> tuple[bytes, int]:
        """See `ElementSource.window`."""
        return self._buffer, self._offset

    def _more(self) -> bool:
        """Inflate the next chunk behind what is not yet consumed; False at the end of the stream."""
        if self._inflate.eof:
            return False
        pending = self._inflate.unconsumed_tail or self._stream.read(_CHUNK)
        if not pending:
            raise _truncated()
        try:
            chunk = self._inflate.decompress(pending, _CHUNK)
        except zlib.error as exc:
            raise InvalidInstance("the data set is no deflate stream; send it again uncompressed") from exc
        self._total += len(chunk)
        if self._total > _MAX_INFLATED:
            raise InvalidInstance("the data set inflates to more than 2 GiB; send it uncompressed")
        self._buffer = self._buffer[self._offset :] + chunk
        self._offset = 0
        return True


def _truncated() -> TruncatedDataset:
    return TruncatedDataset("a length points past the end of the data set; send it again from its source")
