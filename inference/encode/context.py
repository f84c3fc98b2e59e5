"""What all result objects of one prediction share: identifiers, equipment, times, names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from dicom_node.domain.finding import ModelIdentity, Prediction
    from dicom_node.domain.result import ResultEntry
    from inference.contract.card import ModelCard
    from inference.encode.source import SourceSeries

#: General Equipment of what the node makes; the model stands in Contributing Equipment.
MANUFACTURER = "DICOM Node"
MODEL_NAME = "DICOM Node"
#: Said in every object that people read.
RESEARCH_NOTICE = "Research use only. Not for diagnosis."
#: UTF-8, so that every name of a source can be written.
CHARACTER_SET = "ISO_IR 192"
#: First Series Number of the results, and how many are set aside for each prediction.
FIRST_SERIES_NUMBER = 9001
SERIES_NUMBERS = 20

# Attributes that say how the source was de-identified (PS3.15 §E.1.1); what is derived from it says it too.
_DEIDENTIFICATION = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


class Role(IntEnum):
    """What a result series is for; the value orders the series of a prediction."""

    MEASUREMENTS = 0
    REPORT = 1
    SEGMENTATION = 2
    HEATMAP = 3
    PDF = 4
    LABELMAP = 5
    RTSTRUCT = 6
    KEY_OBJECTS = 7
    PRESENTATION = 8
    REJECTION = 9
    KEY_PICTURE = 10
    #: The last: a prediction may have several, each in a series of its own.
    PARAMETRIC_MAP = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run on its way to DICOM; also one that came to no finding.

    Attributes
    ----------
    header
        An instance of the source series without pixels: patient, study and how it was de-identified.
    derive_uid
        Keyed function of strings to a UID.
    position
        Index of the prediction among those of the study; moves its series numbers.
    made_at
        Local time of the objects' making.
    software_version
        Of the node.
    earlier
        What was published of earlier versions of the study, by SOP Instance UID.
    card
        What the model's package says of it; `None` where that is not known.
    """

    prediction: Prediction
    header: Dataset
    study_instance_uid: str
    version: int
    position: int
    made_at: datetime
    software_version: str
    derive_uid: Callable[..., str]
    earlier: Mapping[str, ResultEntry]
    card: ModelCard | None = None

    @property
    def model(self) -> ModelIdentity:
        """Who made the finding."""
        return self.prediction.model

    def uid(self, *role: str) -> str:
        """The UID for a role: the same study, version, model and series give the same UID."""
        return self.derive_uid(
            "result",
            self.study_instance_uid,
            str(self.version),
            self.prediction.series_instance_uid,
            self.model.name,
            self.model.version,
            *role,
        )

    def series_uid(self, role: Role, number: int = 1) -> str:
        """Series Instance UID of a role, of its several series counted from 1."""
        return self.uid("series", role.name, *_further(number))

    def instance_uid(self, role: Role, number: int = 1) -> str:
        """SOP Instance UID of a role's instance, counted from 1."""
        return self.uid("instance", role.name, str(number))

    def predecessor(self, *roles: Role) -> tuple[str, str, str] | None:
        """The report of an earlier version: SOP Class, SOP Instance and Series Instance UID.

        Of the latest version that published one of the roles for the same series and model, the first of
        them; `None` where none did.
        """
        for version in sorted({entry.version for entry in self.earlier.values()}, reverse=True):
            before = replace(self, version=version)
            for role in roles:
                entry = self.earlier.get(before.instance_uid(role))
                if entry is not None:
                    return entry.sop_class_uid, entry.sop_instance_uid, entry.series_instance_uid
        return None

    def tracking_uid(self, number: int | str) -> str:
        """Tracking UID of a segment or box by its number, in all objects that show it."""
        return self.uid("tracking", str(number))

    def tracking_identifier(self, segment_number: int) -> str:
        """Tracking Identifier of a segment, for people."""
        return f"{self.prediction.segments[segment_number - 1].label} ({self.model.name})"

    def series_number(self, role: Role, number: int = 1) -> int:
        """Series Number of a role."""
        return FIRST_SERIES_NUMBER + SERIES_NUMBERS * self.position + role.value + number - 1

    def series_description(self, what: str) -> str:
        """Series Description (LO, 64 characters) such as "AI heatmap (mr-brain-extraction 1.0.2)"."""
        kind = "AI" if self.model.is_ai else "Computed"
        text = f"{kind} {what} ({self.model.name} {self.model.version})"
        return text if len(text) <= 64 else text[:63] + "…"

    @property
    def device_serial_number(self) -> str:
        """Device Serial Number (Type 1 in SEG): stands for this node's installation."""
        return self.derive_uid("device")

    def equipment(self) -> dict[str, str]:
        """General Equipment as highdicom's constructors take it."""
        return {
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL_NAME,
            "software_versions": self.software_version,
            "device_serial_number": self.device_serial_number,
        }

    def complete(self, ds: Dataset) -> None:
        """Write into a data set what every result carries; replaces what a library wrote there."""
        ds.SpecificCharacterSet = CHARACTER_SET
        ds.InstanceCreationDate = ds.SeriesDate = self.made_at.strftime("%Y%m%d")
        ds.InstanceCreationTime = ds.SeriesTime = self.made_at.strftime("%H%M%S")
        for keyword in _DEIDENTIFICATION:
            if keyword in self.header:
                ds[keyword] = self.header[keyword]
        ds.ContributingEquipmentSequence = [self._contributing_equipment()]

    def name_body_part(self, ds: Dataset) -> None:
        """Write the source's body part and side (General Series, PS3.3 §C.7.3.1), which images of it share.

        Laterality stands there, empty, where nothing says that the part has no sides (Type 2C).
        """
        for keyword in ("BodyPartExamined", "Laterality"):
            if self.header.get(keyword):
                ds[keyword] = self.header[keyword]
        if "BodyPartExamined" not in ds and "Laterality" not in ds:
            ds.Laterality = ""

    def _contributing_equipment(self) -> Dataset:
        item = Dataset()
        item.Manufacturer = self.model.manufacturer
        item.ManufacturerModelName = self.model.name
        item.SoftwareVersions = self.model.version
        item.DeviceUID = self.model.device_uid
        item.PurposeOfReferenceCodeSequence = [
            _item("109102", "DCM", "Processing Equipment"),
        ]
        item.ContributionDateTime = self.made_at.strftime("%Y%m%d%H%M%S")
        item.ContributionDescription = self.model.title[:1024]
        return item


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultContext(RunContext):
    """A prediction with a finding, and the source that it was found in."""

    source: SourceSeries


def _further(number: int) -> tuple[str, ...]:
    return () if number == 1 else (str(number),)


def _item(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
