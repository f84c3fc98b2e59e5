"""The spool: sealed blobs that are written while they arrive, under names that nobody else writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.storage.blobs import EncryptedBlobs
from dicom_node.storage.paths import make_ref, slot_path, storage_error
from dicom_node.storage.sealing import CHUNK_BYTES, Sealer

if TYPE_CHECKING:
    from pathlib import Path

    from dicom_node.domain.study import Slot
    from dicom_node.ports.ingest import Watermark
    from dicom_node.storage.files import NewFile
    from dicom_node.storage.keys import KeyStore


class Spool(EncryptedBlobs):
    """`ports.Spool`; see `EncryptedBlobs` for the parameters."""

    def __init__(self, root: Path, prefix: str, keys: KeyStore, watermark: Watermark | None = None) -> None:
        super().__init__(root, prefix, keys, watermark)
        self._keys = keys

    def create(self, slot: Slot, name: str) -> SealedWriter:
        """See `ports.Spool.create`; a slot whose key is destroyed raises `SlotExpired`."""
        make_ref(self._prefix, slot, name)  # refuses a malformed name before there is a file
        key = self._keys.key_for(slot, create=True)
        try:
            file = self._files.create(
                slot_path(slot), name, before_folder=lambda: self._encoding.refuse_expired(slot)
            )
        except OSError as exc:
            raise storage_error(exc) from exc
        return SealedWriter(file, key, make_ref(self._prefix, slot, file.name))


class SealedWriter:
    """`ports.BlobWriter` over a new file."""

    def __init__(self, file: NewFile, key: bytes, ref: str) -> None:
        self._file = file
        self._ref = ref
        self._sealer = Sealer(key, ref)
        self._pending = bytearray()
        self._ahead: bytes = self._sealer.header

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """See `ports.BlobWriter.write`."""
        # What may be the last chunk waits: it is sealed as such.
        self._pending += self._seal_full(memoryview(part))

    def commit(self, part: bytes | bytearray | memoryview = b"") -> str:
        """See `ports.BlobWriter.commit`."""
        self._seal(self._seal_full(memoryview(part)), last=True)
        try:
            self._file.commit()
        except OSError as exc:
            raise storage_error(exc) from exc
        return self._ref

    def abandon(self) -> None:
        """See `ports.BlobWriter.abandon`."""
        self._file.abandon()

    def _seal_full(self, part: memoryview) -> memoryview:
        """Seal the chunks that something follows; return the rest, which fits into one with what waits."""
        while len(self._pending) + len(part) > CHUNK_BYTES:
            taken = CHUNK_BYTES - len(self._pending)
            self._seal(part[:taken], last=False)
            part = part[taken:]
        return part

    def _seal(self, part: memoryview, *, last: bool) -> None:
        chunk: bytearray | memoryview = part
        if self._pending:
            self._pending += part
            chunk = self._pending
        sealed = self._sealer.seal(chunk, last=last)
        self._pending.clear()
        try:
            self._file.write((self._ahead, sealed) if self._ahead else (sealed,))
        except OSError as exc:
            raise storage_error(exc) from exc
        self._ahead = b""
