"""QIDO-RS query parameters: which there are, and how they are read.

References
----------
PS3.18 §8.3.4 (query parameters), §10.6.1.2 and Table 10.6.1-5 (match parameters of each level).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dicom_node.domain.catalog import CatalogQuery, QueryLevel
from dicomweb.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Rows in one response where the client sets no limit, or a larger one.
MAX_ROWS = 5000
_MAX_OFFSET = 10**9

_STUDY_KEYS = (
    "StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName PatientName PatientID"
    " PatientBirthDate PatientSex StudyInstanceUID StudyID StudyDescription"
)
_SERIES_KEYS = (
    "Modality SeriesInstanceUID SeriesNumber SeriesDescription SeriesDate SeriesTime BodyPartExamined"
    " PerformedProcedureStepStartDate PerformedProcedureStepStartTime"
)
_INSTANCE_KEYS = "SOPClassUID SOPInstanceUID InstanceNumber"
_REQUEST_KEYS = ("ScheduledProcedureStepID", "RequestedProcedureID")
_LEVELS = (QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.INSTANCE)
_HEX = re.compile(r"[0-9A-Fa-f]{8}")


def _tag(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return f"{tag:08X}"


def _key_levels() -> dict[str, QueryLevel]:
    levels = {_tag(keyword): QueryLevel.STUDY for keyword in _STUDY_KEYS.split()}
    levels |= {_tag(keyword): QueryLevel.SERIES for keyword in _SERIES_KEYS.split()}
    request = _tag("RequestAttributesSequence")
    levels |= {f"{request}.{_tag(keyword)}": QueryLevel.SERIES for keyword in _REQUEST_KEYS}
    levels |= {_tag(keyword): QueryLevel.INSTANCE for keyword in _INSTANCE_KEYS.split()}
    return levels


#: The attributes that can be matched, by tag path, with the level that they belong to.
MATCH_KEYS = _key_levels()


@dataclass(frozen=True, slots=True)
class Search:
    """A search request, read.

    Attributes
    ----------
    include
        Tags (of whole sequences, where a path names an item's attribute) that shall be returned besides
        the defaults; `None` stands for all.
    fuzzy, empty_matching, multiple_matching
        What the client asked for.
    """

    query: CatalogQuery
    include: frozenset[str] | None
    fuzzy: bool = False
    empty_matching: bool = False
    multiple_matching: bool = False


def parse_search(
    level: QueryLevel,
    params: Iterable[tuple[str, str]],
    study: str | None = None,
    series: str | None = None,
) -> Search:
    """Read decoded query parameters.

    Raises
    ------
    Problem
        400 naming the parameter that is unknown, repeated, or malformed.
    """
    matches: dict[str, str] = {}
    include: set[str] = set()
    everything = False
    options: dict[str, str] = {}
    for name, value in params:
        if name == "includefield":
            fields = [field.strip() for field in value.split(",") if field.strip()]
            everything = everything or "all" in fields
            include |= {_tag_path(field).split(".")[0] for field in fields if field != "all"}
        elif name in _OPTIONS:
            if options.setdefault(name, value) != value:
                raise bad_request(f"{name} is given twice; give it once")
        elif name != "accept":
            _add_match(matches, include, level, name, value)
    limit = min(_integer("limit", options, MAX_ROWS), MAX_ROWS)
    query = CatalogQuery(
        level=level,
        study_instance_uid=study,
        series_instance_uid=series,
        matches=matches,
        fuzzy=_flag("fuzzymatching", options),
        limit=limit,
        offset=min(_integer("offset", options, 0), _MAX_OFFSET),
    )
    return Search(
        query,
        None if everything else frozenset(include),
        fuzzy=query.fuzzy,
        empty_matching=_flag("emptyvaluematching", options),
        multiple_matching=_flag("multiplevaluematching", options),
    )


_OPTIONS = frozenset({"limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching"})


def _add_match(matches: dict[str, str], include: set[str], level: QueryLevel, name: str, value: str) -> None:
    path = _tag_path(name)
    key_level = MATCH_KEYS.get(path)
    if key_level is None:
        raise bad_request(f"{_shown(name)} cannot be searched for; the keys are in the conformance statement")
    if _LEVELS.index(key_level) > _LEVELS.index(level):
        raise bad_request(
            f"{_shown(name)} belongs to the {key_level} level; search /{_RESOURCES[key_level]} for it"
        )
    if any(ord(character) < 0x20 and character not in "\t\n\r\f" for character in value):
        raise bad_request(f"the value of {_shown(name)} has control characters")
    include.add(path.split(".")[0])
    if not value:
        return  # universal matching: the attribute is returned, nothing is filtered
    if path in matches and matches[path] != value:
        if dictionary_VR(int(path.split(".")[-1], 16)) != "UI":
            raise bad_request(f"{_shown(name)} is given twice; only UIDs may be given as a list")
        value = f"{matches[path]},{value}"
    matches[path] = value


_RESOURCES = {QueryLevel.STUDY: "studies", QueryLevel.SERIES: "series", QueryLevel.INSTANCE: "instances"}


def _tag_path(name: str) -> str:
    """The tag path of a keyword, a hexadecimal tag, or two of them joined by a dot.

    Raises
    ------
    Problem
        400 if the dictionary does not know it.
    """
    tags = []
    for piece in name.split("."):
        tag = int(piece, 16) if _HEX.fullmatch(piece) else tag_for_keyword(piece)
        if tag is None or not (keyword_for_tag(tag) or tag >> 16 & 1):
            raise bad_request(f"{_shown(name)} is no query parameter and no DICOM attribute")
        tags.append(f"{tag:08X}")
    if len(tags) > 2:
        raise bad_request(f"{_shown(name)}: at most one sequence and one attribute of its items")
    return ".".join(tags)


def _integer(name: str, options: dict[str, str], default: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_request(f"{name} is an integer from 0")
    return int(text)


def _flag(name: str, options: dict[str, str]) -> bool:
    text = options.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise bad_request(f"{name} is true or false")
    return text == "true"


def _shown(name: str) -> str:
    return f"{name[:64]!r}"
