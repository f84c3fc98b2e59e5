"""QIDO-RS results: which attributes of a row are returned.

References
----------
PS3.18 §10.6.3.3 and Tables 10.6.3-3 to 10.6.3-5 (response payloads).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_node.domain.catalog import QueryLevel
from dicomweb.value_json import BINARY_VRS

if TYPE_CHECKING:
    from dicomweb.qido.fields import Fields, Search

#: Returned always; the ones marked with "!" as an empty value where the row has none.
_STUDY = (
    "SpecificCharacterSet StudyDate! StudyTime! AccessionNumber! InstanceAvailability ModalitiesInStudy!"
    " ReferringPhysicianName! TimezoneOffsetFromUTC RetrieveURL PatientName! PatientID! PatientBirthDate!"
    " PatientSex! StudyInstanceUID! StudyID! NumberOfStudyRelatedSeries! NumberOfStudyRelatedInstances!"
)
_SERIES = (
    "SpecificCharacterSet Modality! TimezoneOffsetFromUTC SeriesDescription RetrieveURL StudyInstanceUID"
    " SeriesInstanceUID! SeriesNumber! NumberOfSeriesRelatedInstances! PerformedProcedureStepStartDate"
    " PerformedProcedureStepStartTime RequestAttributesSequence InstanceAvailability"
)
_INSTANCE = (
    "SpecificCharacterSet SOPClassUID! SOPInstanceUID! InstanceAvailability TimezoneOffsetFromUTC RetrieveURL"
    " StudyInstanceUID SeriesInstanceUID InstanceNumber! Rows Columns BitsAllocated NumberOfFrames"
)
_RETRIEVE_URL, _AVAILABILITY = "00081190", "00080056"
_STUDY_UID, _SERIES_UID, _INSTANCE_UID = "0020000D", "0020000E", "00080018"


@cache
def default_keys(
    level: QueryLevel, *, across_studies: bool, across_series: bool
) -> tuple[tuple[str, dict[str, str] | None], ...]:
    """Tags that a row of this level has, each with what stands for it where the row has no value.

    A search across studies or series returns the attributes of the levels above as well.
    """
    texts = [{QueryLevel.STUDY: _STUDY, QueryLevel.SERIES: _SERIES, QueryLevel.INSTANCE: _INSTANCE}[level]]
    if level is not QueryLevel.STUDY and across_studies:
        texts.append(_STUDY)
    if level is QueryLevel.INSTANCE and across_series:
        texts.append(_SERIES)
    keys: dict[str, dict[str, str] | None] = {}
    for keyword in " ".join(texts).split():
        number = tag_for_keyword(keyword.rstrip("!"))
        if number is not None:
            tag = f"{number:08X}"
            keys[tag] = {"vr": dictionary_VR(number)} if keyword.endswith("!") else keys.get(tag)
    return tuple(sorted(keys.items()))


def asked_for(
    level: QueryLevel, fields: Fields, *, across_studies: bool, across_series: bool
) -> frozenset[str] | None:
    """Tags that rows must have for `encode_row`; `None` for all."""
    if fields.everything or fields.creators:
        return None
    keys = default_keys(level, across_studies=across_studies, across_series=across_series)
    uids = (_STUDY_UID, _SERIES_UID, _INSTANCE_UID)
    return frozenset((*uids, *fields.tree, *(tag for tag, _ in keys))) - {_RETRIEVE_URL, _AVAILABILITY}


def encode_row(row: dict[str, Any], search: Search, root: str) -> dict[str, Any]:
    """One match as the client asked for it, in ascending order of tags.

    Bulk data comes as a URI where it was asked for by name, and not at all otherwise. What the index left
    out as too long still stands as a URI relative to the instance: see `omitted`.
    """
    query = search.query
    keys = default_keys(
        query.level,
        across_studies=query.study_instance_uid is None,
        across_series=query.series_instance_uid is None,
    )
    chosen = search.fields.take(row)
    url = _url(row, query.level, root)
    for tag, attribute in list(chosen.items()):
        if "BulkDataURI" in attribute and attribute.get("vr") in BINARY_VRS:
            if query.level is QueryLevel.INSTANCE:
                chosen[tag] = {"vr": attribute["vr"], "BulkDataURI": f"{url}/{attribute['BulkDataURI']}"}
            else:
                del chosen[tag]
    if search.fields.everything:
        chosen |= {
            tag: attribute
            for tag, attribute in row.items()
            if not ("BulkDataURI" in attribute and attribute.get("vr") in BINARY_VRS)
        }
    for tag, empty in keys:
        attribute = row.get(tag, empty)
        if attribute is not None and (tag not in chosen or attribute.get("vr") == "SQ"):
            chosen[tag] = attribute
    chosen[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    chosen[_RETRIEVE_URL] = {"vr": "UR", "Value": [url]}
    return {tag: chosen[tag] for tag in sorted(chosen)}


def omitted(row: dict[str, Any]) -> list[str]:
    """Tags of an encoded row whose values the index left out, at the top or within."""
    return [tag for tag, attribute in row.items() if _lacks(attribute)]


def without(row: dict[str, Any], tags: list[str]) -> dict[str, Any]:
    """The row without some tags."""
    return {tag: attribute for tag, attribute in row.items() if tag not in tags}


def uid_of(row: dict[str, Any], level: QueryLevel) -> str:
    """The UID that a row has at a level; "" where it has none."""
    tag = {QueryLevel.STUDY: _STUDY_UID, QueryLevel.SERIES: _SERIES_UID, QueryLevel.INSTANCE: _INSTANCE_UID}
    values = row.get(tag[level], {}).get("Value") or [""]
    return str(values[0])


def _lacks(attribute: dict[str, Any]) -> bool:
    uri = attribute.get("BulkDataURI")
    if uri is not None:
        return ":" not in uri
    if attribute.get("vr") != "SQ":
        return False
    items = attribute.get("Value") or ()
    return any(_lacks(inner) for item in items if isinstance(item, dict) for inner in item.values())


def _url(row: dict[str, Any], level: QueryLevel, root: str) -> str:
    url = f"{root}/studies/{uid_of(row, QueryLevel.STUDY)}"
    if level is not QueryLevel.STUDY:
        url += f"/series/{uid_of(row, QueryLevel.SERIES)}"
    if level is QueryLevel.INSTANCE:
        url += f"/instances/{uid_of(row, QueryLevel.INSTANCE)}"
    return url
