"""`ports.Vault` over SQL: original identities, sealed row by row."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from dicom_node.domain.errors import NotFound
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.index.database import peeking, transact
from dicom_node.index.row_seal import RowSeal
from dicom_node.index.tables.vault import vault

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, Engine


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
        self._rows = RowSeal(key, "the vault")

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

    def kept(self, study_ids: Collection[str]) -> set[str]:
        """See `ports.Vault.kept`.

        Raises
        ------
        StorageFailure
        """
        query = select(vault.c.study_id).where(vault.c.study_id.in_(study_ids))
        with peeking(self._engine) as connection:
            return set(connection.execute(query).scalars())

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
        return self._rows.seal(study_id, zlib.compress(identity.to_bytes(), 6))

    def _open(self, study_id: str, sealed: bytes) -> OriginalIdentity:
        return OriginalIdentity.from_bytes(zlib.decompress(self._rows.open(study_id, sealed)))


def _sealed(connection: Connection, study_id: str, *, lock: bool = False) -> bytes | None:
    query = select(vault.c.sealed).where(vault.c.study_id == study_id)
    sealed: bytes | None = connection.execute(query.with_for_update() if lock else query).scalar()
    return sealed
