"""`ports.Vault` over SQL: original identities, sealed row by row."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, insert, select, update

from dicom_node.domain.errors import NotFound, StorageFailure
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.index.database import peeking, transact
from dicom_node.index.tables.vault import vault

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_NONCE_BYTES: Final = 12


class SqlVault:
    """Identities encrypted with AES-256-GCM, bound to their study's id.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    key
        32 bytes, derived from the master key for this purpose alone.
    """

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._engine = engine
        self._cipher = AESGCM(key)

    def put(self, study_id: str, identity: OriginalIdentity) -> None:
        """See `ports.Vault.put`; an attribute that is there already stays as it is.

        Raises
        ------
        StorageFailure, OutOfResources
        """
        transact(self._engine, lambda connection: self._merge(connection, study_id, identity))

    def get(self, study_id: str) -> OriginalIdentity:
        """See `ports.Vault.get`.

        Raises
        ------
        NotFound
        StorageFailure
            If the row does not open with this key.
        """
        with peeking(self._engine) as connection:
            sealed = _sealed(connection, study_id)
        if sealed is None:
            raise NotFound("the vault holds no identity of this study; it was forgotten, or never put")
        return self._open(study_id, sealed)

    def forget(self, study_id: str) -> None:
        """See `ports.Vault.forget`.

        Raises
        ------
        StorageFailure, OutOfResources
        """
        transact(
            self._engine,
            lambda connection: connection.execute(delete(vault).where(vault.c.study_id == study_id)),
        )

    def _merge(self, connection: Connection, study_id: str, identity: OriginalIdentity) -> None:
        sealed = _sealed(connection, study_id, lock=True)
        if sealed is None:
            # Two first writers collide on the primary key, and the later one starts over and merges.
            row = {"study_id": study_id, "sealed": self._seal(study_id, identity)}
            connection.execute(insert(vault).values(row))
            return
        merged = self._open(study_id, sealed).merged(identity)
        connection.execute(
            update(vault).where(vault.c.study_id == study_id).values(sealed=self._seal(study_id, merged))
        )

    def _seal(self, study_id: str, identity: OriginalIdentity) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        plain = zlib.compress(identity.to_bytes(), 6)
        return nonce + self._cipher.encrypt(nonce, plain, study_id.encode())

    def _open(self, study_id: str, sealed: bytes) -> OriginalIdentity:
        nonce, cipher_text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            plain = self._cipher.decrypt(nonce, cipher_text, study_id.encode())
        except InvalidTag as exc:
            raise StorageFailure(
                "the vault does not open with this master key; put back the master key that this database"
                " was written with"
            ) from exc
        return OriginalIdentity.from_bytes(zlib.decompress(plain))


def _sealed(connection: Connection, study_id: str, *, lock: bool = False) -> bytes | None:
    query = select(vault.c.sealed).where(vault.c.study_id == study_id)
    sealed: bytes | None = connection.execute(query.with_for_update() if lock else query).scalar()
    return sealed
