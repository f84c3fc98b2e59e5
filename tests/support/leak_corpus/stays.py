"""What looks like identity and is none: over-removal costs as much as leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import CHARACTERISTICS, DESCRIPTORS

if TYPE_CHECKING:
    from leak_corpus.draft import Draft

STAYS = Catalogue("stays")


def _text(name: str, keyword: str, text: str, charset: str = "ISO_IR 100") -> None:
    def plant(draft: Draft) -> None:
        ds = draft.image(draft.rng.choice(("MR_small.dcm", "CT_small.dcm")))
        ds.SpecificCharacterSet = charset
        draft.drop(lambda check: check.path == (keyword,))
        setattr(ds, keyword, text)
        draft.keep(ds, (keyword,), *text.split(), needs=DESCRIPTORS)

    STAYS.add(name, plant)


for label, attribute, written in (
    ("eponyms", "StudyDescription", "MRA Circle of Willis and Chiari malformation"),
    ("eponyms-of-diseases", "PatientComments", "Crohn disease, Baker cyst, Hodgkin lymphoma, Parkinson"),
    ("eponyms-of-scores", "ImageComments", "Bosniak IIF, Fazekas 2, Kellgren-Lawrence grade 3, Cobb angle"),
    ("eponyms-of-methods", "SeriesDescription", "Dixon Water Only, Stejskal-Tanner, Waters view, Judet"),
    ("makers", "PatientComments", "compare with Siemens Skyra and Philips Ingenia and GE Discovery"),
    ("march-fracture", "AdditionalPatientHistory", "march fracture, may recur"),
    ("vertebrae", "SeriesDescription", "C5-C6 L4/L5 Th12 S1 T2 sag"),
    ("b-values", "SeriesDescription", "DWI b0/50/400/800 ADC"),
    ("timing", "SeriesDescription", "dyn 0-15-30-45-60 s, delay 5 min, 10 min"),
    ("percent-and-rates", "PatientComments", "95 % stenosis, SpO2 94 %, HR 92 bpm, BP 120/80, weight 93 kg"),
    ("ages-below-90", "AdditionalPatientHistory", "34 year old man, born at 38 weeks, 18 months ago"),
    ("newborn", "AdditionalPatientHistory", "3-day-old term infant"),
    ("angles-and-fields", "ImageComments", "flip angle 150 deg, 3.0 T, 123.25 MHz, bandwidth 1490 Hz/px"),
    ("matrix", "ImageComments", "matrix 512x512, FOV 240x240x1.2 mm, 256 slices, 0.625 x 0.625"),
    ("dose", "ImageComments", "DLP 1023.45 mGy*cm, 18F-FDG 370 MBq, 99mTc"),
    ("markers", "SeriesDescription", "Hand DP R + Fuss seitl. L, erect AP, supine"),
    ("german", "StudyDescription", "Schädel nativ, Becken a.p., Thorax p.a. im Stehen"),
    ("french", "StudyDescription", "Abdomen sans injection, genou gauche face et profil"),
    ("spanish", "StudyDescription", "Columna lumbar sin contraste, rodilla derecha"),
    ("italian", "StudyDescription", "Encefalo senza mezzo di contrasto, ginocchio destro"),
    ("dutch", "StudyDescription", "Hersenen zonder contrast, linker knie"),
    ("siemens-protocol", "ProtocolName", "t1_mprage_sag_p2_iso_1.0 tfl3d1_16ns gre_field_mapping"),
    ("ge-protocol", "ProtocolName", "3.1 ROUTINE HEAD/SINUS 5.0 STND SS50"),
    ("philips-protocol", "ProtocolName", "WIP sT1W_3D_TFE_iso1.0 SENSE eTHRIVE_BH"),
    ("canon-protocol", "SeriesDescription", "Body 1.0 CE FC08 AIDR3D VOLUME"),
    ("research-protocol", "SeriesDescription", "ABCD_T1w_MPR_vNav_setter rfMRI_REST_AP_SBRef dir-PA_run-02"),
    ("fmri-task", "SeriesDescription", "task-nback_acq-mb4_run-01_bold"),
    ("phases", "SeriesDescription", "Leber art. Phase 35s, portalvenös 70s, spät 3min"),
    ("side-and-part", "StudyDescription", "XR KNEE 3 VIEWS LEFT, MR BRAIN W/O + W CONTRAST, CT ABD/PEL"),
    ("findings", "PatientComments", "glioblastoma WHO grade 4, IDH wildtype, 1p/19q intact, s/p resection"),
    ("surgery", "AdditionalPatientHistory", "status post appendectomy, hip replacement left, pacemaker"),
    ("drugs", "AdditionalPatientHistory", "on metformin, allergic to penicillin, Buscopan 20 mg given"),
    ("contrast-agents", "ContrastBolusAgent", "Omnipaque 350, Ultravist 370, Gadovist, Dotarem, Primovist"),
    ("reformats", "SeriesDescription", "<MPR Thick Range> COR 3mm [Radial Range] MIP"),
    ("derived", "DerivationDescription", "Lossy JPEG 2000 compression, ratio 12:1, windowed, 8 bit"),
    ("numbers-with-units", "ImageComments", "volume 1234567 mm3, 4096 grey levels, 1000000 counts"),
):  # fmt: skip
    _text(label, attribute, written)


@STAYS.case("technique-in-kept-attributes")
def _(draft: Draft) -> None:
    ds = draft.image()
    for keyword, value in {
        "SequenceName": "*tfl3d1_16ns",
        "ScanOptions": "PFP",
        "ReceiveCoilName": "HeadNeck_20",
        "ImagedNucleus": "1H",
        "AcquisitionMatrix": [0, 256, 256, 0],
        "InPlanePhaseEncodingDirection": "ROW",
        "SoftwareVersions": "syngo MR XA30",
        "TransmitCoilName": "Body",
        "PercentSampling": "100",
        "NumberOfAverages": "1",
        "EchoNumbers": "1",
        "ImagingFrequency": "123.255",
        "PixelBandwidth": "240",
        "ContrastBolusVolume": "7.5",
        "TriggerTime": "120.5",
        "SpacingBetweenSlices": "1.2",
    }.items():
        setattr(ds, keyword, value)
        for text in value if isinstance(value, list) else [value]:
            draft.keep(ds, (keyword,), str(text))


@STAYS.case("codes")
def _(draft: Draft) -> None:
    ds = draft.image("CT_small.dcm")
    for keyword, code in {
        "AnatomicRegionSequence": ("12738006", "SCT", "Brain"),
        "ProcedureCodeSequence": ("241541005", "SCT", "High resolution CT of lungs"),
        "ContrastBolusAgentSequence": ("109218000", "SCT", "Iodixanol"),
    }.items():
        value, scheme, meaning = code
        setattr(ds, keyword, draft.items(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning))
        draft.keep(ds, (keyword,), value, scheme, meaning)


@STAYS.case("characteristics")
def _(draft: Draft) -> None:
    ds = draft.image()
    draft.drop(lambda check: check.path == ("PatientAge",))
    for keyword, value in {"PatientAge": "089Y", "PatientSize": "1.92", "PatientWeight": "94.5"}.items():
        setattr(ds, keyword, value)
        draft.keep(ds, (keyword,), value, needs=CHARACTERISTICS)


@STAYS.case("age-of-a-newborn")
def _(draft: Draft) -> None:
    ds = draft.image()
    draft.drop(lambda check: check.path == ("PatientAge",))
    ds.PatientAge = "003D"
    draft.keep(ds, ("PatientAge",), "003D", needs=CHARACTERISTICS)
