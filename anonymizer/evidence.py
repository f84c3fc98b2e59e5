"""What the input says about people: the strings that must not appear in the output.

Which strings are looked for
    Parts of every person name (three characters or more), whole identifiers, addresses and institution
    names (four or more), the birth date in common spellings. Case does not count, and a match begins and
    ends at a word's boundary.
    (An institution named as the maker of the device is not: the profile keeps the maker.)
Which are not, because they would also match what identifies nobody
    Numbers of fewer than five digits; numbers inside decimal, integer and UID strings; words that are
    terms of the standard or of radiology (`VOCABULARY`, defined terms of Body Part Examined), such as a
    patient called Head. A name whose parts are such words is still looked for as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from anonymizer.part10 import text_value
from anonymizer.text import decode, encodings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anonymizer.codec import Dataset

MIN_NAME_PART: Final = 3
MIN_VALUE: Final = 4
MIN_DIGITS: Final = 5

BIRTH_DATES: Final = frozenset({0x00100030, 0x00100033})
#: Whose value may rightly be part of the maker's name, which stays (a vendor's own laboratory, say).
ORGANIZATIONS: Final = frozenset(
    {0x00080080, 0x00081010, 0x00081040, 0x00100021, 0x00102299, 0x00321033}
)  # InstitutionName, StationName, department, IssuerOfPatientID, ResponsibleOrganization, service
MAKER: Final = (0x00080070, 0x00081090)  # Manufacturer, ManufacturerModelName
#: Identifiers, addresses and institutions, looked for as whole values.
IDENTIFIERS: Final = frozenset(
    {
        0x00080050,  # AccessionNumber
        0x00080080,  # InstitutionName
        0x00080081,  # InstitutionAddress
        0x00080092,  # ReferringPhysicianAddress
        0x00080094,  # ReferringPhysicianTelephoneNumbers
        0x00081010,  # StationName
        0x00081040,  # InstitutionalDepartmentName
        0x00100020,  # PatientID
        0x00100021,  # IssuerOfPatientID
        0x00100050,  # PatientInsurancePlanCodeSequence
        0x00101000,  # OtherPatientIDs
        0x00101040,  # PatientAddress
        0x00101050,  # InsurancePlanIdentification
        0x00101090,  # MedicalRecordLocator
        0x00102154,  # PatientTelephoneNumbers
        0x00102155,  # PatientTelecomInformation
        0x00102299,  # ResponsibleOrganization
        0x00181000,  # DeviceSerialNumber
        0x00200010,  # StudyID
        0x00321033,  # RequestingService
        0x00380010,  # AdmissionID
        0x00380060,  # ServiceEpisodeID
        0x00402016,  # PlacerOrderNumberImagingServiceRequest
        0x00402017,  # FillerOrderNumberImagingServiceRequest
    }
)
_WORDS: Final = """
abdomen acquired adult algorithm angio anon anonymized anonymous anterior automatic average
axial axis baseline binary biopsy black blood blue body bone bottom brain breast brown canon
cardiac chest child clinic code color comment complete composite concept container contains context
continuous contrast coronal data date datetime day default derived diagnostic diffusion digital
dimension doctor dose echo ellipse elscint enhanced entire esaote exam feet female field film
flow foot fractional frame fuji fujifilm fusion gated general gradient gray green grey hand has
head here high hitachi hologic hospital image images imaginary imaging inferior inferred kodak
large lateral left liver localizer long low lower lung magnitude male manual manufacturer map
marconi matter maximum mean median medical middle minimum mip mixed mod model monochrome mpr
mprage name neck neurology none normal num oblique obs observer old orange original other
partial patient pelvis perfusion phantom phase philips physician picker plane pname posterior
primary private properties protocol radiology raw ray real red region removed report resampled
research resonance right sagittal scan scanner scoord scout selected semiautomatic separate
sequence series shimadzu short siemens signal single skull slice small spin spine spiral
standard structure study subject subtraction superior supine surface system table tcoord test
text tissue toshiba transverse tumor tumour type uidref unknown unverified upper value velocity
verified vessel view volume volunteer water waveform west white woman yellow yes young zero
"""
#: Words that stand in de-identified objects for other reasons than somebody's name.
VOCABULARY: Final = frozenset(_WORDS.split())
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


@dataclass(slots=True)
class Evidence:
    """Strings to look for, lower case, each with the keyword-giving tag it was found under."""

    body_parts: frozenset[str] = frozenset()
    #: Tags whose values the profile keeps: not looked for.
    retained: frozenset[int] = frozenset()
    strings: dict[str, int] = field(default_factory=dict)
    dates: dict[str, int] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Iterable[Evidence]) -> Evidence:
        """Evidence of all parts together; the first part says what is retained."""
        whole = cls()
        for number, part in enumerate(parts):
            if number == 0:
                whole.body_parts, whole.retained = part.body_parts, part.retained
            for string, tag in part.strings.items():
                whole.strings.setdefault(string, tag)
            for form, tag in part.dates.items():
                whole.dates.setdefault(form, tag)
        return whole

    def collect(self, dataset: Dataset, inherited: tuple[str, ...] = ("iso8859",)) -> None:
        """Take in a data set with all its items."""
        codecs = encodings(dataset, inherited)
        maker = " ".join(text_value(dataset, tag) for tag in MAKER).casefold()
        for tag, (vr, value) in dataset.items():
            if vr == "PN":
                if isinstance(value, bytes) and value:
                    self._names(tag, decode(value, vr, codecs))
            elif isinstance(value, list):
                for item in value:
                    self.collect(item, codecs)
            elif tag in IDENTIFIERS and isinstance(value, bytes):
                for part in decode(value, vr, codecs).split("\\"):
                    if tag not in ORGANIZATIONS or part.strip(" \0").casefold() not in maker:
                        self._value(tag, part)
            elif tag in BIRTH_DATES and isinstance(value, bytes):
                self._date(tag, decode(value, vr, codecs).strip(" \0"))

    def _is_common(self, word: str) -> bool:
        return word in VOCABULARY or word.upper() in self.body_parts

    def _names(self, tag: int, text: str) -> None:
        for name in text.strip(" \0").casefold().split("\\"):
            for group in name.split("="):
                words = [word for word in _WORD.findall(group) if len(word) > 1]
                wanted = [w for w in words if len(w) >= MIN_NAME_PART and not self._is_common(w)]
                for word in wanted:
                    if not word.isdecimal() or len(word) >= MIN_DIGITS:
                        self.strings.setdefault(word, tag)
                if len(words) > 1 and len(wanted) < len(words):
                    self.strings.setdefault(" ".join(words), tag)
                    self.strings.setdefault(" ".join([*words[1:], words[0]]), tag)
                    self.strings.setdefault("^".join(words), tag)

    def _value(self, tag: int, text: str) -> None:
        value = text.strip(" \0").casefold()
        if len(value) < MIN_VALUE or (value.isdecimal() and len(value) < MIN_DIGITS):
            return
        if not self._is_common(value):
            self.strings.setdefault(value, tag)

    def _date(self, tag: int, text: str) -> None:
        if len(text) != 8 or not text.isdecimal() or text == "19000101":
            return
        year, month, day = text[:4], text[4:6], text[6:]
        for form in (
            text,
            f"{year}-{month}-{day}",
            f"{day}.{month}.{year}",
            f"{day}/{month}/{year}",
            f"{month}/{day}/{year}",
        ):
            self.dates.setdefault(form, tag)
