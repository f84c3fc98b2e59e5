"""Reading within sealed blobs: a chunk is opened when somebody reads from it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from dicom_node.domain.errors import StorageFailure
from dicom_node.storage.sealing import HEADER_BYTES, TAG_BYTES, DamagedBlob, SealedChunks

if TYPE_CHECKING:
    from typing import BinaryIO


def damaged(exc: DamagedBlob) -> StorageFailure:
    """What a damaged blob means to the node."""
    return StorageFailure(
        f"a stored file is damaged ({exc}); check the disk, and restore it or send the study again"
    )


def open_sealed(file: io.FileIO, key: bytes, ref: str) -> BinaryIO:
    """A sealed blob as a file of its plain bytes; closing it closes `file`.

    Raises
    ------
    StorageFailure
        If it is damaged: here, or when the damaged chunk is read.
    """
    try:
        return io.BufferedReader(_SealedReader(file, SealedChunks(file.read(HEADER_BYTES), key, ref)))
    except DamagedBlob as exc:
        raise damaged(exc) from exc


class _SealedReader(io.RawIOBase):
    """One chunk is kept, so small reads one after another open it once."""

    def __init__(self, file: io.FileIO, chunks: SealedChunks) -> None:
        self._file = file
        self._chunks = chunks
        sealed = os.fstat(file.fileno()).st_size - HEADER_BYTES
        self._count = max(1, -(-sealed // chunks.sealed_size))
        self._size = sealed - self._count * TAG_BYTES
        if self._size < 0:
            raise DamagedBlob("the last chunk is cut off")
        self._position = 0
        self._number = -1
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset from the start, the position or the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a file has no position before its start")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read from one chunk.

        Raises
        ------
        StorageFailure
            If the chunk is damaged.
        """
        if self._position >= self._size:
            return 0
        number, start = divmod(self._position, self._chunks.size)
        if number != self._number:
            self._chunk = memoryview(self._open(number))
            self._number = number
        piece = self._chunk[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        """Read from the position to the end, without a copy where that is within one chunk.

        Raises
        ------
        StorageFailure
            If a chunk is damaged.
        """
        pieces: list[bytes] = []
        while self._position < self._size:
            number, start = divmod(self._position, self._chunks.size)
            chunk = bytes(self._chunk) if number == self._number else self._open(number)
            pieces.append(chunk[start:] if start else chunk)
            self._position += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the sealed file too."""
        self._file.close()
        super().close()

    def _open(self, number: int) -> bytes:
        size = self._chunks.sealed_size
        last = number == self._count - 1
        try:
            sealed = os.pread(self._file.fileno(), size, HEADER_BYTES + number * size)
            return self._chunks.open(number, sealed, last=last)
        except DamagedBlob as exc:
            raise damaged(exc) from exc
        except OSError as exc:
            raise StorageFailure("a stored file cannot be read; check the disk and the system's log") from exc
