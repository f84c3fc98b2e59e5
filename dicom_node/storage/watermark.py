"""The disk watermark: refuse to take in while something is still free."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dicom_node.domain.errors import OutOfResources, StorageFailure

if TYPE_CHECKING:
    from pathlib import Path

_CACHE_S = 0.5


class DiskWatermark:
    """`ports.Watermark` over the free space of a file system.

    Parameters
    ----------
    folder
        Any folder on it.
    min_free_bytes
        Below so many bytes free, `check` raises.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free = min_free_bytes
        self._looked_at = float("-inf")
        self._free = 0

    def free_bytes(self) -> int:
        """Bytes free for the node's user, at most half a second old.

        Raises
        ------
        StorageFailure
            If the file system does not answer.
        """
        now = time.monotonic()
        if now - self._looked_at >= _CACHE_S:
            try:
                facts = os.statvfs(self._folder)
            except OSError as exc:
                raise StorageFailure(
                    f"the data folder does not answer ({exc.strerror}); check that its disk is mounted"
                ) from exc
            self._free = facts.f_bavail * facts.f_frsize
            self._looked_at = now
        return self._free

    def check(self) -> None:
        """See `ports.Watermark.check`."""
        free = self.free_bytes()
        if free < self._min_free:
            raise OutOfResources(
                f"{free >> 20} MiB are free, {self._min_free >> 20} MiB must stay free (node.min_free_mb);"
                " free disk space, or wait for purges"
            )
