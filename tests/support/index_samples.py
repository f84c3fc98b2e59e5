"""Instances and catalogue entries for tests of the index; UIDs are made up from small numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydicom import uid

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.instance import SourceInstance

STUDY = "2.25.1"


class SetClock:
    """A clock that goes on by one second a look, or stands where it was set."""

    def __init__(self):
        self.time = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def now(self):
        self.time += timedelta(seconds=1)
        return self.time


def instance(slot, number, *, content="a", series=1, study=STUDY, modality="MR", size=100):
    """A source instance in a slot; `content` stands for its bytes."""
    return SourceInstance(
        study_id=slot.study_id,
        epoch=slot.epoch,
        study_instance_uid=study,
        series_instance_uid=f"{study}.{series}",
        sop_instance_uid=f"{study}.{series}.{number}",
        sop_class_uid=uid.MRImageStorage,
        transfer_syntax_uid=uid.ExplicitVRLittleEndian,
        modality=modality,
        size=size,
        sha256=content * 64,
        source="dimse:SENDER",
        spool_ref=f"spool:{slot.study_id}/{slot.epoch}/{number}.dcm",
    )


def entry(study=1, series=1, number=1, *, kind=CatalogKind.SOURCE, version=1, modality="MR", **more):
    """A catalogue entry; `more` replaces attributes by tag, written `t00100010="DOE^JOHN"`."""
    study_uid, series_uid = f"2.25.{study}", f"2.25.{study}.{series}"
    sop_uid = f"{series_uid}.{number}"
    texts = {
        "00080005": "ISO_IR 192",
        "00080016": uid.MRImageStorage,
        "00080018": sop_uid,
        "00080020": "20260102",
        "00080030": "101112.5",
        "00080050": f"A{study}",
        "00080060": modality,
        "00081030": "Head of study",
        "0008103E": f"series {series}",
        "00100010": f"Anon^No{study}",
        "00100020": f"P{study}",
        "0020000D": study_uid,
        "0020000E": series_uid,
        "00200010": f"S{study}",
        "00200011": series,
        "00200013": number,
    } | {tag.removeprefix("t"): value for tag, value in more.items()}
    attributes = {tag: attribute(tag, value) for tag, value in texts.items() if value is not None}
    return CatalogEntry(
        study_id=f"study{study}",
        kind=kind,
        study_instance_uid=study_uid,
        series_instance_uid=series_uid,
        sop_instance_uid=sop_uid,
        sop_class_uid=uid.MRImageStorage,
        transfer_syntax_uid=uid.ExplicitVRLittleEndian,
        ref=f"work:study{study}/0/{sop_uid}.dcm",
        attributes=attributes,
        version=version,
    )


def attribute(tag, value):
    """One attribute in the DICOM JSON model."""
    if isinstance(value, dict):
        return value
    vr = {
        "00100010": "PN",
        "00080090": "PN",
        "00080020": "DA",
        "00080030": "TM",
        "00200011": "IS",
        "00200013": "IS",
    }.get(tag, "LO")
    return {"vr": vr, "Value": [{"Alphabetic": value} if vr == "PN" else value]}


def with_attributes(given, **more):
    """A copy of an entry with other attributes."""
    changed = {tag.removeprefix("t"): attribute(tag.removeprefix("t"), value) for tag, value in more.items()}
    return replace(given, attributes=given.attributes | changed)
