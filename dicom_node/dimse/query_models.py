"""Information models of query and retrieve, and what can be negotiated for them.

References
----------
PS3.4 §C.6 (SOP Classes and their levels), §C.5 (extended negotiation).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import build_context
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    PatientStudyOnlyQueryRetrieveInformationModelFind,
    PatientStudyOnlyQueryRetrieveInformationModelGet,
    PatientStudyOnlyQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_node.domain.catalog import QueryLevel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pynetdicom.presentation import PresentationContext


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052), highest first."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"

    @property
    def depth(self) -> int:
        """0 for a patient, 3 for an image."""
        return tuple(Level).index(self)

    @property
    def unique_key(self) -> str:
        """Its unique key, as a tag."""
        return ("00100020", "0020000D", "0020000E", "00080018")[self.depth]

    @property
    def catalog(self) -> QueryLevel:
        """The level that the catalogue is asked for; patients are found through their studies."""
        return tuple(QueryLevel)[max(0, self.depth - 1)]


class Operation(StrEnum):
    """What is done with a model."""

    FIND = "C-FIND"
    GET = "C-GET"
    MOVE = "C-MOVE"


@dataclass(frozen=True, slots=True)
class InformationModel:
    """An information model with the levels that it has."""

    name: str
    operation: Operation
    levels: tuple[Level, ...]


_PATIENT_ROOT: Final = tuple(Level)
_STUDY_ROOT: Final = tuple(Level)[1:]
_PATIENT_STUDY_ONLY: Final = tuple(Level)[:2]

#: By SOP Class UID.
MODELS: Final[dict[str, InformationModel]] = {
    str(uid): InformationModel(name, operation, levels)
    for name, levels, uids in (
        (
            "Patient Root",
            _PATIENT_ROOT,
            (
                PatientRootQueryRetrieveInformationModelFind,
                PatientRootQueryRetrieveInformationModelGet,
                PatientRootQueryRetrieveInformationModelMove,
            ),
        ),
        (
            "Study Root",
            _STUDY_ROOT,
            (
                StudyRootQueryRetrieveInformationModelFind,
                StudyRootQueryRetrieveInformationModelGet,
                StudyRootQueryRetrieveInformationModelMove,
            ),
        ),
        (
            "Patient/Study Only",
            _PATIENT_STUDY_ONLY,
            (
                PatientStudyOnlyQueryRetrieveInformationModelFind,
                PatientStudyOnlyQueryRetrieveInformationModelGet,
                PatientStudyOnlyQueryRetrieveInformationModelMove,
            ),
        ),
    )
    for operation, uid in zip((Operation.FIND, Operation.GET, Operation.MOVE), uids, strict=True)
}

#: Byte by byte what is supported: relational queries, combined date and time, fuzzy matching of names,
#: time zone adjustment, enhanced multi-frame conversion, empty value and multiple value matching; of
#: retrieval relational retrieval and the conversion (PS3.4 Tables C.5-2 and C.5-4).
SUPPORTED: Final[dict[Operation, bytes]] = {
    Operation.FIND: bytes((1, 1, 1, 1, 0, 1, 1)),
    Operation.GET: bytes((1, 0)),
    Operation.MOVE: bytes((1, 0)),
}
#: Of identifiers.
TRANSFER_SYNTAXES: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What was negotiated for queries beyond the baseline."""

    relational: bool = False
    date_time: bool = False
    fuzzy: bool = False
    time_zone: bool = False
    empty: bool = False
    multiple: bool = False


def negotiate(operation: Operation, proposed: bytes) -> bytes:
    """The answer to an extended negotiation: what is proposed and supported, as many bytes as are known.

    References
    ----------
    PS3.4 §C.5.1.1.2, §C.5.2.1.2 and §C.5.3.1.2.
    """
    pairs = zip(proposed, SUPPORTED[operation], strict=False)
    return bytes(int(wanted == 1 and supported) for wanted, supported in pairs)


def agree(sop_class_uid: str, proposed: bytes, operations: frozenset[Operation]) -> bytes | None:
    """The answer of a service that offers these operations; see `service.DimseService.extended`."""
    model = MODELS.get(sop_class_uid)
    if model is None or model.operation not in operations:
        return None
    return negotiate(model.operation, proposed)


def options(operation: Operation, proposed: bytes) -> Options:
    """What an extended negotiation came to; nothing proposed is the baseline."""
    agreed = [bool(one) for one in negotiate(operation, proposed).ljust(7, b"\0")]
    return Options(agreed[0], agreed[1], agreed[2], agreed[3], agreed[5], agreed[6])


def contexts(
    proposed: Iterable[PresentationContext], operations: frozenset[Operation]
) -> list[PresentationContext]:
    """The contexts to accept for these operations; the peer's order of transfer syntaxes decides.

    Deflated comes last: answers are short.
    """
    by_class: dict[str, list[str]] = {}
    for context in proposed:
        sop_class = str(context.abstract_syntax)
        model = MODELS.get(sop_class)
        if model is not None and model.operation in operations:
            taken = by_class.setdefault(sop_class, [])
            taken += [
                s for s in map(str, context.transfer_syntax) if s in TRANSFER_SYNTAXES and s not in taken
            ]
    return [
        build_context(sop_class, sorted(taken, key=lambda s: s == DeflatedExplicitVRLittleEndian))
        for sop_class, taken in by_class.items()
        if taken
    ]
