"""SR, PR, KO, SEG, RT, ECG and slides come out of de-identification whole (PS3.15 Annex E)."""

import io
import re
import shutil
import subprocess
from collections import Counter

import pydicom
import pytest
from object_study import make_study
from pydicom.uid import UID

from anonymizer.context import StudyContext
from anonymizer.engine import Engine
from anonymizer.profile import DEFAULT_OPTIONS, Option, Profile
from anonymizer.restore import Restorer

KEY = bytes(range(32))
KINDS = ("SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTDOSE", "ECG", "SM")
PROFILES = {
    "basic": frozenset(),
    "default": DEFAULT_OPTIONS,
    "shifted dates": DEFAULT_OPTIONS | {Option.RETAIN_LONGITUDINAL_MODIFIED_DATES},
}
#: Words of the people in the study; nothing else there contains them.
PEOPLE = re.compile(rb"kanarienv|zwitscher|finkenherd|ottokar|canarius|ACC4711008|PID00815", re.IGNORECASE)


def part10(ds):
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def study(small_t1_series):
    return {kind: part10(ds) for kind, ds in make_study(small_t1_series).items()}


@pytest.fixture(scope="module", params=PROFILES, ids=str)
def made(request, study):
    """Name of the profile, and what came out by kind."""
    engine = Engine(KEY, Profile(PROFILES[request.param]), validate=True)
    context = StudyContext.of([engine.survey(data) for data in study.values()])
    return request.param, {kind: engine.deidentify(data, context) for kind, data in study.items()}


def read(data):
    return pydicom.dcmread(io.BytesIO(data))


def walk(ds, path=()):
    """Every element with its path: keywords and item numbers."""
    for element in ds:
        here = (*path, element.keyword)
        yield here, element
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from walk(item, (*here, number))


def values(ds, keyword):
    """All values of an attribute in the object, in order; what the anonymizer says of itself aside."""
    own = "DeidentificationMethodCodeSequence"
    return [element.value for path, element in walk(ds) if path[-1] == keyword and own not in path]


def uids(ds):
    """Path to UID, but for those that the standard registers."""
    return {
        path: str(element.value)
        for path, element in walk(ds)
        if element.VR == "UI" and element.VM == 1 and not str(element.value).startswith("1.2.840.10008.")
    }


# ------------------------------------------------------------------------------ nothing is refused or left


@pytest.mark.parametrize("kind", KINDS)
def test_people_are_gone(made, kind):
    assert not PEOPLE.search(made[1][kind].data)


@pytest.mark.parametrize("kind", KINDS)
def test_kind_stays_and_identity_is_that_of_the_study(made, study, kind):
    out, before = read(made[1][kind].data), read(study[kind])
    image = read(made[1]["slice 0"].data)
    assert out.SOPClassUID == before.SOPClassUID
    assert out.Modality == before.Modality
    assert out.PatientIdentityRemoved == "YES"
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        assert out[keyword].value == image[keyword].value


@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_prints_no_error_that_the_input_had_not(made, study, kind, tmp_path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("needs dicom3tools")
    found = []
    for name, data in (("before", study[kind]), ("after", made[1][kind].data)):
        path = tmp_path / name
        path.write_bytes(data)
        done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, check=False)
        lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
        found.append(Counter(re.sub(r" = <.*", "", line) for line in lines if line.startswith("Error")))
    assert found[1] - found[0] == Counter()


# ---------------------------------------------------------------------------------------- references


def test_uids_map_one_to_one_over_all_objects_of_the_study(made, study):
    forth, back = {}, {}
    for kind, out in made[1].items():
        before, after = uids(read(study[kind])), uids(read(out.data))
        for path in before.keys() & after.keys():
            old, new = before[path], after[path]
            assert UID(new).is_valid
            assert new != old
            assert forth.setdefault(old, new) == new, path
            assert back.setdefault(new, old) == old, path
    assert len(forth) > 20


def test_references_lead_to_the_objects_that_they_led_to(made, study):
    known = {read(data).SOPInstanceUID: kind for kind, data in study.items()}
    renamed = {out.sop_instance_uid: kind for kind, out in made[1].items()}
    expected = {
        "SEG": {"slice 0", "slice 7"}, "PR": {"slice 0", "slice 7"}, "RTSTRUCT": {"slice 3"},
        "RTPLAN": {"RTSTRUCT"}, "RTDOSE": {"RTPLAN"}, "SR": {"slice 3", "SEG"}, "KO": {"slice 3", "SEG"},
    }  # fmt: skip
    for kind, least in expected.items():
        names = [
            {found.get(uid) for uid in values(read(data), "ReferencedSOPInstanceUID")}
            for data, found in ((study[kind], known), (made[1][kind].data, renamed))
        ]
        if made[0] != "basic":
            assert names[0] == names[1]
        # The Basic Profile takes content and graphics; the lists of evidence stay.
        assert least <= names[1], kind


def test_the_way_back_restores_every_reference(made, study):
    for kind in KINDS:
        out, original = made[1][kind], read(study[kind])
        restored = read(Restorer(KEY).restore(out.data, out.original_attributes, out.uids, frozenset()))
        after = uids(restored)
        assert after.items() <= uids(original).items()
        assert restored.PatientName == original.PatientName


# --------------------------------------------------------------------- structure, with the default options


@pytest.fixture(scope="module")
def kept(study):
    """Pairs of input and output of the default profile, by kind."""
    engine = Engine(KEY, Profile(DEFAULT_OPTIONS))
    context = StudyContext.of([engine.survey(data) for data in study.values()])
    return {kind: (read(data), read(engine.deidentify(data, context).data)) for kind, data in study.items()}


#: X/Z/U* in Table E.1-1 and Type 3 here, so X; the references of frames (Type 1) stay.
REMOVED = {("SEG", ("SourceImageSequence",))}


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_keep_their_items(kept, kind):
    before, after = (
        {path: len(element.value) for path, element in walk(ds) if element.VR == "SQ"} for ds in kept[kind]
    )
    lost = {(kind, path) for path, count in before.items() if after.get(path) != count}
    assert lost <= REMOVED


@pytest.mark.parametrize(
    ("kind", "keywords"),
    [
        ("SEG", ("PixelData", "SegmentNumber", "SegmentLabel", "CodeValue", "ImagePositionPatient",
                 "DimensionIndexValues", "ReferencedSegmentNumber", "NumberOfFrames")),
        ("SR", ("ValueType", "RelationshipType", "CodeValue", "NumericValue", "GraphicData", "GraphicType",
                "ReferencedSegmentNumber", "CompletionFlag", "TemplateIdentifier", "ContinuityOfContent")),
        ("PR", ("GraphicData", "GraphicType", "GraphicLayer", "BoundingBoxTopLeftHandCorner", "WindowCenter",
                "GraphicLayerOrder", "PresentationLUTShape", "DisplayedAreaBottomRightHandCorner")),
        ("KO", ("ValueType", "RelationshipType", "CodeValue", "ContinuityOfContent")),
        ("RTSTRUCT", ("ROINumber", "ContourData", "ContourGeometricType", "NumberOfContourPoints",
                      "RTROIInterpretedType", "ReferencedROINumber")),
        ("RTPLAN", ("BeamNumber", "BeamType", "ControlPointIndex", "LeafJawPositions", "GantryAngle",
                    "CumulativeMetersetWeight", "IsocenterPosition", "BeamMeterset",
                    "NumberOfFractionsPlanned", "NominalBeamEnergy", "RTPlanGeometry")),
        ("RTDOSE", ("PixelData", "DoseUnits", "DoseType", "DoseGridScaling", "GridFrameOffsetVector",
                    "DoseSummationType")),
        ("ECG", ("WaveformData", "SamplingFrequency", "NumberOfWaveformSamples", "ChannelSensitivity",
                 "CodeValue", "WaveformSampleInterpretation")),
        ("SM", ("PixelData", "TotalPixelMatrixColumns", "OpticalPathIdentifier", "CodeValue", "ImageType",
                "XOffsetInSlideCoordinateSystem", "DimensionOrganizationType", "PixelSpacing")),
    ],
)  # fmt: skip
def test_what_the_object_is_for_stays(kept, kind, keywords):
    before, after = kept[kind]
    for keyword in keywords:
        assert values(before, keyword), f"{keyword}: the input says nothing of it"
        assert values(after, keyword) == values(before, keyword), keyword


def test_words_beside_names_stay(kept):
    after = {kind: pair[1] for kind, pair in kept.items()}
    assert values(after["PR"], "UnformattedTextValue")[0].startswith("oedema")
    assert "show to" in " ".join(values(after["KO"], "TextValue"))
    assert values(after["SM"], "SpecimenShortDescription")[0].startswith("skin")


def test_observers_and_verifiers_become_dummies(kept):
    _, after = kept["SR"]
    assert {str(name) for name in values(after, "PersonName")} == {"REMOVED"}
    assert {str(name) for name in values(after, "VerifyingObserverName")} == {"REMOVED"}
    assert after.VerificationFlag == "VERIFIED"
