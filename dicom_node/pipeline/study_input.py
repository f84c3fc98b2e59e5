"""The de-identified instances of a study, read from the catalogue and the work area."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.pipeline.services import Services


@dataclass(frozen=True)
class WorkAreaStudy:
    """`ports.StudyInput` over the work area."""

    study_instance_uid: str
    version: int
    instances: Sequence[CatalogEntry]
    reader: Callable[[str], bytes]
    senders: frozenset[str] = frozenset()

    def read(self, sop_instance_uid: str) -> bytes:
        """Part 10 bytes of one instance.

        Raises
        ------
        NotFound
            If the study holds no such instance.
        """
        try:
            ref = self._refs[sop_instance_uid]
        except KeyError:
            raise NotFound("the study holds no such instance in its work area") from None
        return self.reader(ref)

    @cached_property
    def _refs(self) -> dict[str, str]:
        return {entry.sop_instance_uid: entry.ref for entry in self.instances}


def study_input(services: Services, study_id: str, version: int) -> WorkAreaStudy:
    """The input of a run: what de-identification left in the catalogue for this study."""
    study = services.index.study(study_id)
    entries = tuple(
        entry
        for entry in services.catalog.find(study.study_instance_uid)
        if entry.kind is CatalogKind.SOURCE and entry.study_id == study_id
    )
    return WorkAreaStudy(study.study_instance_uid, version, entries, services.stores.read)
