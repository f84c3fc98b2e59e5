"""Bytes by slot and name: encrypted (spool, work area, quarantine) and plain (results)."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dicom_node.domain.errors import NotFound, SlotExpired
from dicom_node.domain.study import Slot
from dicom_node.storage.files import AtomicFiles
from dicom_node.storage.listing import blobs_of, slots_below, take_away
from dicom_node.storage.paths import (
    fsync_folder,
    make_ref,
    slot_path,
    split_ref,
    storage_error,
    sweep_temporary,
)
from dicom_node.storage.sealed_reader import damaged, open_sealed
from dicom_node.storage.sealing import DamagedBlob, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from dicom_node.domain.stored import StoredBlob
    from dicom_node.ports.ingest import Watermark
    from dicom_node.ports.stores import BlobStore
    from dicom_node.storage.keys import KeyStore

_CHUNK_BYTES = 1 << 20
_READ_AHEAD = 1 << 16


class _Encoding(Protocol):
    """How bytes look on disk."""

    def encode(self, slot: Slot, ref: str, stream: BinaryIO) -> Iterable[bytes]:
        """The pieces to write."""

    def decode(self, slot: Slot, ref: str, file: BinaryIO) -> bytes:
        """The bytes of an open file."""

    def reader(self, slot: Slot, ref: str, file: io.FileIO) -> BinaryIO:
        """An open file as its bytes were written; closing it closes the file."""

    def refuse_expired(self, slot: Slot) -> None:
        """Raise where nothing may be written to the slot any more."""


class _Sealed:
    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def encode(self, slot: Slot, ref: str, stream: BinaryIO) -> Iterable[bytes]:
        return seal(stream, self._keys.key_for(slot, create=True), ref)

    def decode(self, slot: Slot, ref: str, file: BinaryIO) -> bytes:
        key = self._keys.key_for(slot, create=False)
        try:
            return unseal(file, key, ref)
        except DamagedBlob as exc:
            raise damaged(exc) from exc

    def reader(self, slot: Slot, ref: str, file: io.FileIO) -> BinaryIO:
        return open_sealed(file, self._keys.key_for(slot, create=False), ref)

    def refuse_expired(self, slot: Slot) -> None:
        try:
            self._keys.key_for(slot, create=False)
        except NotFound as exc:
            raise SlotExpired("the study was purged while an instance was written; write it again") from exc


class _Plain:
    def encode(self, slot: Slot, ref: str, stream: BinaryIO) -> Iterator[bytes]:  # noqa: ARG002
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk

    def decode(self, slot: Slot, ref: str, file: BinaryIO) -> bytes:  # noqa: ARG002
        return file.read()

    def reader(self, slot: Slot, ref: str, file: io.FileIO) -> BinaryIO:  # noqa: ARG002
        return io.BufferedReader(file, _READ_AHEAD)

    def refuse_expired(self, slot: Slot) -> None:
        """A plain slot never expires."""


class _Blobs:
    """`ports.BlobStore` over a folder: `<root>/<study id>/<epoch>/<name>`."""

    def __init__(self, root: Path, prefix: str, encoding: _Encoding, watermark: Watermark | None) -> None:
        self._root = root
        self._prefix = prefix
        self._encoding = encoding
        self._watermark = watermark
        self._files = AtomicFiles(root)

    def write(self, slot: Slot, name: str, stream: BinaryIO) -> str:
        """See `ports.BlobStore.write`; a slot whose key is destroyed raises `SlotExpired`."""
        ref = make_ref(self._prefix, slot, name)
        if self._watermark is not None:
            self._watermark.check()
        try:
            self._files.write(
                slot_path(slot),
                name,
                self._encoding.encode(slot, ref, stream),
                before_folder=lambda: self._encoding.refuse_expired(slot),
            )
        except OSError as exc:
            raise storage_error(exc) from exc
        return ref

    def read(self, ref: str) -> bytes:
        """See `ports.BlobStore.read`."""
        slot, path = self._locate(ref)
        try:
            with io.FileIO(path) as file:
                return self._encoding.decode(slot, ref, file)
        except FileNotFoundError as exc:
            raise NotFound("nothing is stored under this reference; it was never written, or purged") from exc
        except OSError as exc:
            raise storage_error(exc) from exc

    def open(self, ref: str) -> BinaryIO:
        """See `ports.BlobStore.open`."""
        slot, path = self._locate(ref)
        try:
            file = io.FileIO(path)
        except FileNotFoundError as exc:
            raise NotFound("nothing is stored under this reference; it was never written, or purged") from exc
        except OSError as exc:
            raise storage_error(exc) from exc
        try:
            return self._encoding.reader(slot, ref, file)
        except BaseException:
            file.close()
            raise

    def delete(self, ref: str) -> None:
        """See `ports.BlobStore.delete`."""
        _, path = self._locate(ref)
        try:
            os.unlink(path)  # noqa: PTH108  a plain path is all that is needed
            fsync_folder(os.path.dirname(path))  # noqa: PTH120
        except FileNotFoundError:
            return
        except OSError as exc:
            raise storage_error(exc) from exc

    def delete_slot(self, slot: Slot) -> int:
        """See `ports.BlobStore.delete_slot`."""
        folder = self._root / slot_path(slot)
        try:
            with os.scandir(folder) as entries:
                count = sum(not entry.name.startswith(".") for entry in entries)
            shutil.rmtree(folder)
            fsync_folder(folder.parent)
            self._files.remove_if_empty(slot.study_id)
        except FileNotFoundError:
            return 0
        except OSError as exc:
            raise storage_error(exc) from exc
        finally:
            self._files.forget(slot_path(slot))
        return count

    def slots(self) -> Iterator[Slot]:
        """See `ports.BlobStore.slots`."""
        try:
            yield from slots_below(self._root)
        except OSError as exc:
            raise storage_error(exc) from exc

    def listing(self, slot: Slot) -> Sequence[StoredBlob]:
        """See `ports.BlobStore.listing`."""
        try:
            return blobs_of(self._root, self._prefix, slot)
        except OSError as exc:
            raise storage_error(exc) from exc

    def take_away(self, blob: StoredBlob) -> bool:
        """See `ports.BlobStore.take_away`."""
        _, path = self._locate(blob.ref)
        try:
            return take_away(Path(path), blob.mark)
        except OSError as exc:
            raise storage_error(exc) from exc

    def sweep(self, min_age_s: float = 3600) -> int:
        """Remove what interrupted writes left behind, untouched for `min_age_s` seconds; return how many."""
        try:
            return sweep_temporary(self._files.temporary, min_age_s)
        except OSError as exc:
            raise storage_error(exc) from exc

    def _locate(self, ref: str) -> tuple[Slot, str]:
        prefix, study_id, epoch, name = split_ref(ref)
        if prefix != self._prefix:
            raise NotFound("the blob reference names another store")
        return Slot(study_id, epoch), f"{self._root}/{study_id}/{epoch}/{name}"


class EncryptedBlobs(_Blobs):
    """Blobs sealed with the data key of their slot (`storage.sealing`).

    Parameters
    ----------
    root
        Folder of this store; made where it is missing.
    prefix
        In front of its refs, e.g. `spool`.
    keys
        Once a slot's key is destroyed, reads raise `NotFound` and writes `SlotExpired`.
    watermark
        Checked before each write; `None` where it is checked elsewhere.
    """

    def __init__(self, root: Path, prefix: str, keys: KeyStore, watermark: Watermark | None = None) -> None:
        super().__init__(root, prefix, _Sealed(keys), watermark)


class PlainBlobs(_Blobs):
    """Blobs as they are, for what carries no identity.

    Parameters
    ----------
    root, prefix, watermark
        As for `EncryptedBlobs`.
    """

    def __init__(self, root: Path, prefix: str, watermark: Watermark | None = None) -> None:
        super().__init__(root, prefix, _Plain(), watermark)


class BlobRouter:
    """Reads any ref from the store that its prefix names.

    Parameters
    ----------
    stores
        Prefix to store.
    """

    def __init__(self, stores: Mapping[str, BlobStore]) -> None:
        self._stores = dict(stores)

    def read(self, ref: str) -> bytes:
        """The bytes of a ref.

        Raises
        ------
        NotFound, StorageFailure
        """
        return self._store(ref).read(ref)

    def open(self, ref: str) -> BinaryIO:
        """See `ports.BlobStore.open`.

        Raises
        ------
        NotFound, StorageFailure
        """
        return self._store(ref).open(ref)

    def _store(self, ref: str) -> BlobStore:
        store = self._stores.get(split_ref(ref)[0])
        if store is None:
            raise NotFound("the blob reference names no store of this node")
        return store
