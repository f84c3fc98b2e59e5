"""The disk watermark: warn, then refuse to take in while something is still free, and recover by itself."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import OutOfResources, StorageFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dicom_node.storage.reserved_room import ReservedRoom

log = structlog.get_logger(__name__)

#: A look costs microseconds, but for a disk that lies behind a network.
_CACHE_S = 0.1
#: A level is left when a tenth more is free than made it: else each purge and each instance would turn it.
_HYSTERESIS = 10
_MIB = 20


class Level(IntEnum):
    """How full a volume is."""

    GOOD = 0
    LOW = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """Where the levels begin; 0 switches a limit off.

    Attributes
    ----------
    min_free_bytes, min_free_files
        Below it, instances are refused. Files count as inodes do.
    warn_free_bytes
        Below it, people are told.
    """

    min_free_bytes: int
    warn_free_bytes: int = 0
    min_free_files: int = 0


@dataclass(frozen=True, slots=True)
class DiskState:
    """A volume, as it was found; `free_files` is `None` where the file system does not count them."""

    free_bytes: int
    free_files: int | None
    level: Level


class _Unshared:
    """`ReservedRoom` for one process."""

    def __init__(self) -> None:
        self._total = 0
        self._levels: dict[int, int] = {}
        self._guard = threading.Lock()

    def add(self, count: int) -> None:
        with self._guard:
            self._total += count

    def total(self) -> int:
        return self._total

    def level(self, volume: int) -> int:
        return self._levels.get(volume, Level.GOOD)

    def set_level(self, volume: int, level: int) -> None:
        self._levels[volume] = level


class DiskWatermark:
    """`ports.Watermark` over the free space and the free inodes of one or more file systems.

    Every process looks for itself; what is on its way to the disk, and how full it was found, they share
    through `room`. So many large instances that come in at once cannot together fill what each saw free.

    Parameters
    ----------
    folder
        Any folder on the first volume, named `data`: where instances go.
    limits
        A number stands for `DiskLimits(min_free_bytes)`.
    beside
        Folders of other volumes by name. One on the same file system as another is left out.
    room
        Shared by the processes of a node; `None` where there is one process.
    """

    def __init__(
        self,
        folder: Path,
        limits: DiskLimits | int,
        *,
        beside: Mapping[str, Path] | None = None,
        room: ReservedRoom | None = None,
    ) -> None:
        self._limits = DiskLimits(limits) if isinstance(limits, int) else limits
        self._folders = _on_different_disks({"data": folder, **(beside or {})})
        self._room = room or _Unshared()
        self._looked_at = float("-inf")
        self._found: dict[str, DiskState] = {}

    def look(self) -> dict[str, DiskState]:
        """The volumes by name, looked at now; tells people where a level changed.

        Raises
        ------
        StorageFailure
            If a file system does not answer.
        """
        found = {}
        for name, (number, folder) in self._folders.items():
            try:
                facts = os.statvfs(folder)
            except OSError as exc:
                raise StorageFailure(
                    f"the {name} folder does not answer ({exc.strerror}); check that its disk is mounted"
                ) from exc
            free_bytes = facts.f_bavail * facts.f_frsize
            free_files = facts.f_favail if facts.f_files else None
            before = Level(self._room.level(number))
            level = self._level(free_bytes, free_files, before)
            if level is not before:
                self._room.set_level(number, level)
                _tell(name, level, free_bytes, free_files)
            found[name] = DiskState(free_bytes, free_files, level)
        self._found = found
        self._looked_at = time.monotonic()
        return found

    def free_bytes(self) -> int:
        """Bytes free on the first volume for the node's user, at most a tenth of a second old.

        Raises
        ------
        StorageFailure
            If the file system does not answer.
        """
        return self._states()["data"].free_bytes

    def check(self) -> None:
        """See `ports.Watermark.check`."""
        for name, state in self._states().items():
            if state.level is Level.FULL:
                raise OutOfResources(self._why(name, state))

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """See `ports.Watermark.reserve`."""
        self.check()
        if not self._limits.min_free_bytes:
            yield
            return
        self._room.add(size)
        try:
            free = self._states()["data"].free_bytes
            if free - self._room.total() < self._limits.min_free_bytes:
                raise OutOfResources(
                    f"{free >> _MIB} MiB are free, too few for what is being received"
                    f" ({self._limits.min_free_bytes >> _MIB} MiB must stay free: node.min_free_mb);"
                    " free disk space, or send it again later"
                )
            yield
        finally:
            self._room.add(-size)

    def note(self) -> str | None:
        """What to tell people about the disks, or `None` while all is good."""
        try:
            notes = [self._why(name, state) for name, state in self._states().items() if state.level]
        except StorageFailure as exc:
            return str(exc)
        return "; ".join(notes) or None

    def _states(self) -> dict[str, DiskState]:
        # Near the floor every look counts; far from it, a busy node need not look for each instance.
        near = any(
            state.level or state.free_bytes < 2 * self._limits.min_free_bytes + self._room.total()
            for state in self._found.values()
        )
        if near or time.monotonic() - self._looked_at >= _CACHE_S:
            return self.look()
        return self._found

    def _level(self, free_bytes: int, free_files: int | None, before: Level) -> Level:
        def below(free: int, limit: int, level: Level) -> bool:
            return free < (_until(limit) if before >= level else limit)

        limits = self._limits
        if below(free_bytes, limits.min_free_bytes, Level.FULL):
            return Level.FULL
        if free_files is not None and below(free_files, limits.min_free_files, Level.FULL):
            return Level.FULL
        return Level.LOW if below(free_bytes, limits.warn_free_bytes, Level.LOW) else Level.GOOD

    def _why(self, name: str, state: DiskState) -> str:
        limits = self._limits
        text = f"{state.free_bytes >> _MIB} MiB are free on the {name} disk"
        if state.level is Level.LOW:
            return f"{text}, instances are refused below {limits.min_free_bytes >> _MIB} (node.min_free_mb)"
        if state.free_files is not None and state.free_files < _until(limits.min_free_files):
            return (
                f"{state.free_files} more files fit on the {name} disk, {limits.min_free_files} must"
                " (node.min_free_files); remove files, or wait for purges"
            )
        return (
            f"{text}, {limits.min_free_bytes >> _MIB} MiB must stay free (node.min_free_mb);"
            " free disk space, or wait for purges"
        )


def _until(limit: int) -> int:
    return limit + limit // _HYSTERESIS


def _on_different_disks(folders: Mapping[str, Path]) -> dict[str, tuple[int, Path]]:
    """Numbers and folders by name; the same name has the same number in all processes."""
    seen: set[int] = set()
    kept = {}
    for number, (name, folder) in enumerate(folders.items()):
        try:
            device = os.stat(folder).st_dev  # noqa: PTH116  the number of the file system is all that is needed
        except OSError:
            kept[name] = number, folder  # `look` says what is wrong
            continue
        if device not in seen:
            seen.add(device)
            kept[name] = number, folder
    return kept


def _tell(name: str, level: Level, free_bytes: int, free_files: int | None) -> None:
    facts = {"name": name, "bytes": free_bytes, "count": free_files}
    if level is Level.GOOD:
        log.info("disk.good", **facts)
    elif level is Level.LOW:
        log.warning("disk.low", **facts)
    else:
        log.error("disk.full", **facts)
