"""QIDO-RS query parameters: which there are, and how they are read.

References
----------
PS3.18 §8.3.4 (query parameters), §10.6.1.2 and Table 10.6.1-5 (match parameters of each level).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dicom_node.domain.attribute_levels import level_of
from dicom_node.domain.catalog import CatalogQuery, QueryLevel
from dicomweb.errors import bad_request
from dicomweb.qido.encoding import asked_for
from dicomweb.qido.fields import Fields, Search

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Rows in one response where the client sets no limit, or a larger one.
MAX_ROWS = 5000
_MAX_OFFSET = 10**9
_MAX_DEPTH = 16
_MAX_KEYS = 100
#: Attributes that every search must match (Table 10.6.1-5); any other of the level or above may be a key.
MATCH_KEYS: Final[dict[QueryLevel, tuple[str, ...]]] = {
    QueryLevel.STUDY: (
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "StudyID",
    ),
    QueryLevel.SERIES: (
        "Modality",
        "SeriesInstanceUID",
        "SeriesNumber",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.RequestedProcedureID",
    ),
    QueryLevel.INSTANCE: ("SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
}
_OPTIONS = frozenset({"limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching"})
_RESOURCES = {QueryLevel.STUDY: "studies", QueryLevel.SERIES: "series", QueryLevel.INSTANCE: "instances"}
_HEX = re.compile(r"[0-9A-Fa-f]{8}")


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
    fields = Fields()
    options: dict[str, str] = {}
    for name, value in params:
        if name == "includefield":
            for field in filter(None, (piece.strip() for piece in value.split(","))):
                if field == "all":
                    fields.everything = True
                else:
                    fields.add(tag_path(field))
        elif name in _OPTIONS:
            if options.setdefault(name, value) != value:
                raise bad_request(f"{name} is given twice; give it once")
        elif name != "accept":
            _add_match(matches, fields, level, name, value)
    if len(matches) > _MAX_KEYS:
        raise bad_request(f"at most {_MAX_KEYS} attributes can be searched for at a time")
    fields.creators = _creators(matches)
    query = CatalogQuery(
        level=level,
        study_instance_uid=study,
        series_instance_uid=series,
        matches=_filtering(matches, fields),
        fuzzy=flag_option("fuzzymatching", options),
        empty_matching=flag_option("emptyvaluematching", options),
        multiple_matching=flag_option("multiplevaluematching", options),
        attributes=asked_for(level, fields, across_studies=study is None, across_series=series is None),
        limit=min(integer_option("limit", options, MAX_ROWS), MAX_ROWS),
        offset=min(integer_option("offset", options, 0), _MAX_OFFSET),
    )
    return Search(query, fields)


def tag_path(name: str) -> str:
    """The tag path of a keyword, a hexadecimal tag, or several of them joined by dots.

    Raises
    ------
    Problem
        400 if the dictionary does not know it.
    """
    tags = []
    pieces = name.split(".")
    if len(pieces) > _MAX_DEPTH:
        raise bad_request(f"{shown(name)}: at most {_MAX_DEPTH - 1} sequences around an attribute")
    for piece in pieces:
        tag = int(piece, 16) if _HEX.fullmatch(piece) else tag_for_keyword(piece)
        if tag is None or not (keyword_for_tag(tag) or tag >> 16 & 1):
            raise bad_request(f"{shown(name)} is no query parameter and no DICOM attribute")
        tags.append(f"{tag:08X}")
    if any(_known_vr(tag) not in {"SQ", None} for tag in tags[:-1]):
        raise bad_request(f"{shown(name)}: only a sequence has attributes within")
    return ".".join(tags)


def _add_match(matches: dict[str, str], fields: Fields, level: QueryLevel, name: str, value: str) -> None:
    path = tag_path(name)
    first, last = path[:8], path[-8:]
    if path.startswith(("0000", "0002")):
        raise bad_request(f"{shown(name)} is no attribute of a data set")
    key_level = level_of(first)
    if key_level.depth > level.depth:
        raise bad_request(
            f"{shown(name)} belongs to the {key_level} level; search /{_RESOURCES[key_level]} for it"
        )
    if any(ord(character) < 0x20 and character not in "\t\n\r\f" for character in value):
        raise bad_request(f"the value of {shown(name)} has control characters")
    fields.add(path)
    if path in matches and matches[path] != value and value and matches[path]:
        if _known_vr(last) != "UI":
            raise bad_request(f"{shown(name)} is given twice; only UIDs may be given as a list")
        value = f"{matches[path]},{value}"
    matches[path] = value or matches.get(path, "")


def _known_vr(tag: str) -> str | None:
    """The dictionary's VR; `None` for a private attribute."""
    return dictionary_VR(int(tag, 16)) if keyword_for_tag(int(tag, 16)) else None


def _creators(matches: dict[str, str]) -> dict[str, str]:
    """Private Creators among the keys, by tag."""
    return {
        tag: value.strip()
        for tag, value in matches.items()
        if len(tag) == 8 and int(tag[:4], 16) % 2 and tag[4:6] == "00" and tag[6:] >= "10"
    }


def _filtering(matches: dict[str, str], fields: Fields) -> dict[str, str]:
    """The keys without Private Creators that only say whose attributes are to be returned."""
    matched = {tag[:6] for tag in matches if tag not in fields.creators}
    naming = {
        tag
        for tag in fields.creators
        if tag[:4] + tag[6:] not in matched and fields.names_block(tag[:4] + tag[6:])
    }
    return {tag: value for tag, value in matches.items() if tag not in naming}


def integer_option(name: str, options: dict[str, str], default: int) -> int:
    """An option's number, from 0.

    Raises
    ------
    Problem
        400 if it is none.
    """
    text = options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_request(f"{name} is an integer from 0")
    return int(text)


def flag_option(name: str, options: dict[str, str]) -> bool:
    """Whether an option is `true`; `False` where it is not given.

    Raises
    ------
    Problem
        400 if it is neither `true` nor `false`.
    """
    text = options.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise bad_request(f"{name} is true or false")
    return text == "true"


def shown(name: str) -> str:
    """A parameter's name for an error."""
    return f"{name[:64]!r}"
