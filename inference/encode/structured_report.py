"""What all reports share: observer, constructor arguments, references, repairs of what highdicom writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from highdicom import sr
from pydicom.dataset import Dataset

from inference.encode.coding import PRIVATE_SCHEME, dcm
from inference.encode.context import CHARACTER_SET, MANUFACTURER, Role

if TYPE_CHECKING:
    from inference.encode.context import RunContext

#: Whose place a report takes in a new version, the likeliest first.
_PREDECESSORS = {
    Role.MEASUREMENTS: (Role.MEASUREMENTS,),
    Role.REPORT: (Role.REPORT, Role.REJECTION),
    Role.REJECTION: (Role.REJECTION, Role.REPORT),
}
# Attributes of Type 2 in an item of Referenced Request Sequence (PS3.3 §C.17.2).
_REQUEST = (
    "AccessionNumber",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
)


def device_observer(context: RunContext) -> sr.ObserverContext:
    """The model as device observer (PS3.16 §TID 1004), equal to Contributing Equipment."""
    model = context.model
    return sr.ObserverContext(
        observer_type=dcm("121007", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=model.device_uid, manufacturer_name=model.manufacturer, model_name=model.name
        ),
    )


def sr_arguments(context: RunContext, role: Role, what: str) -> dict[str, Any]:
    """Constructor arguments of highdicom's SR classes that do not depend on the content."""
    return {
        "series_instance_uid": context.series_uid(role),
        "series_number": context.series_number(role),
        "sop_instance_uid": context.instance_uid(role),
        "instance_number": 1,
        "series_description": context.series_description(what),
        "content_date": context.made_at.date(),
        "content_time": context.made_at.time().replace(microsecond=0),
        "is_complete": True,
        "is_final": False,
        "specific_character_set": CHARACTER_SET,
        **context.equipment(),
    }


def finish_report(ds: Dataset, context: RunContext, role: Role) -> None:
    """Separate the content of all containers, and write what every report carries.

    highdicom writes Continuity of Content CONTINUOUS, which viewers show as run-on text. A report of a later
    version names the one whose place it takes (PS3.3 §C.17.2).
    """
    _separate(ds)
    predecessor = context.predecessor(*_PREDECESSORS[role])
    if predecessor is not None:
        ds.PredecessorDocumentsSequence = [_document(context, *predecessor)]
    requests = [_request(item, context) for item in context.header.get("RequestAttributesSequence") or ()]
    if requests:
        ds.ReferencedRequestSequence = requests
    if _uses_private_codes(ds):
        ds.CodingSchemeIdentificationSequence = [_private_scheme()]
    context.complete(ds)


def _separate(item: Dataset) -> None:
    if item.get("ValueType") == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    for child in item.get("ContentSequence", ()):
        _separate(child)


def _document(context: RunContext, sop_class_uid: str, sop_instance_uid: str, series_uid: str) -> Dataset:
    """A document of this study (PS3.3 Table C.17-3)."""
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    series.SeriesInstanceUID, series.ReferencedSOPSequence = series_uid, [instance]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = context.study_instance_uid, [series]
    return study


def _request(attributes: Dataset, context: RunContext) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = context.study_instance_uid
    item.ReferencedStudySequence = []
    item.RequestedProcedureCodeSequence = attributes.get("RequestedProcedureCodeSequence") or []
    for keyword in _REQUEST:
        setattr(item, keyword, attributes.get(keyword) or "")
    return item


def _uses_private_codes(ds: Dataset) -> bool:
    if ds.get("CodingSchemeDesignator") == PRIVATE_SCHEME:
        return True
    return any(
        _uses_private_codes(item) for element in ds if element.VR == "SQ" for item in element.value or ()
    )


def _private_scheme() -> Dataset:
    """The node's own coding scheme (PS3.3 §C.12.1.1.11)."""
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = "Codes of DICOM Node"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
