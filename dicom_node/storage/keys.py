"""Data keys: one random AES-256 key a slot, wrapped by the master key, destroyed at the purge."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from dicom_node.domain.errors import NotFound, SlotExpired
from dicom_node.domain.study import Slot
from dicom_node.storage.paths import fsync_folder, slot_path, storage_error, sweep_temporary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_BYTES: Final = 32
#: Keys that stay in memory, and destroyed slots that are remembered.
_CACHE_SIZE: Final = 4096

_Value = TypeVar("_Value")


class KeyWrapper(Protocol):
    """Encrypts keys with a key of its own."""

    def wrap(self, key: bytes, context: str) -> bytes:
        """Encrypt a key for one context."""

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what `wrap` made, for the same context."""


class KeyStore:
    """`ports.DataKeys` over one file a slot.

    Parameters
    ----------
    folder
        Where the wrapped keys lie; made where it is missing. Belongs to this store alone.
    master
        Wraps the keys; bound to the slot, so that files cannot be swapped.
    """

    def __init__(self, folder: Path, master: KeyWrapper) -> None:
        self._folder = folder
        self._master = master
        self._lock = threading.Lock()
        self._keys: dict[Slot, bytes] = {}
        self._destroyed: dict[Slot, None] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep_temporary(folder)
        except OSError as exc:
            raise storage_error(exc) from exc

    def key_for(self, slot: Slot, *, create: bool) -> bytes:
        """The slot's key; with `create`, a slot that has none gets one, durable on return.

        Raises
        ------
        NotFound
            If there is none and `create` is false.
        SlotExpired
            If it was destroyed and `create` is true.
        OutOfResources, StorageFailure
        """
        path = self._path(slot)
        key = self._keys.get(slot)
        # Another process may have destroyed it: the file decides, and looking costs microseconds.
        if key is not None and path.exists():
            return key
        with self._lock:
            known = self._keys.pop(slot, None) is not None
            try:
                key = self._load(slot, path)
                if key is None:
                    if not create:
                        raise NotFound("the slot has no data key: it is purged, or was never written to")
                    if known or slot in self._destroyed:
                        raise SlotExpired(
                            "the study was purged while an instance was written; write it again"
                        )
                    key = self._create(slot, path)
            except OSError as exc:
                raise storage_error(exc) from exc
            _remember(self._keys, slot, key)
            return key

    def destroy(self, slot: Slot) -> bool:
        """See `ports.DataKeys.destroy`."""
        path = self._path(slot)
        with self._lock:
            self._keys.pop(slot, None)
            _remember(self._destroyed, slot, None)
            try:
                descriptor = os.open(path, os.O_WRONLY)
            except FileNotFoundError:
                return False
            except OSError as exc:
                raise storage_error(exc) from exc
            try:
                try:
                    os.write(descriptor, bytes(os.fstat(descriptor).st_size))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                path.unlink(missing_ok=True)
                fsync_folder(self._folder)
            except OSError as exc:
                raise storage_error(exc) from exc
            return True

    def since(self, slot: Slot) -> datetime | None:
        """See `ports.DataKeys.since`."""
        try:
            return datetime.fromtimestamp(self._path(slot).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise storage_error(exc) from exc

    def slots(self) -> Iterator[tuple[Slot, datetime]]:
        """See `ports.DataKeys.slots`."""
        try:
            for path in self._folder.glob("*.key"):
                study_id, _, epoch = path.stem.rpartition(".")
                if not (study_id and epoch.isascii() and epoch.isdigit()):
                    continue  # none of ours
                with contextlib.suppress(FileNotFoundError):  # destroyed since it was listed
                    yield Slot(study_id, int(epoch)), datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError as exc:
            raise storage_error(exc) from exc

    def _path(self, slot: Slot) -> Path:
        return self._folder / f"{slot_path(slot).replace('/', '.')}.key"

    def _load(self, slot: Slot, path: Path) -> bytes | None:
        try:
            wrapped = path.read_bytes()
        except FileNotFoundError:
            return None
        if not any(wrapped):  # a crash between overwriting and removing it
            return None
        return self._master.unwrap(wrapped, f"slot:{slot_path(slot)}")

    def _create(self, slot: Slot, path: Path) -> bytes:
        key = os.urandom(KEY_BYTES)
        wrapped = self._master.wrap(key, f"slot:{slot_path(slot)}")
        temporary = self._folder / f".{os.getpid()}.{os.urandom(8).hex()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                if os.write(descriptor, wrapped) < len(wrapped):
                    raise OSError(errno.ENOSPC, "the disk took a part of a key")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            try:
                os.link(temporary, path)  # never replaces a key that another process made
            except FileExistsError:
                found = self._load(slot, path)
                if found is None:
                    raise SlotExpired("the study is being purged; write the instance again") from None
                return found
            fsync_folder(self._folder)
        finally:
            os.unlink(temporary)  # noqa: PTH108  an exact, cheap call on the hot path
        return key


def _remember(cache: dict[Slot, _Value], slot: Slot, value: _Value) -> None:
    cache[slot] = value
    if len(cache) > _CACHE_SIZE:
        del cache[next(iter(cache))]
