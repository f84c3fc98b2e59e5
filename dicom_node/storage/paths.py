"""Refs, the files that they name, and what an operating system's error means."""

from __future__ import annotations

import errno
import os
import re
import time
from typing import TYPE_CHECKING, Final

from dicom_node.domain.errors import NodeError, NotFound, OutOfResources, StorageFailure

if TYPE_CHECKING:
    from pathlib import Path

    from dicom_node.domain.study import Slot

_STUDY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# A first character that is no dot leaves neither "..", nor hidden files.
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_REF: Final = re.compile(rf"([a-z][a-z0-9-]*):({_STUDY.pattern})/(0|[1-9][0-9]{{0,8}})/({_NAME.pattern})")


def slot_path(slot: Slot) -> str:
    """The folder of a slot below its store.

    Raises
    ------
    StorageFailure
        If the slot could name a folder outside.
    """
    if not _STUDY.fullmatch(slot.study_id) or not 0 <= slot.epoch < 10**9:
        raise StorageFailure("a slot has a malformed study id or epoch; report this as a fault")
    return f"{slot.study_id}/{slot.epoch}"


def make_ref(prefix: str, slot: Slot, name: str) -> str:
    """`<prefix>:<study id>/<epoch>/<name>`.

    Raises
    ------
    StorageFailure
        If the name holds other characters than letters, digits, `.`, `_`, `-`, starts with a dot, or is
        longer than 200 characters.
    """
    if not _NAME.fullmatch(name):
        raise StorageFailure(
            "a blob's name is malformed: 1 to 200 letters, digits, `.`, `_` or `-`, no dot in front;"
            " report this as a fault"
        )
    return f"{prefix}:{slot_path(slot)}/{name}"


def split_ref(ref: str) -> tuple[str, str, int, str]:
    """(prefix, study id, epoch, name) of a ref.

    Raises
    ------
    NotFound
        If it is no ref: no blob lies there.
    """
    match = _REF.fullmatch(ref)
    if match is None:
        raise NotFound("a blob reference is malformed; nothing is stored under it")
    return match[1], match[2], int(match[3]), match[4]


def storage_error(exc: OSError) -> NodeError:
    """What an `OSError` means to the node; the message carries no path."""
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return OutOfResources("the disk or the quota is full; free disk space, or wait for purges")
    return StorageFailure(
        f"the store failed ({os.strerror(exc.errno) if exc.errno else type(exc).__name__});"
        " check the disk, its permissions and the system's log"
    )


def fsync_folder(folder: str | Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_temporary(folder: Path, min_age_s: float = 3600) -> int:
    """Remove temporary files (a dot in front) that nobody wrote to for `min_age_s` seconds; return how many.

    Younger ones may belong to another process that is writing them now.
    """
    limit = time.time() - min_age_s
    swept = 0
    for leftover in folder.glob(".*"):
        try:
            if leftover.stat().st_mtime <= limit:
                leftover.unlink()
                swept += 1
        except FileNotFoundError:
            continue
    return swept
