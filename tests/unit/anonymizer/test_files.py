from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet

from anonymizer.files import FileStatus, anonymize_folder


@pytest.fixture
def folder(tmp_path, make_mr, to_bytes):
    src = tmp_path / "Kanarienvogel_Zwitscherine"
    (src / "deep").mkdir(parents=True)
    (src / "1.dcm").write_bytes(to_bytes(make_mr(1)))
    (src / "deep" / "2").write_bytes(to_bytes(make_mr(2)))
    (src / "deep" / "3_same_as_1").write_bytes(to_bytes(make_mr(1)))
    (src / "4.dcm").write_bytes(to_bytes(make_mr(4, BurnedInAnnotation="YES")))
    (src / "Kanarienvogel.txt").write_text("Zwitscherine")
    return src


def test_folder_is_deidentified_and_every_file_accounted_for(engine, folder, tmp_path):
    seen = []
    report = anonymize_folder(folder, tmp_path / "out", engine, on_file=seen.append)
    assert [outcome.status for outcome in report.outcomes] == [
        FileStatus.DONE,
        FileStatus.QUARANTINED,
        FileStatus.SKIPPED,
        FileStatus.DONE,
        FileStatus.DUPLICATE,
    ]
    assert sorted(seen, key=lambda outcome: outcome.number) == list(report.outcomes)
    assert report.kept_back == 1
    written = sorted((tmp_path / "out").rglob("*"))
    files = [path for path in written if path.is_file()]
    assert len(files) == 2
    for path in files:
        ds = pydicom.dcmread(path)
        assert path.name == f"{ds.SOPInstanceUID}.dcm"
        assert path.parent.name == ds.SeriesInstanceUID
        assert path.parent.parent.name == ds.StudyInstanceUID


def test_reports_hold_no_input_path_unless_asked(engine, folder, tmp_path):
    report = anonymize_folder(folder, tmp_path / "out", engine)
    text = json.dumps(report.as_json()) + report.as_text() + repr(report)
    assert "anarien" not in text
    assert "burned-in-annotation" in text
    assert report.as_json()["counts"] == {
        "done": 2, "skipped": 1, "quarantined": 1, "duplicate": 1, "failed": 0,
    }  # fmt: skip
    assert report.as_json()["files"][1]["file"] == 2
    assert str(folder) in json.dumps(report.as_json(paths=True))


def test_a_second_run_gives_the_same_files(engine, folder, tmp_path):
    anonymize_folder(folder, tmp_path / "out", engine)
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*.dcm")}
    anonymize_folder(folder, tmp_path / "out", engine)
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before


def test_output_inside_the_input_is_not_read_again(engine, folder):
    report = anonymize_folder(folder, folder / "out", engine)
    again = anonymize_folder(folder, folder / "out", engine)
    assert len(report.outcomes) == len(again.outcomes) == 5


def test_one_file_is_a_valid_input(engine, folder, tmp_path):
    assert anonymize_folder(folder / "1.dcm", tmp_path / "out", engine).count(FileStatus.DONE) == 1


def test_input_as_output_is_refused(engine, folder):
    with pytest.raises(ValueError, match="another output folder"):
        anonymize_folder(folder, folder, engine)


def test_an_empty_folder_says_so(engine, tmp_path):
    (tmp_path / "in").mkdir()
    assert anonymize_folder(tmp_path / "in", tmp_path / "out", engine).as_text() == "no files found"


def test_a_file_set_stays_one_with_a_new_directory(engine, make_mr, to_bytes, tmp_path):
    source = FileSet()
    originals = tmp_path / "originals"
    originals.mkdir()
    for number in (1, 2):
        path = originals / f"{number}.dcm"
        path.write_bytes(to_bytes(make_mr(number)))
        source.add(path)
    source.write(tmp_path / "in")
    source._stage["t"].cleanup()
    report = anonymize_folder(tmp_path / "in", tmp_path / "out", engine)
    assert report.count(FileStatus.DONE) == 2
    assert report.count(FileStatus.SKIPPED) == 1
    assert report.kept_back == 0
    made = FileSet(tmp_path / "out" / "DICOMDIR")
    assert {Path(instance.path) for instance in made} == {
        tmp_path / "out" / outcome.output for outcome in report.outcomes if outcome.output
    }
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"DICOMDIR", "PT000000"}
    assert {instance.load().SOPInstanceUID for instance in made} == {i.SOPInstanceUID for i in made}
    made._stage["t"].cleanup()
    listed = (tmp_path / "out" / "DICOMDIR").read_bytes().lower()
    assert not any(canary in listed for canary in (b"anarienv", b"pid00815", b"20240229", b"7230010"))
