"""What an archive holds, asked by C-FIND (Study Root).

References
----------
PS3.4 §C.6.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicom_node.dimse.find_scu import find, find_context
from dicom_node.dimse.request_line import open_line
from dicom_node.domain.errors import ArchiveRefused
from dicom_node.domain.pull import ArchivedInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from dicom_node.dimse.association import Address
    from dicom_node.dimse.identifier import Identifier
    from dicom_node.domain.pull import StudyQuery

STUDY_DATE, ACCESSION_NUMBER, PATIENT_ID = "00080020", "00080050", "00100020"
SOP_CLASS, SOP_INSTANCE = "00080016", "00080018"
STUDY, SERIES, MODALITIES = "0020000D", "0020000E", "00080061"
_OF_STUDY, _OF_SERIES = "00201208", "00201209"
_UID: Final = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
_DATE: Final = re.compile(r"[0-9]{8}")


@dataclass(frozen=True, slots=True)
class StudyListing:
    """The instances of a study, and their SOP Classes where the archive says them."""

    instances: tuple[ArchivedInstance, ...]
    sop_classes: frozenset[str]


_NOTHING: Final = StudyListing((), frozenset())


class ArchiveSearch:
    """Questions to one archive, each over an association of its own.

    Parameters
    ----------
    name
        As in the configuration, for messages.
    tick
        Called every now and then; may raise to end the work.
    """

    def __init__(self, name: str, address: Address, tick: Callable[[], object]) -> None:
        self._name = name
        self._address = address
        self._tick = tick

    def studies(self, query: StudyQuery, more: tuple[str, ...] = ()) -> list[Identifier]:
        """Studies that match exactly; archives that ignore a key do not widen the query.

        Parameters
        ----------
        more
            Keywords of what else is asked for.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
        """
        keys = study_keys(query) | dict.fromkeys(more, "")
        with self._finding() as ask:
            return [found for found in ask("STUDY", keys) if _matches(query, found)]

    def listing(self, study_instance_uid: str) -> StudyListing:
        """All instances of a study; none where the archive does not list them to the last.

        Raises
        ------
        ArchiveFailed
        """
        instances: list[ArchivedInstance] = []
        classes: set[str] = set()
        with self._finding() as ask:
            try:
                study = {"StudyInstanceUID": study_instance_uid}
                found = list(ask("SERIES", study | _empty("SeriesInstanceUID", _KEYWORD_OF_SERIES)))
                for series in found:
                    uid = series.text(SERIES)
                    if not _UID.fullmatch(uid):
                        return _NOTHING
                    below = list(
                        ask(
                            "IMAGE",
                            study | {"SeriesInstanceUID": uid} | _empty("SOPInstanceUID", "SOPClassUID"),
                        )
                    )
                    uids = dict.fromkeys(one.text(SOP_INSTANCE) for one in below)
                    counted = _number(series, _OF_SERIES)
                    if not uids or not all(map(_UID.fullmatch, uids)) or len(uids) < (counted or 0):
                        return _NOTHING
                    instances += [ArchivedInstance(study_instance_uid, uid, one) for one in uids]
                    classes |= {one.text(SOP_CLASS) for one in below}
            except ArchiveRefused:
                # Not every archive answers below the level of studies.
                return _NOTHING
        return StudyListing(tuple(instances), frozenset(classes) if all(classes) else frozenset())

    def count(self, study_instance_uid: str) -> int | None:
        """How many instances a study has: of the study, else of its series, else as they are listed.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
        """
        study = {"StudyInstanceUID": study_instance_uid}
        with self._finding() as ask:
            own = [
                found
                for found in ask("STUDY", study | _empty(_KEYWORD_OF_STUDY))
                if found.text(STUDY) in ("", study_instance_uid)
            ]
            if not own:
                return None
            counted = _number(own[0], _OF_STUDY)
            if counted:
                return counted
            try:
                found = list(ask("SERIES", study | _empty("SeriesInstanceUID", _KEYWORD_OF_SERIES)))
            except ArchiveRefused:
                return None
            counts = [_number(series, _OF_SERIES) for series in found]
        known = [count for count in counts if count]
        if known and len(known) == len(counts):
            return sum(known)
        return len(self.listing(study_instance_uid).instances) or None

    def _finding(self) -> _Finding:
        return _Finding(self._name, self._address, self._tick)


_KEYWORD_OF_STUDY: Final = "NumberOfStudyRelatedInstances"
_KEYWORD_OF_SERIES: Final = "NumberOfSeriesRelatedInstances"


class _Finding:
    """An association for C-FIND."""

    def __init__(self, name: str, address: Address, tick: Callable[[], object]) -> None:
        self._name = name
        self._tick = tick
        self._opened = open_line(address, name, [find_context()])

    def __enter__(self) -> Callable[[str, Mapping[str, str]], Iterator[Identifier]]:
        line = self._opened.__enter__()
        if line is None:
            self._opened.__exit__(None, None, None)
            raise ArchiveRefused(f"{self._name}: does not offer C-FIND (Study Root)")

        def ask(level: str, keys: Mapping[str, str]) -> Iterator[Identifier]:
            return find(line, self._name, level, keys, self._tick)

        return ask

    def __exit__(self, *exc_info: object) -> None:
        self._opened.__exit__(*exc_info)  # type: ignore[arg-type]


def study_keys(query: StudyQuery) -> dict[str, str]:
    """The keys of a query at the level of studies, by keyword.

    Raises
    ------
    ArchiveRefused
        If the query holds wild cards.
    """
    if query.has_wildcards:
        raise ArchiveRefused("studies are named exactly: leave out *, ? and \\")
    asked = ("StudyInstanceUID", "AccessionNumber", "PatientID", "StudyDate", "ModalitiesInStudy")
    return _empty(*asked) | query.keys


def _matches(query: StudyQuery, found: Identifier) -> bool:
    if not _UID.fullmatch(found.text(STUDY)):
        return False
    for wanted, tag in (
        (query.study_instance_uid, STUDY),
        (query.accession_number, ACCESSION_NUMBER),
        (query.patient_id, PATIENT_ID),
    ):
        if wanted is not None and found.text(tag) != wanted.strip():
            return False
    day = found.text(STUDY_DATE)
    if query.since is not None or query.until is not None:
        last = _day(query.until) or "99999999"
        if not _DATE.fullmatch(day) or not _day(query.since) <= day <= last:
            return False
    # Optional: an archive that does not know it leaves it out.
    modalities = {one.strip() for one in found.text(MODALITIES).split("\\") if one.strip()}
    return query.modality is None or not modalities or query.modality in modalities


def _day(day: date | None) -> str:
    return f"{day:%Y%m%d}" if day is not None else ""


def _empty(*keywords: str) -> dict[str, str]:
    return dict.fromkeys(keywords, "")


def _number(found: Identifier, tag: str) -> int | None:
    text = found.text(tag)
    return int(text) if text.isdecimal() and len(text) < 10 else None
