"""Result objects: DICOM instances that the node makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ResultKind(StrEnum):
    """What kind of object a result is."""

    SR = "SR"
    SEG = "SEG"
    SC = "SC"
    PMAP = "PMAP"
    PDF = "PDF"
    #: Key Object Selection.
    KOS = "KOS"
    #: Grayscale Softcopy Presentation State.
    PR = "PR"
    RTSTRUCT = "RTSTRUCT"


@dataclass(frozen=True, slots=True)
class ResultEntry:
    """A result object as index and API name it (pseudonymous study, the result's own UIDs)."""

    kind: ResultKind
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    version: int = 1
    ref: str = ""
    model: str = ""
    model_version: str = ""


@dataclass(frozen=True, slots=True)
class EncodedResult:
    """A result object with its Part 10 bytes, pseudonymous identity, and the model that it comes from."""

    kind: ResultKind
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    data: bytes
    model: str = ""
    model_version: str = ""
