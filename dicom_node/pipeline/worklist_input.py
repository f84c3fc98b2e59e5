"""What a work item wants analysed, and whether it is here.

References
----------
PS3.3 Table 10-3b (Referenced Instances and Access Macro), PS3.4 §CC.2.5 (Input Information Sequence).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain import workitem as ups
from dicom_node.domain.study import ENDED, StudyState
from dicom_node.domain.workitem import first, items
from dicom_node.domain.workitem_checks import is_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.domain.study import StudyRecord
    from dicom_node.domain.workitem import Model, Workitem
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.studies import StudyIndex

_REFERENCED_SOPS, _SOP_INSTANCE = "00081199", "00081155"
_DICOM_RETRIEVAL, _RETRIEVE_AE = "0040E021", "00080054"
_WADO_RS_RETRIEVAL, _RETRIEVE_URL = "0040E025", "00081190"


@dataclass(frozen=True, slots=True)
class InputReference:
    """One study that a work item names, as it was sent: identity.

    Attributes
    ----------
    instances
        SOP Instance UIDs; empty where the whole study is meant.
    urls, ae_titles
        Where it can be had from.
    """

    study_instance_uid: str
    instances: frozenset[str]
    urls: tuple[str, ...] = ()
    ae_titles: tuple[str, ...] = ()


def references(model: Model) -> list[InputReference]:
    """The studies of the Input Information Sequence; without one, that of the Study Instance UID."""
    found: dict[str, InputReference] = {}
    for item in items(model, ups.INPUT_INFORMATION):
        study = str(first(item, ups.STUDY_INSTANCE_UID) or "")
        if is_uid(study):
            known = found.get(study, InputReference(study, frozenset()))
            found[study] = InputReference(
                study,
                known.instances | set(_texts(item, _REFERENCED_SOPS, _SOP_INSTANCE)),
                (*known.urls, *_texts(item, _WADO_RS_RETRIEVAL, _RETRIEVE_URL)),
                (*known.ae_titles, *_texts(item, _DICOM_RETRIEVAL, _RETRIEVE_AE)),
            )
    suggested = str(first(model, ups.STUDY_INSTANCE_UID) or "")
    if not found and suggested:
        return [InputReference(suggested, frozenset())]
    return list(found.values())


class InputFinder:
    """Looks for the input of work items in the index.

    Work items name what the orderer knows: original UIDs, or the node's own from its DICOMweb.
    """

    def __init__(self, index: StudyIndex, pseudonymizer: Pseudonymizer) -> None:
        self._index = index
        self._pseudonymizer = pseudonymizer

    def study(self, reference: InputReference) -> StudyRecord | None:
        """The study, in whatever state."""
        original = reference.study_instance_uid
        for uid in (self._pseudonymizer.uid(original), original):
            found, _ = self._index.studies(study_instance_uid=uid, limit=1)
            if found:
                return found[0]
        return None

    def available(self, item: Workitem, reference: InputReference, study: StudyRecord | None) -> bool:
        """Whether the analysis can begin, or has.

        A study that is still received can where every instance that the work item lists is here; without
        a list, or where the node fetches it itself, the end of receiving decides. One that has ended
        answers a work item that was there before its end, or while its input is; after the purge it must
        be sent again.
        """
        if study is None:
            return False
        if study.state is StudyState.RECEIVING:
            wanted = frozenset() if item.asked else reference.instances
            return bool(wanted) and study.received_instances >= len(wanted) and self._all_here(wanted)
        if study.state in ENDED:
            return study.purged_at is None or (
                study.ended_at is not None and item.created_at <= study.ended_at
            )
        return True

    def _all_here(self, instances: frozenset[str]) -> bool:
        return all(
            self._index.find_source(self._pseudonymizer.uid(uid)) is not None
            or self._index.find_source(uid) is not None
            for uid in instances
        )


def _texts(model: Model, sequence: str, tag: str) -> Iterator[str]:
    for item in items(model, sequence):
        value = first(item, tag)
        if value:
            yield str(value)
