"""What comes out of the de-identification of one instance: bytes, the identity that was taken, a report.

References
----------
PS3.15 §E.1.1, §E.1.2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import keyword_for_tag

from anonymizer.part10 import text_value
from anonymizer.pixels.extent import PIXELS
from anonymizer.profile import Option, Profile
from anonymizer.report import InstanceReport
from anonymizer.text.encoding import encodings, to_json

if TYPE_CHECKING:
    from anonymizer.actions import Pass
    from anonymizer.codec import Codec, Dataset
    from anonymizer.pixels.cleaner import PixelOutcome

#: Attributes of patient and study that objects made from an instance carry, too: where the original had
#: none, that is part of the original identity.
CORE_IDENTITY: Final = frozenset(
    {
        0x00080020,  # StudyDate
        0x00080030,  # StudyTime
        0x00080050,  # AccessionNumber
        0x00080090,  # ReferringPhysicianName
        0x00081030,  # StudyDescription
        0x00100010,  # PatientName
        0x00100020,  # PatientID
        0x00100021,  # IssuerOfPatientID
        0x00100030,  # PatientBirthDate
        0x00100040,  # PatientSex
        0x00200010,  # StudyID
    }
)
#: Patient and study attributes that the standard's modules no longer list.
RETIRED_IDENTITY: Final = frozenset({0x00101000, 0x00101001, 0x00101005, 0x00101060, 0x00102160, 0x001021B0})


SOP_CLASS_UID: Final = 0x00080016
_MODALITY: Final = 0x00080060
#: Modalities whose slices, taken together, show a face; a later pass over the series may take it off.
_SHOWS_FACES: Final = frozenset({"CT", "MR", "PT"})
#: What options leave in, for whoever passes the data on.
_RISKS: Final = {
    Option.RETAIN_LONGITUDINAL_FULL_DATES: "dates-unchanged",
    Option.RETAIN_UIDS: "uids-unchanged",
    Option.RETAIN_DEVICE_IDENTITY: "device-named",
    Option.RETAIN_INSTITUTION_IDENTITY: "institution-named",
}


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A de-identified instance, verified, and what is needed to put the identity back.

    Attributes
    ----------
    study_instance_uid, series_instance_uid, sop_instance_uid
        Pseudonymous, unless an option retains UIDs.
    data
        Part 10 bytes.
    original_attributes
        Changed or removed patient and study attributes: tag (8 hexadecimal digits) to DICOM JSON of the
        original, or `None` where it was absent. Identity.
    uids
        Pseudonymous to original UID, for every UID that was replaced or retained. Identity.
    report
        What was done. No identity.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    data: bytes = field(repr=False)
    original_attributes: dict[str, Any] = field(repr=False)
    uids: dict[str, str] = field(repr=False)
    report: InstanceReport = field(repr=False)


def keyword(tag: int) -> str:
    """The keyword of a tag, or its eight digits."""
    return keyword_for_tag(tag) or f"{tag:08X}"


def identity(source: Dataset, result: Dataset, tags: frozenset[int], codec: Codec) -> dict[str, Any]:
    """Those of the attributes that were changed or absent, as `Deidentified.original_attributes`."""
    codecs = encodings(source)
    taken: dict[str, Any] = {f"{tag:08X}": None for tag in CORE_IDENTITY if tag not in source}
    for tag in tags & source.keys():
        if result.get(tag) != source[tag]:
            taken[f"{tag:08X}"] = to_json(source[tag], codecs, codec)
    return taken


def report(
    work: Pass, result: Dataset, outcome: PixelOutcome | None, vouched: frozenset[str], profile: Profile
) -> InstanceReport:
    """What was done to one instance."""
    sop_class_uid = text_value(result, SOP_CLASS_UID)
    actions: Counter[tuple[str, str]] = Counter()
    for (tag, rule), count in work.actions.items():
        name = "private" if tag & 0x10000 else "unknown" if rule == "unknown-attribute" else keyword(tag)
        actions[name, rule] += count
    risks = [f"vouched-{rule}" for rule in sorted(vouched)]
    risks += [risk for option, risk in _RISKS.items() if option in profile]
    if not PIXELS & result.keys():
        return InstanceReport(sop_class_uid, actions, risks=tuple(risks))
    if text_value(result, _MODALITY) in _SHOWS_FACES:
        risks.append("faces-not-removed")
    if outcome is None or not outcome.looked:
        state = "not-checked"
        risks.append("pixels-not-checked")
    else:
        state = "redacted" if outcome.boxes else "unchanged"
    for name in outcome.actions if outcome is not None else ():
        actions["PixelData", name] += 1
    boxes = outcome.boxes if outcome is not None else ()
    return InstanceReport(sop_class_uid, actions, boxes, state, tuple(risks))
