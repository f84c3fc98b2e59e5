"""Faces go between de-identification and output: a series is there without its face or not at all."""

import numpy as np
import pydicom
import pytest
from real_heads import as_part10

from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch, OptionUnavailable
from anonymizer.faces.cleaner import FaceCleaner
from anonymizer.files import FileStatus, anonymize_folder
from anonymizer.profile import Option, Profile

KEY = bytes(range(32))
PROFILE = Profile(frozenset({Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES}))


@pytest.fixture(scope="module")
def folder(real_head, tmp_path_factory):
    src = tmp_path_factory.mktemp("in")
    head, _ = real_head.series(PatientName="Kanarienvogel^Z", PatientID="1", StudyID="1")
    knee, _ = real_head.series(BodyPartExamined="KNEE", PatientID="1")
    for name, series in (("head", head), ("knee", knee[:3])):
        for number, data in enumerate(as_part10(series)):
            (src / f"{name}{number:03}.dcm").write_bytes(data)
    (src / "notes.txt").write_text("no DICOM")
    return src


def read_all(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def test_faces_are_gone_from_the_output_and_the_report_says_so(folder, real_head, tmp_path):
    engine = Engine(KEY, PROFILE, faces=FaceCleaner(real_head.brain_mask))
    report = anonymize_folder(folder, tmp_path / "out", engine)
    assert report.kept_back == 0
    written = read_all(tmp_path / "out")
    assert len(written) == report.count(FileStatus.DONE) == len(list(folder.glob("*.dcm")))
    heads = [ds for ds in written if ds.get("RecognizableVisualFeatures") == "NO"]
    assert len(heads) == len(list(folder.glob("head*")))
    lowest = min(heads, key=lambda ds: ds.ImagePositionPatient[2])
    assert not lowest.pixel_array[:15].any()
    for ds in heads:
        assert "113102" in [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]
    for ds in (ds for ds in written if ds not in heads):
        assert "113102" not in [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]
    said = report.as_json()["deidentification"]
    assert said["actions"]["PixelData"]["face-removed"] == len(heads)
    assert said["risks"]["faces-not-removed"] == 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {ds.StudyInstanceUID for ds in written}


def test_nothing_of_a_series_is_written_whose_face_cannot_go(folder, tmp_path):
    engine = Engine(KEY, PROFILE, faces=FaceCleaner(lambda voxels, affine: np.zeros(voxels.shape, bool)))
    report = anonymize_folder(folder, tmp_path / "out", engine)
    assert report.count(FileStatus.QUARANTINED) == len(list(folder.glob("head*")))
    assert len(read_all(tmp_path / "out")) == 3
    kept = [outcome for outcome in report.outcomes if outcome.status is FileStatus.QUARANTINED]
    assert {outcome.reason for outcome in kept} == {"face-not-removed: no brain was found"}
    assert {outcome.output for outcome in kept} == {None}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == 3
    assert report.as_json()["deidentification"]["quarantined"] == {
        "face-not-removed: no brain was found": len(kept)
    }


def test_a_crash_leaves_no_face_where_the_output_is_looked_for(folder, real_head, tmp_path):
    def stopped(voxels, affine):
        raise KeyboardInterrupt

    engine = Engine(KEY, PROFILE, faces=FaceCleaner(stopped))
    with pytest.raises(KeyboardInterrupt):
        anonymize_folder(folder, tmp_path / "out", engine)
    assert [ds for ds in read_all(tmp_path / "out") if ds.get("BodyPartExamined") != "KNEE"] == []


def test_the_option_is_refused_where_nothing_can_carry_it_out():
    with pytest.raises(OptionUnavailable, match="face cleaner"):
        Engine(KEY, PROFILE)


def test_faces_stay_where_the_profile_does_not_ask_for_the_option(real_head):
    engine = Engine(KEY, Profile(frozenset()), faces=FaceCleaner(real_head.brain_mask))
    assert engine.faces is None


def test_a_person_may_answer_for_a_face():
    from anonymizer.eligibility import WAIVABLE

    with pytest.raises(CannotVouch) as caught:
        FaceCleaner(lambda voxels, affine: voxels > 0).clean([b"no DICOM"])
    assert caught.value.rule in WAIVABLE
