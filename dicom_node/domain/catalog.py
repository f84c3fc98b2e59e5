"""What DICOMweb can find: de-identified inputs until their purge, and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class QueryLevel(StrEnum):
    """QIDO-RS levels (PS3.18 §10.6.1)."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class CatalogKind(StrEnum):
    """Whether an instance came in or was made here."""

    SOURCE = "source"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One instance that DICOMweb serves, pseudonymous throughout.

    Attributes
    ----------
    ref
        Where its Part 10 bytes lie: `work:...` or `results:...`.
    attributes
        Its searchable attributes as DICOM JSON by tag (no bulk data): everything of the data set but
        pixel data and values over 1 KiB.
    version
        The run version that made it; results of older versions are not listed.
    """

    study_id: str
    kind: CatalogKind
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    ref: str
    attributes: dict[str, Any]
    version: int = 1


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """A search (PS3.18 §8.3.4).

    Attributes
    ----------
    matches
        Tag (8 upper-case hexadecimal digits; two joined by "." for a sequence item's attribute) to
        the raw match value as sent: wildcards, ranges and lists unresolved.
    limit, offset
        Page of a stable order (study date descending, then UIDs).
    """

    level: QueryLevel
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    matches: dict[str, str] = field(default_factory=dict)
    fuzzy: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """A page of matches as DICOM JSON objects, with all attributes of their level, and the total.

    Study rows also hold ModalitiesInStudy (0008,0061), NumberOfStudyRelatedSeries (0020,1206) and
    NumberOfStudyRelatedInstances (0020,1208); series rows NumberOfSeriesRelatedInstances (0020,1209).
    """

    rows: tuple[dict[str, Any], ...]
    total: int
