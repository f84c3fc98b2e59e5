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

    @property
    def depth(self) -> int:
        """0 for a study, 1 for a series, 2 for an instance."""
        return tuple(QueryLevel).index(self)


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
        Path to the raw match value as sent: wildcards, ranges and lists unresolved. A path is a tag (8
        upper-case hexadecimal digits), or those of sequences around it and its own, joined by ".". Each
        first tag is of this level or one above. A private tag goes with its Private Creator's tag.
    fuzzy
        Person names match by folded words and by sound (PS3.18 §8.3.4.2).
    empty_matching
        Two quotation marks match an attribute that is absent or empty (PS3.18 §8.3.4.5).
    multiple_matching
        A list matches where each of its values is one of the attribute's (PS3.18 §8.3.4.6).
    combined_date_time
        Ranges of a date and of the time that goes with it are one range of moments. C-FIND asks for it, or
        not (PS3.4 §C.2.2.2.5); QIDO-RS always does.
    attributes
        Tags that rows must have where they are known; more may be there. `None`: all.
    limit, offset
        Page of a stable order: study date and Study Instance UID descending, then Series and SOP
        Instance UID.
    """

    level: QueryLevel
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    matches: dict[str, str] = field(default_factory=dict)
    fuzzy: bool = False
    empty_matching: bool = False
    multiple_matching: bool = False
    combined_date_time: bool = True
    attributes: frozenset[str] | None = None
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """A page of matches as DICOM JSON objects, with all attributes of their level, and the total.

    Study rows also hold ModalitiesInStudy (0008,0061), SOPClassesInStudy (0008,0062),
    NumberOfStudyRelatedSeries (0020,1206) and NumberOfStudyRelatedInstances (0020,1208); series rows
    NumberOfSeriesRelatedInstances (0020,1209). Lower rows hold what stands above them.

    Attributes
    ----------
    uncompared
        Objects left out because a key's value is too long for the catalogue to hold.
    """

    rows: tuple[dict[str, Any], ...]
    total: int
    uncompared: int = 0
