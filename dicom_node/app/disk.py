"""The watermark over the disks of a node, the same in each of its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import StorageFailure
from dicom_node.index.location import sqlite_folder
from dicom_node.storage.reserved_room import ReservedRoom
from dicom_node.storage.watermark import DiskLimits, DiskWatermark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dicom_node.observability.metrics import PrometheusMetrics
    from dicom_node.settings import Settings
    from dicom_node.storage.watermark import DiskState

log = structlog.get_logger(__name__)

#: In `data_dir`: shared by the node's processes while they run.
_ROOM = "reserved-room"


def open_watermark(settings: Settings) -> DiskWatermark:
    """The watermark; call it in each process that takes instances in.

    The disks are those of `data_dir`, of the folders in it (which may be mount points of their own) and of
    a SQLite database elsewhere.

    """
    node = settings.node
    room: ReservedRoom | None = None
    try:
        room = ReservedRoom(node.data_dir / _ROOM)
    except OSError as exc:
        # A file system without locks: then each process counts for itself.
        log.warning("disk.counted-alone", reason=exc.strerror or str(exc))
    min_free = node.min_free_mb << 20
    warn_free = 4 * min_free if node.warn_free_mb is None else node.warn_free_mb << 20
    folders = {name: node.data_dir / name for name in ("spool", "work", "results", "keys", "quarantine")}
    database = sqlite_folder(settings.database_url)
    if database is not None:
        folders["database"] = database
    # What is not there yet will lie on the disk of the folder around it.
    beside = {name: _nearest(folder) for name, folder in folders.items()}
    return DiskWatermark(
        node.data_dir, DiskLimits(min_free, warn_free, node.min_free_files), beside=beside, room=room
    )


def _nearest(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.exists()), folder)


def watch_disks(metrics: PrometheusMetrics, watermark: DiskWatermark) -> None:
    """Show the disks in the metrics."""

    def gauge(name: str, text: str, value: Callable[[DiskState], int | None]) -> None:
        def read() -> dict[str, int]:
            try:
                found = watermark.look()
            except StorageFailure:  # readiness says so; a scrape must not fail with it
                return {}
            return {disk: number for disk, state in found.items() if (number := value(state)) is not None}

        metrics.watch(name, text, read, "disk")

    gauge("disk_free_bytes", "Bytes free on a disk of the node", lambda state: state.free_bytes)
    gauge("disk_free_files", "Files that fit on a disk of the node (inodes)", lambda state: state.free_files)
    gauge("disk_level", "0 good, 1 low, 2 instances are refused", lambda state: int(state.level))
