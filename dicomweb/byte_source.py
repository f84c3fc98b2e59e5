"""Bytes that are read in parts: small files from memory, large ones from where they lie.

Also what goes out over HTTP: content of known or unknown size that is made while it is sent.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dicom_node.domain.errors import StorageFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

#: Bytes of one read while content is sent.
CHUNK_BYTES = 1 << 20


class ByteSource(Protocol):
    """Bytes with random access; safe to use from several threads."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    def read(self, start: int, length: int) -> bytes:
        """Bytes from an offset, fewer where the end comes first.

        Raises
        ------
        NotFound, StorageFailure
        """

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes between two offsets, in pieces.

        Raises
        ------
        NotFound, StorageFailure
            `StorageFailure` also where the source ends before `stop`.
        """


class MemorySource:
    """Bytes that lie in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        """See `ByteSource`."""
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        """See `ByteSource`."""
        return self.data[start : start + length]

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """See `ByteSource`."""
        if start == 0 and stop == len(self.data):
            yield self.data
            return
        view = memoryview(self.data)
        for at in range(start, stop, CHUNK_BYTES):
            yield bytes(view[at : min(stop, at + CHUNK_BYTES)])


class FileSource:
    """Bytes of a file that is opened for each use.

    Parameters
    ----------
    open_file
        Gives the file at position 0.
    """

    def __init__(self, open_file: Callable[[], BinaryIO], size: int) -> None:
        self._open = open_file
        self._size = size

    @property
    def size(self) -> int:
        """See `ByteSource`."""
        return self._size

    def read(self, start: int, length: int) -> bytes:
        """See `ByteSource`."""
        with self._open() as file:
            file.seek(start)
            return file.read(max(0, min(length, self._size - start)))

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """See `ByteSource`."""
        with self._open() as file:
            file.seek(start)
            left = stop - start
            while left > 0:
                piece = file.read(min(left, CHUNK_BYTES))
                if not piece:
                    raise StorageFailure("a stored file is shorter than it was; check the disk")
                left -= len(piece)
                yield piece

    def open(self) -> BinaryIO:
        """The file; the caller closes it.

        Raises
        ------
        NotFound, StorageFailure
        """
        return self._open()


def open_source(open_file: Callable[[], BinaryIO], in_memory: int) -> MemorySource | FileSource:
    """A source over a file; one of at most `in_memory` bytes is read at once.

    Raises
    ------
    NotFound, StorageFailure
    """
    with open_file() as file:
        size = file.seek(0, io.SEEK_END)
        if size > in_memory:
            return FileSource(open_file, size)
        file.seek(0)
        return MemorySource(file.read())


class Content(Protocol):
    """What one part or response carries."""

    @property
    def size(self) -> int | None:
        """Number of bytes; `None` where it is not known before they are made."""

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes between two offsets, in pieces.

        Raises
        ------
        NotFound, StorageFailure, Problem
        """


@dataclass(frozen=True, slots=True)
class Whole:
    """Bytes at hand."""

    data: bytes

    @property
    def size(self) -> int:
        """See `Content`."""
        return len(self.data)

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `Content`."""
        if start == 0 and stop in (None, len(self.data)):
            yield self.data
        else:
            yield self.data[start:stop]


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a source."""

    source: ByteSource
    offset: int
    length: int

    @property
    def size(self) -> int:
        """See `Content`."""
        return self.length

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `Content`."""
        end = self.length if stop is None else min(stop, self.length)
        return self.source.chunks(self.offset + start, self.offset + max(start, end))


@dataclass(frozen=True, slots=True)
class Made:
    """Bytes that are made while they are sent.

    Attributes
    ----------
    make
        Begins anew at each call.
    length
        Their number, where it is known.
    """

    make: Callable[[], Iterator[bytes]]
    length: int | None = None

    @property
    def size(self) -> int | None:
        """See `Content`."""
        return self.length

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `Content`; what stands before `start` is made too."""
        at = 0
        for piece in self.make():
            end = at + len(piece)
            if end > start and (stop is None or at < stop):
                first = max(0, start - at)
                last = len(piece) if stop is None else min(len(piece), stop - at)
                yield piece if last - first == len(piece) else piece[first:last]
            at = end
            if stop is not None and at >= stop:
                return
