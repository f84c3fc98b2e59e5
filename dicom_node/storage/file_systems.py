"""What file systems promise about names."""

from __future__ import annotations

import os
from pathlib import Path

#: On these, to sync a file makes durable what came before in the journal: its own name with it.
_ORDERED = frozenset({"ext4", "xfs"})
_MOUNTS = Path("/proc/self/mountinfo")


def names_are_ordered(folder: Path) -> bool:
    """Whether the fsync of a file makes its name in the folder durable too, given before the fsync.

    POSIX promises that only for the fsync of the folder. ext4 and xfs log the entry of a name in the
    transaction that makes or links the file, and an fsync of the file forces the log up to the last
    transaction that changed its inode, which is this one or a later one: after a power cut the log is
    replayed up to there, in order. (ext4 without a journal syncs the folder of a new file by itself.) What
    is renamed over another file, or made elsewhere and moved, is not what this is about: sync the folder.

    False for every file system that is not known, and where the kernel does not say.
    """
    try:
        device = folder.stat().st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            if before.split(" ")[2] == wanted:
                return after.split(" ")[0] in _ORDERED
    except (OSError, IndexError):
        return False
    return False
