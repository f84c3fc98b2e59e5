"""Bytes and their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from typing import BinaryIO

    from dicom_node.domain.stored import StoredBlob
    from dicom_node.domain.study import Slot


class BlobStore(Protocol):
    """Bytes by slot and name: spool, work area, result store. Writes are durable and atomic."""

    def write(self, slot: Slot, name: str, stream: BinaryIO) -> str:
        """Store all bytes of `stream` under `name` (letters, digits, `.`, `_`, `-`); return the ref.

        A second write of the same name replaces the first. fsync of file and folder before return.

        Raises
        ------
        OutOfResources, StorageFailure
        """

    def read(self, ref: str) -> bytes:
        """The bytes of a ref.

        Raises
        ------
        NotFound, StorageFailure
        """

    def open(self, ref: str) -> BinaryIO:
        """The bytes of a ref as a file to read and seek in; the caller closes it.

        Reading it may raise `StorageFailure`. A purge in the meantime does not stop it.

        Raises
        ------
        NotFound, StorageFailure
        """

    def delete(self, ref: str) -> None:
        """Remove one blob; nothing happens where it is gone already."""

    def delete_slot(self, slot: Slot) -> int:
        """Remove everything of a slot, return the count of files removed; idempotent."""

    def slots(self) -> Iterator[Slot]:
        """Every slot that holds something, in no order."""

    def listing(self, slot: Slot) -> Sequence[StoredBlob]:
        """The blobs of a slot, by name.

        Raises
        ------
        StorageFailure
        """

    def take_away(self, blob: StoredBlob) -> bool:
        """Remove a blob as it was listed, not one that was written since; return whether it is gone.

        Raises
        ------
        StorageFailure
        """


class BlobWriter(Protocol):
    """A new blob on its way: committed or abandoned in the end."""

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end.

        Raises
        ------
        OutOfResources, StorageFailure
        """

    def commit(self, part: bytes | bytearray | memoryview = b"") -> str:
        """Add the last bytes and make it durable; return its ref.

        Raises
        ------
        OutOfResources, StorageFailure
            Then `abandon` is still to be called.
        """

    def abandon(self) -> None:
        """Leave nothing of it; nothing happens after `commit` returned, or the second time."""


class Spool(BlobStore, Protocol):
    """A store of instances as they arrive."""

    def create(self, slot: Slot, name: str) -> BlobWriter:
        """Begin a blob under `name`, or a longer name that begins with it where that is taken.

        Raises
        ------
        SlotExpired
            If the slot was purged.
        OutOfResources, StorageFailure
        """


class DataKeys(Protocol):
    """Data keys of slots; wrapped by the node's master key at rest."""

    def destroy(self, slot: Slot) -> bool:
        """Destroy the slot's key for good; `False` where it was gone already."""

    def since(self, slot: Slot) -> datetime | None:
        """Since when the slot has a key; `None` where it has none."""

    def slots(self) -> Iterator[tuple[Slot, datetime]]:
        """Every slot that has a key, and since when.

        Raises
        ------
        StorageFailure
        """


class ScratchFile(Protocol):
    """Bytes that are added at the end and read anywhere, by any thread; gone once it is closed."""

    @property
    def size(self) -> int:
        """Bytes so far."""

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end.

        Raises
        ------
        OSError
            If the disk is full or fails.
        """

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on; fewer at the end."""

    def close(self) -> None:
        """Give it up; nothing of it can be read any more."""
