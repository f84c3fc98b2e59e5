"""Values of rows that identify patients, encrypted one by one.

References
----------
NIST SP 800-38D (AES-GCM).
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicom_node.domain.errors import StorageFailure

_NONCE_BYTES: Final = 12


class RowSeal:
    """Seals and opens values with AES-256-GCM, each bound to the row that it is of.

    Parameters
    ----------
    key
        32 bytes, derived from the node's master key for one purpose alone.
    name
        What does not open, for the message where the key is another.
    """

    def __init__(self, key: bytes, name: str) -> None:
        self._cipher = AESGCM(key)
        self._name = name

    def seal(self, row: str, plain: bytes) -> bytes:
        """Encrypt; the outcome opens for the same `row` only."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, row.encode())

    def open(self, row: str, sealed: bytes) -> bytes:
        """What was sealed.

        Raises
        ------
        StorageFailure
            If it does not open with this key and for this row.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode())
        except InvalidTag as exc:
            raise StorageFailure(
                f"{self._name} does not open with this master key; put back the master key that this"
                " database was written with"
            ) from exc
