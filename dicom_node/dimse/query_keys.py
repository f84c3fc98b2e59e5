"""C-FIND identifiers as searches of the catalogue.

References
----------
PS3.4 §C.2.2 (keys and matching), §C.4.1.1.3.1 (request identifier), §C.4.1.2 and §C.4.1.3 (hierarchical and
relational queries), §C.6 (keys of each level).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicom_node.dimse.query_models import Level
from dicom_node.domain.attribute_levels import INSTANCE_AVAILABILITY, STUDY_TAGS, level_of
from dicom_node.domain.catalog import CatalogQuery

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicom_node.dimse.identifier import Identifier, Key
    from dicom_node.dimse.query_models import InformationModel, Options

QUERY_LEVEL: Final = "00080052"
RETRIEVE_AE_TITLE: Final = "00080054"
CHARACTER_SET: Final = "00080005"
_TIME_ZONE: Final = "00080201"
#: Counted for each patient where they are asked for: studies, series and instances.
PATIENT_COUNTS: Final = ("00201200", "00201202", "00201204")
#: Answered for each match, and never compared.
_ANSWERED: Final = frozenset({QUERY_LEVEL, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY, CHARACTER_SET})
_UNCOMPARED: Final = frozenset({*_ANSWERED, *PATIENT_COUNTS})
_AT_STUDY: Final = """
    00101010 00101020 00101021 00101022 00101023 00101024 00101030 00102000 00102110 00102180 001021A0
    001021B0 001021C0 001021D0 00102203
"""
#: Of group 0010, what describes the patient at the time of a study (PS3.3 §C.7.2.2).
_PATIENT_STUDY: Final = frozenset(_AT_STUDY.split())
_UIDS: Final = ("0020000D", "0020000E", "00080018")


class DoesNotMatch(ValueError):
    """The identifier is none of its SOP Class; the message says why, without a value."""


@dataclass(frozen=True, slots=True)
class Find:
    """A query, read.

    Attributes
    ----------
    wanted
        What every match returns.
    unsupported
        Whether there are keys that this node neither compares nor returns.
    character_set
        Specific Character Set of the request.
    """

    level: Level
    query: CatalogQuery
    wanted: tuple[Key, ...]
    unsupported: bool
    character_set: tuple[str, ...]

    @property
    def counts_patients(self) -> bool:
        """Whether counts for each patient are wanted."""
        return any(key.tag in PATIENT_COUNTS for key in self.wanted)


def read_find(identifier: Identifier, model: InformationModel, options: Options) -> Find:
    """Read the identifier of a C-FIND request.

    Raises
    ------
    DoesNotMatch
    """
    level = read_level(identifier, model)
    if not options.relational:
        require_unique_keys(identifier, model, level)
    wanted = []
    matches: dict[str, str] = {}
    unsupported = False
    creators = {key.tag for key in identifier.keys if _reserves(key.tag) and key.text.strip()}
    for key in identifier.keys:
        if key.tag in _ANSWERED:
            continue
        if not _belongs(key.tag, level) or (_is_private(key.tag) and _creator(key.tag) not in creators):
            unsupported = True
            continue
        wanted.append(key)
        if key.tag not in _UNCOMPARED and (key.tag != _TIME_ZONE or options.time_zone):
            matches.update(_paths(key))
    study = _taken(matches, _UIDS[0]) if level in (Level.SERIES, Level.IMAGE) else None
    series = _taken(matches, _UIDS[1]) if level is Level.IMAGE and study else None
    query = CatalogQuery(
        level.catalog,
        study,
        series,
        matches=matches,
        fuzzy=options.fuzzy,
        empty_matching=options.empty,
        multiple_matching=options.multiple,
        combined_date_time=options.date_time,
        attributes=_attributes(wanted),
    )
    return Find(level, query, tuple(wanted), unsupported, identifier.character_set)


def read_level(identifier: Identifier, model: InformationModel) -> Level:
    """The Query/Retrieve Level of a request.

    Raises
    ------
    DoesNotMatch
    """
    text = identifier.text(QUERY_LEVEL)
    if text in [level.value for level in model.levels]:
        return Level(text)
    known = ", ".join(model.levels)
    raise DoesNotMatch(f"Query/Retrieve Level is needed, one of {known}")


def require_unique_keys(identifier: Identifier, model: InformationModel, level: Level) -> None:
    """Refuse a hierarchical request that does not say where it searches.

    Raises
    ------
    DoesNotMatch

    References
    ----------
    PS3.4 §C.4.1.2.1, §C.4.2.2.1 and §C.4.3.2.1.
    """
    for above in model.levels[: model.levels.index(level)]:
        if not is_single(identifier.text(above.unique_key)):
            raise DoesNotMatch(f"one {above} unique key is needed, or relational queries negotiated")


def is_single(text: str) -> bool:
    """Whether a key names one entity: a value, no list and no wild card."""
    return bool(text) and not set(text) & set('\\*?"')


def is_of_patient(tag: str) -> bool:
    """Whether an attribute is the same for all studies of a patient."""
    return tag in STUDY_TAGS and tag.startswith("0010") and tag not in _PATIENT_STUDY


def _belongs(tag: str, level: Level) -> bool:
    """Whether a match of a level has the attribute, of its own or from above."""
    if tag in PATIENT_COUNTS:
        return level is Level.PATIENT
    if level is Level.PATIENT:
        return is_of_patient(tag) or tag == _TIME_ZONE
    return level_of(tag).depth <= level.catalog.depth


def _paths(key: Key, around: str = "") -> Iterable[tuple[str, str]]:
    path = f"{around}.{key.tag}" if around else key.tag
    if key.item is None:
        if key.text.strip() and key.vr not in ("OB", "OD", "OF", "OL", "OV", "OW", "UN"):
            yield path, key.text
        return
    for inner in key.item:
        yield from _paths(inner, path)


def _taken(matches: dict[str, str], tag: str) -> str | None:
    """Take a single UID out of the matches: the catalogue goes straight to it."""
    text = matches.get(tag, "").strip()
    if not is_single(text) or set(text) - set("0123456789."):
        return None
    del matches[tag]
    return text


def _attributes(wanted: list[Key]) -> frozenset[str] | None:
    if any(_is_private(key.tag) for key in wanted):
        return None
    return frozenset({*_UIDS, *(key.tag for key in wanted)})


def _is_private(tag: str) -> bool:
    return int(tag[:4], 16) % 2 == 1 and tag[4:6] >= "10"


def _reserves(tag: str) -> bool:
    return int(tag[:4], 16) % 2 == 1 and tag[4:6] == "00" and tag[6:] >= "10"


def _creator(tag: str) -> str:
    return f"{tag[:4]}00{tag[4:6]}"
