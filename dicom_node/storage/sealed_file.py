"""Encrypted temporary files: for what is too large for memory and may never lie plain on a disk.

Once the file is closed, or the process ends, neither a name nor the key is left.

References
----------
NIST SP 800-38A §6.5 (CTR). Authentication is not needed: nobody else has the file open.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.ciphers import CipherContext

_BLOCK = 16


class SealedFile:
    """`ports.ScratchFile` without a name, encrypted with a key that only this object knows.

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
