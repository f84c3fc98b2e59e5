"""QIDO-RS results: which attributes of a row are returned.

References
----------
PS3.18 §10.6.3.3 and Tables 10.6.3-3 to 10.6.3-5 (response payloads).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_node.domain.catalog import QueryLevel
from dicomweb.value_json import BINARY_VRS

if TYPE_CHECKING:
    from dicomweb.qido.parameters import Search

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


def default_keys(level: QueryLevel, study: str | None, series: str | None) -> dict[str, bool]:
    """Tags that a row of this level has, and whether they appear without a value too.

    A search across studies or series returns the attributes of the levels above as well.
    """
    texts = [{QueryLevel.STUDY: _STUDY, QueryLevel.SERIES: _SERIES, QueryLevel.INSTANCE: _INSTANCE}[level]]
    if level is not QueryLevel.STUDY and study is None:
        texts.append(_STUDY)
    if level is QueryLevel.INSTANCE and series is None:
        texts.append(_SERIES)
    keys: dict[str, bool] = {}
    for keyword in " ".join(texts).split():
        tag = tag_for_keyword(keyword.rstrip("!"))
        if tag is not None:
            keys[f"{tag:08X}"] = keys.get(f"{tag:08X}", False) or keyword.endswith("!")
    return keys


def encode_row(row: dict[str, Any], search: Search, root: str) -> dict[str, Any]:
    """One match as the client asked for it, in ascending order of tags."""
    query = search.query
    keys = default_keys(query.level, query.study_instance_uid, query.series_instance_uid)
    chosen: dict[str, Any] = {}
    for tag, attribute in row.items():
        wanted = tag in keys or search.include is None or tag in search.include
        if wanted and not _is_omission(attribute):
            chosen[tag] = attribute
    for tag, even_if_empty in keys.items():
        if even_if_empty and tag not in chosen:
            chosen[tag] = {"vr": dictionary_VR(int(tag, 16))}
    chosen[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    chosen[_RETRIEVE_URL] = {"vr": "UR", "Value": [_url(row, query.level, root)]}
    return dict(sorted(chosen.items()))


def _is_omission(attribute: dict[str, Any]) -> bool:
    """Whether the index holds no value: bulk data has no place in a search result."""
    return "BulkDataURI" in attribute or (attribute.get("vr") in BINARY_VRS and "Value" not in attribute)


def _url(row: dict[str, Any], level: QueryLevel, root: str) -> str:
    url = f"{root}/studies/{_uid(row, _STUDY_UID)}"
    if level is not QueryLevel.STUDY:
        url += f"/series/{_uid(row, _SERIES_UID)}"
    if level is QueryLevel.INSTANCE:
        url += f"/instances/{_uid(row, _INSTANCE_UID)}"
    return url


def _uid(row: dict[str, Any], tag: str) -> str:
    values = row.get(tag, {}).get("Value") or [""]
    return str(values[0])
