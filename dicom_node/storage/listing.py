"""What lies in a store: slots, their blobs, and taking away one that belongs to nobody."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dicom_node.domain.errors import StorageFailure
from dicom_node.domain.stored import StoredBlob
from dicom_node.domain.study import Slot
from dicom_node.storage.paths import fsync_folder, make_ref, slot_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: In front of the name of a blob that is being taken away.
_ASIDE: Final = ".aside-"


def slots_below(root: Path) -> Iterator[Slot]:
    """Every slot that has a folder, in no order; what is made meanwhile may be missing.

    Raises
    ------
    OSError
    """
    for study in _folders(root):
        for epoch in _folders(study):
            if epoch.name.isascii() and epoch.name.isdigit():
                slot = Slot(study.name, int(epoch.name))
                # What is no slot's folder is none of ours.
                with contextlib.suppress(StorageFailure):
                    slot_path(slot)
                    yield slot


def blobs_of(root: Path, prefix: str, slot: Slot) -> list[StoredBlob]:
    """The blobs of a slot, by name; none where it has no folder.

    Raises
    ------
    OSError
    """
    folder = root / slot_path(slot)
    try:
        names = [path.name for path in folder.iterdir()]
        left = [name.removeprefix(_ASIDE) for name in names if name.startswith(_ASIDE)]
        if left:
            for name in left:
                _put_back(folder, name)
            names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    found = []
    for name in sorted(names):
        if name.startswith("."):
            continue
        try:
            facts = (folder / name).stat()
            ref = make_ref(prefix, slot, name)
        except (FileNotFoundError, StorageFailure):
            continue  # purged since it was listed, or none of ours
        modified_at = datetime.fromtimestamp(facts.st_mtime, UTC)
        found.append(StoredBlob(ref, facts.st_size, modified_at, _mark(facts)))
    return found


def take_away(path: Path, mark: str) -> bool:
    """Remove a blob unless it was written again since it was listed; return whether it is gone.

    A write that comes in between is never lost: the file is moved aside, looked at there, and put back where
    it is another one. What a crash leaves aside, the next listing puts back.

    Raises
    ------
    OSError
    """
    aside = path.with_name(_ASIDE + path.name)
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    try:
        if _mark(aside.stat()) == mark:
            aside.unlink()
            fsync_folder(path.parent)
            return True
    except FileNotFoundError:  # a listing at the same time has put it back
        return False
    _put_back(path.parent, path.name)
    return False


def _put_back(folder: Path, name: str) -> None:
    aside = folder / (_ASIDE + name)
    with contextlib.suppress(FileNotFoundError):
        with contextlib.suppress(FileExistsError):  # written again meanwhile
            (folder / name).hardlink_to(aside)
        aside.unlink()
        fsync_folder(folder)


def _mark(facts: os.stat_result) -> str:
    return f"{facts.st_ino}-{facts.st_mtime_ns}"


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                folder / entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
