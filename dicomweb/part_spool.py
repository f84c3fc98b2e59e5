"""Where the content of a part waits until it is stored: in memory, or encrypted on disk.

What a client sends is identifiable, so it never lies plain on a disk: a larger part goes to an unnamed
temporary file that is encrypted with a key that only this object knows. Once the file is closed, or the
process ends, neither name nor key is left.

References
----------
NIST SP 800-38A §6.5 (CTR). Authentication is not needed: nobody else has the file open.
"""

from __future__ import annotations

import io
import os
import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.ciphers import CipherContext

#: Bytes of a part that stay in memory; a larger part goes to an encrypted temporary file.
MEMORY_BYTES = 8 * 1024 * 1024
_BLOCK = 16
_READ_BUFFER = 256 * 1024


class SealedFile:
    """An unnamed, encrypted temporary file: bytes are added at its end, and any thread reads anywhere.

    Parameters
    ----------
    folder
        On whose file system it lies; `None`: the system's temporary folder.

    Raises
    ------
    OSError
        Here and in `append`, if the disk is full or fails.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (closed by `close`)
        self._key = os.urandom(32)
        self._encryptor = self._cipher(0)
        self.size = 0

    def _cipher(self, block: int) -> CipherContext:
        return Cipher(AES(self._key), CTR(block.to_bytes(_BLOCK, "big"))).encryptor()

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end."""
        sealed = memoryview(self._encryptor.update(data))
        offset = self.size
        while sealed:
            written = os.pwrite(self._file.fileno(), sealed, offset)
            sealed, offset = sealed[written:], offset + written
        self.size = offset

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on; fewer at the end."""
        ahead = offset % _BLOCK
        at, wanted = offset - ahead, min(count, self.size - offset) + ahead
        pieces = []
        while wanted > 0 and (piece := os.pread(self._file.fileno(), wanted, at)):
            pieces.append(piece)
            at, wanted = at + len(piece), wanted - len(piece)
        # In counter mode the same operation seals and opens.
        return self._cipher(offset // _BLOCK).update(b"".join(pieces))[ahead:]

    def close(self) -> None:
        """Give the file up; nothing of it can be read any more."""
        self._file.close()
        self._key = b""


class _Window(io.RawIOBase):
    """Read-only view of a stretch of a `SealedFile`."""

    def __init__(self, file: SealedFile, start: int, size: int, *, owns: bool) -> None:
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
        More than so many go to a `SealedFile` of its own.
    """

    def __init__(self, folder: Path | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self._memory: io.BytesIO | None = io.BytesIO()
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._file: SealedFile | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        if self._memory is not None:
            if self._memory.tell() + len(data) <= self._memory_bytes:
                self._memory.write(data)
                return
            self._file = SealedFile(self._folder)
            self._file.append(self._memory.getbuffer())
            self._memory = None
        if self._file is not None:
            self._file.append(data)

    def finish(self) -> BinaryIO:
        """All that was written, at position 0; whoever takes it closes it."""
        if self._memory is not None:
            self._memory.seek(0)
            return self._memory
        file = cast("SealedFile", self._file)
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
        Of all parts together; more go to one `SealedFile`.
    """

    def __init__(self, folder: Path | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self._folder = folder
        self._left = memory_bytes
        self._file: SealedFile | None = None

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

    def file(self) -> SealedFile:
        """The file that the parts share."""
        if self._file is None:
            self._file = SealedFile(self._folder)
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


def memory_or_sealed(folder: Path | None) -> Callable[[], PartWriter]:
    """What `MultipartParser` opens for each part, where parts are stored one by one."""
    return lambda: PartWriter(folder)
