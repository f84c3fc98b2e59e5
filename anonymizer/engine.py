"""De-identifies one instance and vouches for the result.

References
----------
PS3.15 Annex E; PS3.3 §C.12.1 (SOP Common), §C.7.1.1 (Patient Identity Removed and method).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from anonymizer.actions import Pass
from anonymizer.codec import Codec, Dataset, Element
from anonymizer.eligibility import check_instance, check_transfer_syntax
from anonymizer.errors import CannotVouch
from anonymizer.evidence import Evidence
from anonymizer.markers import MARKERS, markers
from anonymizer.part10 import Part10, standard_dictionary, text_value
from anonymizer.pixels.extent import check_described, cut_surplus
from anonymizer.plan import Plan
from anonymizer.profile import Profile
from anonymizer.table import load_attribute_types, load_table
from anonymizer.text import encodings, plain_text, to_json
from anonymizer.uids import PatientMapper, UidMapper
from anonymizer.verify import Verifier

if TYPE_CHECKING:
    from collections import Counter

DIRECTORY_RECORDS: Final = 0x00041220
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021

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
_RETIRED_IDENTITY: Final = frozenset({0x00101000, 0x00101001, 0x00101005, 0x00101060, 0x00102160, 0x001021B0})


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A de-identified instance, verified, and what is needed to put the identity back.

    Attributes
    ----------
    study_instance_uid, series_instance_uid, sop_instance_uid
        Pseudonymous.
    data
        Part 10 bytes.
    original_attributes
        Changed or removed patient and study attributes: tag (8 hexadecimal digits) to DICOM JSON of the
        original, or `None` where it was absent. Identity.
    uids
        Pseudonymous to original UID, for every UID that was replaced. Identity.
    actions
        How often each rule was applied: an action of Table E.1-1, `K`, or a rule beyond the table.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    data: bytes = field(repr=False)
    original_attributes: dict[str, Any] = field(repr=False)
    uids: dict[str, str] = field(repr=False)
    actions: Counter[str]


class Engine:
    """Applies a profile. Thread-safe; the same key, profile and input give the same output.

    Parameters
    ----------
    key
        At least 16 random bytes, kept secret and kept: all pseudonyms depend on it.
    profile
        Options of the Basic Profile.

    Raises
    ------
    ValueError
        If the key is too short.
    """

    def __init__(self, key: bytes, profile: Profile | None = None) -> None:
        self._profile = Profile() if profile is None else profile
        self._uids = UidMapper(key)
        self._patients = PatientMapper(key)
        table, self._types = load_table(), load_attribute_types()
        dictionary = standard_dictionary(table)
        self._plan = Plan(table, self._types, self._profile, dictionary)
        self._part10 = Part10(dictionary)
        self._verifier = Verifier(table, self._profile, self._part10)
        self._identity_tags = self._types.identity | CORE_IDENTITY | _RETIRED_IDENTITY | {MARKERS[3]}
        self._markers = markers(self._profile, table.edition)

    def deidentify(self, part10: bytes) -> Deidentified:
        """De-identify one Part 10 file and verify the result.

        Patient ID and Patient's Name become a keyed pseudonym, UIDs keyed UIDs under 2.25, ages of more
        than 89 years 90. Pixel data stay as they are, but for bytes behind the last pixel.

        Raises
        ------
        CannotVouch
            If the instance is of a kind that this version cannot clean, or something is left.
        Unreadable
            If the bytes cannot be read to their end, or an identifier is missing.
        """
        file = self._part10.read(part10)
        check_transfer_syntax(file.transfer_syntax_uid)
        source = file.dataset
        if DIRECTORY_RECORDS in source:
            raise CannotVouch("directory", "a DICOMDIR lists other objects; leave it out", "SOPClassUID")
        study_uid = _required(source, STUDY_INSTANCE_UID, "StudyInstanceUID")
        _required(source, SERIES_INSTANCE_UID, "SeriesInstanceUID")
        _required(source, SOP_INSTANCE_UID, "SOPInstanceUID")
        sop_class_uid = _required(source, SOP_CLASS_UID, "SOPClassUID")
        check_instance(source, self._types.iod_of)
        evidence = Evidence(self._types.body_parts)
        evidence.collect(source)

        codec, codecs = self._part10.codec(file.transfer_syntax_uid), encodings(source)
        work = Pass(self._plan.entries, self._plan.for_class(sop_class_uid), self._uids)
        result = work.transform(source, 0)
        check_described(result, codec)
        if cut_surplus(result, codec):
            work.actions["pixel-surplus"] += 1
        patient = self._patients.pseudonym(
            plain_text(source, PATIENT_ID, codecs),
            plain_text(source, ISSUER_OF_PATIENT_ID, codecs),
            study_uid,
        )
        # The caret says that a name of one component is meant; readers doubt it otherwise.
        result[PATIENT_NAME] = Element("PN", patient.encode() + b"^")
        result[PATIENT_ID] = Element("LO", patient.encode())
        result.update(self._markers)

        data = self._part10.write(result, file.transfer_syntax_uid)
        self._verifier.check(data, evidence, work.replaced, patient)
        return Deidentified(
            study_instance_uid=text_value(result, STUDY_INSTANCE_UID),
            series_instance_uid=text_value(result, SERIES_INSTANCE_UID),
            sop_instance_uid=text_value(result, SOP_INSTANCE_UID),
            sop_class_uid=sop_class_uid,
            data=data,
            original_attributes=self._identity(source, result, codec),
            uids=work.replaced,
            actions=work.actions,
        )

    def _identity(self, source: Dataset, result: Dataset, codec: Codec) -> dict[str, Any]:
        codecs = encodings(source)
        identity: dict[str, Any] = {f"{tag:08X}": None for tag in CORE_IDENTITY if tag not in source}
        for tag in self._identity_tags & source.keys():
            if result.get(tag) != source[tag]:
                identity[f"{tag:08X}"] = to_json(source[tag], codecs, codec)
        return identity


def _required(dataset: Dataset, tag: int, keyword: str) -> str:
    value = text_value(dataset, tag)
    if not value:
        raise CannotVouch("missing-identifier", "without it the object cannot be linked; repair it", keyword)
    return value
