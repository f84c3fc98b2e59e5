"""Encryption of a blob in chunks, so that large instances stream.

Format, version 1: a header of 24 bytes (magic `DNEB`, version, base-2 logarithm of the chunk size, two zero
bytes, 16 bytes salt), then chunks, each followed by its 16 bytes tag. The blob's own AES-256-GCM key is
HMAC-SHA256(data key, "blob/1/" + salt). A chunk's nonce is its number and a flag that marks the last
chunk (the STREAM construction), so chunks cannot be dropped, swapped or cut off. Header and ref are
authenticated with every chunk: a blob opens under its own ref only.

References
----------
Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance (2015), section 7 (STREAM). NIST SP 800-38D (GCM).
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_MAGIC: Final = b"DNEB"
_VERSION: Final = 1
_CHUNK_LOG2: Final = 20
CHUNK_BYTES: Final = 1 << _CHUNK_LOG2
HEADER_BYTES: Final = 24
_SALT_BYTES: Final = 16
TAG_BYTES: Final = 16


class DamagedBlob(Exception):
    """The bytes are not those that were sealed under this key and ref."""


class Sealer:
    """Seals the chunks of one blob, in order.

    Parameters
    ----------
    key
        The slot's data key, 32 bytes.
    chunk_log2
        Base-2 logarithm of the chunk size in bytes, 12 to 24: every chunk but the last has this size.

    Attributes
    ----------
    header
        What stands in front of the first chunk.
    """

    def __init__(self, key: bytes, ref: str, *, chunk_log2: int = _CHUNK_LOG2) -> None:
        salt = os.urandom(_SALT_BYTES)
        self.header = _MAGIC + bytes((_VERSION, chunk_log2, 0, 0)) + salt
        self._cipher = _cipher(key, salt)
        self._associated = self.header + ref.encode()
        self._number = 0

    def seal(self, chunk: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        """The next chunk with its tag."""
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), chunk, self._associated)
        self._number += 1
        return sealed


def seal(stream: BinaryIO, key: bytes, ref: str, *, chunk_log2: int = _CHUNK_LOG2) -> Iterator[bytes]:
    """Yield the header, then each chunk sealed; see `Sealer`.

    Parameters
    ----------
    stream
        Read from its position to its end, a chunk at a time.
    """
    sealer = Sealer(key, ref, chunk_log2=chunk_log2)
    yield sealer.header
    size = 1 << chunk_log2
    chunk = _read_full(stream, size)
    while True:
        following = _read_full(stream, size) if len(chunk) == size else b""
        yield sealer.seal(chunk, last=not following)
        if not following:
            return
        chunk = following


def unseal(stream: BinaryIO, key: bytes, ref: str) -> bytes:
    """All bytes of a sealed blob, verified.

    Raises
    ------
    DamagedBlob
    """
    chunks = SealedChunks(stream.read(HEADER_BYTES), key, ref)
    plain: list[bytes] = []
    sealed = _read_full(stream, chunks.sealed_size)
    while True:
        following = _read_full(stream, chunks.sealed_size) if len(sealed) == chunks.sealed_size else b""
        plain.append(chunks.open(len(plain), sealed, last=not following))
        if not following:
            return plain[0] if len(plain) == 1 else b"".join(plain)
        sealed = following


class SealedChunks:
    """Opens chunks of one sealed blob, in any order.

    Attributes
    ----------
    size, sealed_size
        Bytes of each chunk but the last, plain and as stored.

    Raises
    ------
    DamagedBlob
        If the header is none.
    """

    def __init__(self, header: bytes, key: bytes, ref: str) -> None:
        if len(header) != HEADER_BYTES or header[:5] != _MAGIC + bytes((_VERSION,)) or header[6:8] != b"\0\0":
            raise DamagedBlob("the header is no sealed blob's")
        # The header is not trusted yet: a damaged size must not ask for gigabytes.
        if not 12 <= header[5] <= 24:  # 4 KiB to 16 MiB
            raise DamagedBlob("the chunk size is out of range")
        self.size = 1 << header[5]
        self.sealed_size = self.size + TAG_BYTES
        self._cipher = _cipher(key, header[8:])
        self._associated = header + ref.encode()

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """One chunk, verified.

        Raises
        ------
        DamagedBlob
            If it is not what was sealed at this place.
        """
        try:
            return self._cipher.decrypt(_nonce(number, last=last), sealed, self._associated)
        except (InvalidTag, ValueError) as exc:
            raise DamagedBlob(f"chunk {number} does not verify") from exc


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, b"blob/1/" + salt, "sha256"))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


def _read_full(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    parts = [data]  # a raw or network stream may give less than was asked for
    have = len(data)
    while have < size and (more := stream.read(size - have)):
        parts.append(more)
        have += len(more)
    return b"".join(parts)
