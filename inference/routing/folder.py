"""DICOM files of a folder as studies, to try rules and models on: nothing is de-identified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed, NotFound
from inference.routing.header import UNREADABLE, read_entry
from inference.routing.router import Router

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.domain.run import RoutingDecision
    from inference.registry import ModelRegistry
    from inference.routing.rule import Route


@dataclass(frozen=True, slots=True)
class FolderStudy:
    """`ports.StudyInput` over the DICOM files of a folder, as they are (nothing is de-identified)."""

    study_instance_uid: str
    version: int
    instances: tuple[CatalogEntry, ...]
    senders: frozenset[str] = frozenset()

    def read(self, sop_instance_uid: str) -> bytes:
        """Part 10 bytes of one instance.

        Raises
        ------
        NotFound
        """
        for entry in self.instances:
            if entry.sop_instance_uid == sop_instance_uid:
                return Path(entry.ref).read_bytes()
        raise NotFound("the folder holds no such instance")


def read_folder(folder: Path) -> FolderStudy:
    """The DICOM files below a folder as one study; other files are passed over.

    Raises
    ------
    InferenceFailed
        If there is none.
    """
    entries = _entries(folder)
    return FolderStudy(entries[0].study_instance_uid, 1, entries)


def read_studies(folder: Path) -> tuple[FolderStudy, ...]:
    """The DICOM files below a folder by study, in the order of their first files.

    Raises
    ------
    InferenceFailed
        If there is none.
    """
    studies: dict[str, list[CatalogEntry]] = {}
    for entry in _entries(folder):
        studies.setdefault(entry.study_instance_uid, []).append(entry)
    return tuple(FolderStudy(uid, 1, tuple(entries)) for uid, entries in studies.items())


def explain_folder(
    registry: ModelRegistry, routes: Sequence[Route], folder: Path, study: FolderStudy | None = None
) -> RoutingDecision:
    """What the router would decide for the files of a folder, taken as one study."""
    return Router(registry, routes).route(study or read_folder(folder))


def _entries(folder: Path) -> tuple[CatalogEntry, ...]:
    entries: dict[str, CatalogEntry] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            entry = read_entry(path, str(path))
        except UNREADABLE:
            continue
        # The node keeps one copy of an instance too.
        entries.setdefault(entry.sop_instance_uid, entry)
    if not entries:
        raise InferenceFailed(f"{folder}: holds no DICOM files")
    return tuple(entries.values())
