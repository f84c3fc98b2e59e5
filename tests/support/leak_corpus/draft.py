"""Builds a case: real objects get an invented patient, then canaries where the case wants them."""

from __future__ import annotations

import io
import random
import warnings
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pydicom
from leak_corpus.model import Action, Case, Check, Secret, Step
from leak_corpus.person import PHRASES, Person, invent, pool
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MODIFIED_DATES = "retain-longitudinal-modified-dates"
DESCRIPTORS = "clean-descriptors"
STRUCTURED = "clean-structured-content"
GRAPHICS = "clean-graphics"
CHARACTERISTICS = "retain-patient-characteristics"
DEVICE = "retain-device-identity"
SAFE_PRIVATE = "retain-safe-private"
PIXELS = "clean-pixel-data"

#: What the real objects bring of their own: another person's identity, or nothing of use here.
_CLEARED = (
    "OtherPatientIDs", "OtherPatientNames", "InstitutionalDepartmentName", "PatientComments",
    "AdditionalPatientHistory", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord", "ProtocolName",
    "DeviceSerialNumber", "InstanceCreationDate", "InstanceCreationTime", "RequestedProcedureDescription",
    "PatientAddress", "RequestAttributesSequence", "PerformedProcedureStepID", "PerformedStationAETitle",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "InstanceCreatorUID",
    "PerformedProcedureStepDescription", "ReferencedStudySequence", "ReferencedPatientSequence",
    "ReferencedPerformedProcedureStepSequence", "ReferencedImageSequence", "SourceImageSequence",
    "AcquisitionDateTime", "TimezoneOffsetFromUTC", "ImageComments",
)  # fmt: skip
#: Technique that any image object may carry: must stay where the object has it.
_TECHNIQUE = (
    "Modality", "Manufacturer", "BodyPartExamined", "SliceThickness", "KVP", "RepetitionTime", "EchoTime",
    "MagneticFieldStrength", "FlipAngle", "ImageType", "PatientPosition", "ScanningSequence",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "PhotometricInterpretation",
    "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "SeriesNumber", "InstanceNumber",
)  # fmt: skip
_ACQUIRED = frozenset({"CT", "MR", "CR", "US", "SM", "NM", "PT", "DX", "MG", "ECG"})
_TIMES = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


@cache
def _bytes_of(name: str) -> bytes:
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str), name
    return Path(found).read_bytes()


def real(name: str) -> Dataset:
    """A fresh data set of one of pydicom's files."""
    return pydicom.dcmread(io.BytesIO(_bytes_of(name)))


class Draft:
    """A case in the making."""

    def __init__(self, case_id: str, seed: int) -> None:
        self.id = case_id
        self.seed = seed
        self.rng = random.Random(f"{seed}:{case_id}")  # a corpus, not a cipher
        self.person: Person = invent(self.rng, seed)
        self.datasets: list[Dataset] = []
        self.refusal: Literal["never", "allowed", "expected"] = "never"
        self._secrets: list[Secret] = []
        self._checks: list[Check] = []
        self._edits: dict[int, list[Callable[[bytes], bytes]]] = {}
        self._uids = 0
        self.person_secrets(self.person)

    # ------------------------------------------------------------ objects

    def uid(self) -> str:
        """A new UID that carries a date and the hospital's number."""
        self._uids += 1
        return f"{self.person.root}.{self._uids}"

    def image(self, name: str = "MR_small.dcm", person: Person | None = None, patient: int = 0) -> Dataset:
        """A real image as one more instance of the study; technique and pixels must stay."""
        ds = real(name)
        self.adopt(ds, person or self.person, patient)
        if "PixelData" in ds:
            self.check("pixels_retained", ds, ())
        return ds

    def adopt(self, ds: Dataset, who: Person, patient: int = 0) -> None:
        """Give an object the invented patient, study and UIDs, with the checks that always hold."""
        for keyword in _CLEARED:
            if keyword in ds:
                delattr(ds, keyword)
        first = self.datasets[0] if self.datasets else None
        if "SpecificCharacterSet" not in ds:
            ds.SpecificCharacterSet = "ISO_IR 100"
        self.datasets.append(ds)
        ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = who.pn, who.mrn, who.issuer
        ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = f"{who.born:%Y%m%d}", "F", "047Y"
        ds.AccessionNumber, ds.StudyID = who.accession, who.study_id
        ds.InstitutionName, ds.InstitutionAddress = who.hospital, who.address
        ds.ReferringPhysicianName = "^".join(who.physician)
        ds.PerformingPhysicianName = "^".join(who.reader)
        ds.OperatorsName = "^".join(who.operator)
        ds.StationName = who.station
        ds.StudyDescription = self.phrase()
        ds.SeriesDescription = self.phrase()
        ds.StudyInstanceUID = first.StudyInstanceUID if first else self.uid()
        ds.SeriesInstanceUID = self.uid()
        ds.SOPInstanceUID = self.uid()
        if "FrameOfReferenceUID" in ds:
            ds.FrameOfReferenceUID = first.get("FrameOfReferenceUID") if first else self.uid()
            if ds.FrameOfReferenceUID is None:
                ds.FrameOfReferenceUID = self.uid()
        # Not every object knows when it was acquired: only those are given the time that have one.
        acquired = "AcquisitionDate" in ds or ds.Modality in _ACQUIRED
        for keyword, value in zip(_TIMES, ("101112", "101512", "101533", "101601"), strict=True):
            if acquired or not keyword.startswith("Acquisition"):
                # Two days, so that a constant in their place is not taken for a shift.
                day = who.examined + timedelta(days=keyword == "ContentTime")
                setattr(ds, keyword.replace("Time", "Date"), f"{day:%Y%m%d}")
                setattr(ds, keyword, value)
        self._always(ds, who, patient)

    def _always(self, ds: Dataset, who: Person, patient: int) -> None:
        for keyword in filter(ds.__contains__, _UIDS):
            self.uid_check(ds, keyword)
        self.check("patid_consistent", ds, ("PatientID",), f"{who.issuer}|{who.mrn}")
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "InstitutionName"):
            self.check("text_removed", ds, (keyword,), str(ds[keyword].value))
        for keyword in ("PatientName", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber"):
            self.check("tag_retained", ds, (keyword,))
        for keyword in ("PatientID", "PatientName", "SOPClassUID", "StudyInstanceUID", "Modality"):
            self.check("text_notnull", ds, (keyword,))
        for keyword in filter(ds.__contains__, _DATES):
            self.date(ds, (keyword,), str(ds[keyword].value), patient)
        for keyword in filter(ds.__contains__, _TIMES):
            self.keep(ds, (keyword,), str(ds[keyword].value), needs=MODIFIED_DATES)
        for keyword in filter(ds.__contains__, _TECHNIQUE):
            self.keep(ds, (keyword,), *_texts(ds, keyword))
        for keyword in ("PatientSex", "PatientAge"):
            self.keep(ds, (keyword,), str(ds[keyword].value), needs=CHARACTERISTICS)
        self.keep(ds, ("StationName",), who.station, needs=DEVICE)
        for keyword in ("StudyDescription", "SeriesDescription"):
            self.keep(ds, (keyword,), *str(ds[keyword].value).split(), needs=DESCRIPTORS)

    def made(self, sop_class: UID, modality: str, syntax: UID = ExplicitVRLittleEndian) -> Dataset:
        """An object from nothing, with the invented patient."""
        ds = Dataset()
        ds.SOPClassUID, ds.Modality = sop_class, modality
        ds.Manufacturer = "Test Works"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = syntax
        ds.preamble = bytes(128)
        self.adopt(ds, self.person)
        return ds

    # ------------------------------------------------------------ marks

    def phrase(self) -> str:
        """A medical description."""
        return self.rng.choice(pool(PHRASES, self.seed))

    def secret(
        self, text: str, where: str, kept_by: Iterable[str] = (), encodings: tuple[str, ...] = ()
    ) -> str:
        """Mark a text as must-go, everywhere; returns it."""
        self._secrets.append(Secret(text, where, frozenset(kept_by), encodings))
        return text

    def person_secrets(self, who: Person, where: str = "patient and study") -> None:
        """Mark all of a person's identity as must-go."""
        for text in (
            who.family, who.given, who.middle, who.mrn, who.issuer, who.other_id, who.accession,
            who.study_id, f"{who.born:%Y%m%d}", who.street, who.hospital, who.phone, who.mail,
            who.url, who.ssn, *who.physician, *who.reader, *who.operator, who.root,
        ):  # fmt: skip
            self.secret(text, where)
        self.secret(who.station, where, (DEVICE,))
        self.secret(f"{who.examined:%Y%m%d}", where)

    def index(self, ds: Dataset) -> int:
        """Position of an object in the case."""
        return next(number for number, other in enumerate(self.datasets) if other is ds)

    def check(
        self,
        action: Action,
        ds: Dataset,
        path: tuple[Step, ...],
        value: str = "",
        needs: str | None = None,
        patient: int = 0,
        *,
        optional: bool = False,
    ) -> None:
        """Mark an action as right."""
        self._checks.append(Check(action, self.index(ds), path, value, needs, patient, optional))

    def keep(self, ds: Dataset, path: tuple[Step, ...], *texts: str, needs: str | None = None) -> None:
        """Mark texts as must-stay at or under a path."""
        for text in texts:
            self.check("text_retained", ds, path, text, needs)

    def gone(self, ds: Dataset, path: tuple[Step, ...], *texts: str) -> None:
        """Mark texts as must-go at or under a path, where they would be too short to look for everywhere."""
        for text in texts:
            self.check("text_removed", ds, path, text)

    def date(self, ds: Dataset, path: tuple[Step, ...], value: str, patient: int = 0) -> None:
        """Mark a date as must-map."""
        self.check("date_shifted", ds, path, value, MODIFIED_DATES, patient)
        self.gone(ds, path, value)

    def uid_check(self, ds: Dataset, *path: Step, optional: bool = False) -> None:
        """Mark a UID that stands already at a path as must-map."""
        where = ds
        for step in path[:-1]:
            where = where[step].value if isinstance(step, str) else where[step]  # type: ignore[index]
        value = str(where[path[-1]].value)  # type: ignore[index]
        for action in ("uid_changed", "uid_consistent"):
            self.check(action, ds, path, value, optional=optional)  # type: ignore[arg-type]

    def drop(self, matches: Callable[[Check], bool]) -> None:
        """Take back checks that the case makes untrue."""
        self._checks = [check for check in self._checks if not matches(check)]

    # ------------------------------------------------------------ plants

    def hide(self, ds: Dataset, keyword: str, value: Any, *secrets: str, kept_by: Iterable[str] = ()) -> None:
        """Put a value into an attribute and mark its secrets (by default all of it) as must-go."""
        setattr(ds, keyword, value)
        for text in secrets or (str(value),):
            self.secret(text, keyword, kept_by)

    def describe(self, ds: Dataset, keyword: str, template: str, *secrets: str) -> None:
        """Write a description of medical words and secrets; `template` has `{words}` for the words."""
        words = self.phrase()
        setattr(ds, keyword, template.format(words=words))
        for text in secrets:
            self.secret(text, keyword)
        self.drop(lambda c: c.path == (keyword,) and c.instance == self.index(ds))
        self.keep(ds, (keyword,), *words.split(), needs=DESCRIPTORS)

    @staticmethod
    def items(**values: Any) -> Sequence:
        """A sequence of one item."""
        item = Dataset()
        for name, value in values.items():
            setattr(item, name, value)
        return Sequence([item])

    def edit(self, ds: Dataset, change: Callable[[bytes], bytes]) -> None:
        """Change the bytes of the file after it was written."""
        self._edits.setdefault(self.index(ds), []).append(change)

    def finish(self) -> Case:
        """The case as files."""
        files = []
        for number, ds in enumerate(self.datasets):
            data = written(ds)
            for change in self._edits.get(number, []):
                data = change(data)
            files.append(data)
        return Case(self.id, tuple(files), tuple(self._secrets), tuple(self._checks), self.refusal)


def _texts(ds: Dataset, keyword: str) -> list[str]:
    value = ds[keyword].value
    values = [value] if ds[keyword].VM <= 1 else value
    return [str(text) for text in values if text not in (None, "")]


def raw(ds: Dataset, tag: int, vr: str, value: bytes) -> None:
    """Put bytes into a data set as they are, under a VR that pydicom would not write there."""
    value += b" " * (len(value) % 2)
    syntax = ds.file_meta.TransferSyntaxUID
    ds[tag] = RawDataElement(
        Tag(tag), vr, len(value), value, 0, syntax.is_implicit_VR, syntax.is_little_endian
    )


def unknown(ds: Dataset, tag: int, value: bytes) -> None:
    """Put bytes under a tag with VR UN: pydicom would write the VR that its dictionary knows."""
    raw(ds, tag, "UN", value)


def written(ds: Dataset) -> bytes:
    """Part 10 bytes; the text of odd character sets as it is."""
    meta = ds.file_meta
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
