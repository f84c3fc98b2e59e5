"""A catalogue of invented studies, and the requests that viewers and scripts make of it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from sqlalchemy import func, select

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.index.tables.catalog import catalog_studies

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from dicom_node.index.catalog import SqlCatalog

_FAMILY = (
    "Smith Johnson Müller Schmidt García Rossi Novák Kowalski Nguyen Kim Yamada Tanaka Silva Dubois Jones"
)
_GIVEN = "Anna John Maria Peter Eva Lukas Sofia Ivan Chloé José Mei Hiro Zoë Omar Lena Paul Ruth Max Ida Tom"
_SETS = (("CT",), ("MR",), ("CT", "SEG", "SR"), ("MR", "SEG", "SR"), ("CR",), ("PT", "CT"), ("US",))
_CLASSES = {"CT": "2", "MR": "4", "SEG": "66.4", "SR": "88.33", "CR": "1", "PT": "128", "US": "6.1"}
_OHIF = "00081030,00080060,00080090,00100030"

Request = tuple[str, dict[str, str]]


@dataclass(slots=True)
class Drawn:
    """What was invented, for requests to ask for."""

    studies: list[str] = field(default_factory=list)
    series: list[tuple[str, str]] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    accessions: list[str] = field(default_factory=list)
    total: int = 0
    publish_s: float = 0.0

    @property
    def summary(self) -> str:
        """What there is, and how long it took to publish it."""
        took = f", published in {self.publish_s:.0f} s" if self.publish_s else ""
        return f"{len(self.studies)} studies, {len(self.series)} series, {self.total} instances{took}"


def fill(catalog: SqlCatalog, engine: Engine, studies: int, instances: int) -> Drawn:
    """Publish invented studies, or draw the same again where the database has them."""
    with engine.connect() as connection:
        filled = connection.execute(select(func.count()).select_from(catalog_studies)).scalar_one()
    drawn = Drawn()
    chosen = random.Random(4)
    for number in range(studies):
        entries = _study(chosen, number, max(1, instances // studies), drawn)
        if filled < studies:
            start = time.perf_counter()
            catalog.publish(entries)
            drawn.publish_s += time.perf_counter() - start
    return drawn


def _study(chosen: random.Random, number: int, instances: int, drawn: Drawn) -> list[CatalogEntry]:
    study = f"2.25.{chosen.getrandbits(96)}"
    patient = chosen.randrange(6000)
    name = f"{chosen.choice(_FAMILY.split())}-{patient % 97}^{chosen.choice(_GIVEN.split())}"
    of_study = {
        "SpecificCharacterSet": "ISO_IR 192",
        "StudyInstanceUID": study,
        "StudyDate": f"20{chosen.randrange(14, 27)}{chosen.randrange(1, 13):02}{chosen.randrange(1, 29):02}",
        "StudyTime": f"{chosen.randrange(24):02}{chosen.randrange(60):02}00.000000",
        "AccessionNumber": f"A{number:07}",
        "PatientID": f"P{patient:05}",
        "PatientName": name,
        "PatientBirthDate": f"19{chosen.randrange(30, 99)}0101",
        "PatientSex": chosen.choice("MF"),
        "ReferringPhysicianName": f"Doctor^{chosen.choice(_GIVEN.split())}",
        "StudyID": str(number),
        "StudyDescription": chosen.choice(("Head", "Chest", "Abdomen and pelvis", "Knee")) + " examination",
    }
    drawn.studies.append(study)
    drawn.patients.append(of_study["PatientID"])
    drawn.accessions.append(of_study["AccessionNumber"])
    modalities = list(chosen.choice(_SETS)) + [None] * chosen.randrange(1, 4)
    entries: list[CatalogEntry] = []
    for index, modality in enumerate(modalities):
        series = f"{study}.{index + 1}"
        drawn.series.append((study, series))
        kind = modality or modalities[0] or "CT"
        share = instances // len(modalities) + (index < instances % len(modalities))
        entries += [_instance(of_study, series, index + 1, at + 1, kind) for at in range(max(share, 1))]
    drawn.instances.append(entries[chosen.randrange(len(entries))].sop_instance_uid)
    drawn.total += len(entries)
    return entries


def _instance(of_study: dict[str, str], series: str, index: int, number: int, modality: str) -> CatalogEntry:
    sop_class = f"1.2.840.10008.5.1.4.1.1.{_CLASSES[modality]}"
    uid = f"{series}.{number}"
    values: dict[str, Any] = (
        of_study
        | _HEADER
        | {
            "SeriesInstanceUID": series,
            "SeriesNumber": index,
            "SeriesDescription": f"series {index} axial",
            "Modality": modality,
            "SOPClassUID": sop_class,
            "SOPInstanceUID": uid,
            "InstanceNumber": number,
            "ImagePositionPatient": [-120.5, -130.25, number * 1.5],
            "SliceLocation": number * 1.5,
        }
    )
    attributes = {tag: _attribute(vr, values[keyword]) for keyword, (tag, vr) in _TAGS.items()}
    return CatalogEntry(
        study_id=of_study["StudyID"],
        kind=CatalogKind.SOURCE,
        study_instance_uid=of_study["StudyInstanceUID"],
        series_instance_uid=series,
        sop_instance_uid=uid,
        sop_class_uid=sop_class,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        ref=f"work:{of_study['StudyID']}/1/{uid}.dcm",
        attributes=attributes,
    )


def _attribute(vr: str, value: Any) -> dict[str, Any]:
    values = value if isinstance(value, list) else [value]
    return {"vr": vr, "Value": [{"Alphabetic": one} for one in values] if vr == "PN" else values}


_HEADER: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Manufacturer": "A maker of scanners",
    "ManufacturerModelName": "Model 64",
    "SoftwareVersions": "V1.2.3",
    "BodyPartExamined": "HEAD",
    "SliceThickness": 1.5,
    "KVP": 120,
    "DataCollectionDiameter": 500,
    "ReconstructionDiameter": 250,
    "GantryDetectorTilt": 0,
    "TableHeight": 150,
    "RotationDirection": "CW",
    "ExposureTime": 1000,
    "XRayTubeCurrent": 200,
    "Exposure": 200,
    "FilterType": "FLAT",
    "GeneratorPower": 60,
    "FocalSpots": [0.7],
    "ConvolutionKernel": ["H31s"],
    "PatientPosition": "HFS",
    "ProtocolName": "A protocol of many words",
    "FrameOfReferenceUID": "2.25.99",
    "PositionReferenceIndicator": "OM",
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 512,
    "Columns": 512,
    "PixelSpacing": [0.488281, 0.488281],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": [40, 300],
    "WindowWidth": [80, 1500],
    "RescaleIntercept": -1024,
    "RescaleSlope": 1,
    "RescaleType": "HU",
    "PatientIdentityRemoved": "YES",
    "DeidentificationMethod": "A profile with options",
    "LongitudinalTemporalInformationModified": "MODIFIED",
    "BurnedInAnnotation": "NO",
    "AcquisitionNumber": 1,
    "ContentDate": "20260101",
    "ContentTime": "101010",
    "SeriesDate": "20260101",
    "SeriesTime": "101010",
}
_OF_INSTANCE = (
    "SpecificCharacterSet StudyInstanceUID StudyDate StudyTime AccessionNumber PatientID PatientName"
    " PatientBirthDate PatientSex ReferringPhysicianName StudyID StudyDescription SeriesInstanceUID"
    " SeriesNumber SeriesDescription Modality SOPClassUID SOPInstanceUID InstanceNumber ImagePositionPatient"
    " SliceLocation"
)
_TAGS = {
    keyword: (f"{tag_for_keyword(keyword):08X}", dictionary_VR(tag_for_keyword(keyword) or 0))
    for keyword in sorted([*_OF_INSTANCE.split(), *_HEADER], key=lambda one: tag_for_keyword(one) or 0)
}


def requests_of(drawn: Drawn) -> dict[str, Callable[[random.Random], Request]]:
    """Kinds of requests; each is made with values drawn at random."""
    page = {"limit": "101", "offset": "0", "fuzzymatching": "false", "includefield": _OHIF}
    family, given = _FAMILY.split(), _GIVEN.split()

    def studies(**matches: Callable[[random.Random], str]) -> Callable[[random.Random], Request]:
        return lambda one: ("/studies", page | {key: draw(one) for key, draw in matches.items()})

    def month(one: random.Random) -> str:
        year, number = one.randrange(14, 27), one.randrange(1, 13)
        return f"20{year}{number:02}01-20{year}{number:02}31"[:-2] + "28"

    def fuzzy(one: random.Random) -> Request:
        return "/studies", page | {
            "PatientName": f"{one.choice(given)} {one.choice(family)}",
            "fuzzymatching": "true",
        }

    def listed(one: random.Random) -> str:
        return ",".join(one.sample(drawn.studies, min(20, len(drawn.studies))))

    def in_series(one: random.Random) -> Request:
        study, series = one.choice(drawn.series)
        return f"/studies/{study}/series/{series}/instances", {}

    return {
        "study list of OHIF": studies(),
        "study list, a page deep in": lambda one: (
            "/studies", page | {"offset": str(one.randrange(len(drawn.studies)))}
        ),
        "PatientID": studies(PatientID=lambda one: one.choice(drawn.patients)),
        "AccessionNumber": studies(AccessionNumber=lambda one: one.choice(drawn.accessions)),
        "PatientName=*x*": studies(PatientName=lambda one: f"*{one.choice(family)[1:4]}*"),
        "PatientName=X*": studies(PatientName=lambda one: f"{one.choice(family)}*"),
        "PatientName, fuzzy": fuzzy,
        "StudyDate, a month": studies(StudyDate=month),
        "StudyDate and StudyTime ranges": studies(StudyDate=month, StudyTime=lambda _: "0800-1700"),
        "ModalitiesInStudy": studies(ModalitiesInStudy=lambda one: one.choice(("MR", "SEG", "PT"))),
        "StudyDescription=*x*": studies(StudyDescription=lambda _: "*est*"),
        "StudyInstanceUID": studies(StudyInstanceUID=lambda one: one.choice(drawn.studies)),
        "StudyInstanceUID, a list of 20": studies(StudyInstanceUID=listed),
        "series of a study": lambda one: (
            f"/studies/{one.choice(drawn.studies)}/series",
            {"includefield": "00080021,00080031,0008103E,00200011"},
        ),
        "instances of a series": in_series,
        "instances of a study": lambda one: (f"/studies/{one.choice(drawn.studies)}/instances", {}),
        "all series, SeriesInstanceUID": lambda one: (
            "/series", {"SeriesInstanceUID": one.choice(drawn.series)[1]}
        ),
        "all series, Modality, limit 50": lambda one: (
            "/series", {"Modality": one.choice(("SEG", "SR", "PT")), "limit": "50"}
        ),
        "all series, a page of 50 deep in": lambda one: (
            "/series", {"limit": "50", "offset": str(one.randrange(len(drawn.series)))}
        ),
        "all instances, SOPInstanceUID": lambda one: (
            "/instances", {"SOPInstanceUID": one.choice(drawn.instances)}
        ),
        "all instances, a page of 50 deep in": lambda one: (
            "/instances", {"limit": "50", "offset": str(one.randrange(drawn.total))}
        ),
        "all instances, PatientID, limit 50": lambda one: (
            "/instances", {"PatientID": one.choice(drawn.patients), "limit": "50"}
        ),
        "all instances, SOPClassUID, limit 50": lambda _: (
            "/instances", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "limit": "50"}
        ),
    }  # fmt: skip
