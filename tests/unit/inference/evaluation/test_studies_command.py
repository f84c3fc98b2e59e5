"""`models evaluate` on folders of DICOM studies: from files to the three reports, with a model that runs."""

import json
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from model_series import mr_slices
from pydicom.sr.codedict import codes
from reference_reports import code, drawn, group, report
from toy_package import toy_manifest, write_package
from typer.testing import CliRunner

from dicom_node.cli.models import app

BOX = (slice(2, 5), slice(6, 14), slice(4, 16))
NODULE = ["27925004", "SCT", "Nodule"]


#: What highdicom wants to know of a patient and a study.
IDENTITY = dict.fromkeys(
    ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
     "ReferringPhysicianName"), "",
) | {"PatientID": "PSEUDO-4711", "SliceThickness": "2"}  # fmt: skip


@pytest.fixture
def slices(tmp_path, monkeypatch):
    """A series in a folder, bright in a box; voxels of 2 x 1 x 0.5 mm."""
    monkeypatch.setenv("PYTHONPATH", str(Path(toy_manifest.__code__.co_filename).parent))
    voxels = np.full((8, 20, 20), 10, np.uint16)
    voxels[BOX] = 200
    made = mr_slices(voxels, **IDENTITY)
    for number, ds in enumerate(made):
        save(ds, tmp_path / "data" / f"{number}.dcm")
    return made


def save(ds, path):
    path.parent.mkdir(exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def run(package, folder, *arguments):
    result = CliRunner().invoke(app, ["evaluate", str(package), "--data", str(folder), *map(str, arguments)])
    return result.exit_code, result.output


def test_detector_is_judged_by_a_report_and_what_is_left_out_is_named(tmp_path, slices):
    manifest = toy_manifest() | {"task": "detection"}
    manifest["outputs"] = {
        "label": "boxes",
        "detections": [{"name": "nodule", "label": "Nodule", "code": NODULE, "cielab": [60, 40, 30]}],
    }
    manifest["adapter"]["target"] = "toy_tasks:ToyDetector"
    manifest["gates"]["after"] = []
    package = write_package(tmp_path / "boxes", manifest)
    uids = {"evidence": [ds.SOPInstanceUID for ds in slices], "study": slices[0].StudyInstanceUID}
    outline = drawn("POLYLINE", [4, 6, 16, 6, 16, 14, 4, 14, 4, 6], slices[3].SOPInstanceUID)
    save(report(group(code(("121071", "DCM"), NODULE), outline), **uids), tmp_path / "data" / "report.dcm")
    silent = report(group(code(("121071", "DCM"), ("233604007", "SCT"))), **uids)
    save(silent, tmp_path / "data" / "other.dcm")
    code_of, output = run(package, tmp_path / "data", "--out", tmp_path / "out", "--overlap", 0.9)
    assert code_of == 0, output
    assert f"left out {silent.SOPInstanceUID}: it says nothing of what the package gives" in output
    text = (tmp_path / "out" / "evaluation.json").read_text()
    figures = json.loads(text)["figures"]["Nodule"]
    assert (figures["sensitivity"], figures["overlap"], figures["cases"]) == (1.0, 0.9, 1)
    for identity in (silent.SOPInstanceUID, slices[0].StudyInstanceUID, "PSEUDO"):
        assert identity not in text
        assert identity not in (tmp_path / "out" / "evaluation.html").read_text()


def test_segmenter_is_judged_by_a_segmentation_in_the_size_that_its_run_told(tmp_path, slices):
    package = write_package(tmp_path / "toy", toy_manifest())
    mask = np.zeros((8, 20, 20), np.uint8)
    mask[BOX] = 1
    described = hd.seg.SegmentDescription(
        1,
        "Brain",
        codes.SCT.Organ,
        codes.SCT.Brain,
        algorithm_type="MANUAL",
        tracking_uid=hd.UID(),
        tracking_id="1",
    )
    reference = hd.seg.Segmentation(
        source_images=slices, pixel_array=mask, segmentation_type="BINARY", segment_descriptions=[described],
        series_instance_uid=hd.UID(), series_number=2, sop_instance_uid=hd.UID(), instance_number=1,
        manufacturer="Elsewhere", manufacturer_model_name="Pencil", software_versions="1",
        device_serial_number="1",
    )  # fmt: skip
    save(reference, tmp_path / "data" / "reference.dcm")
    code_of, output = run(package, tmp_path / "data", "--json")
    assert code_of == 0, output
    made = json.loads(output[output.index("{") :])
    (row,) = made["figures"]["Bright"]["each"]
    assert row["dice"] == 1.0
    assert row["volume_ml"] == pytest.approx(3 * 8 * 12 * 1.0 / 1000)
    assert made["references"] == {
        "read": 1, "used": 1, "made_by_algorithms": 0, "left_out": {}, "parts_left_out": {}
    }  # fmt: skip


def test_folder_without_a_reference_is_refused_with_what_to_do(tmp_path, slices):
    package = write_package(tmp_path / "toy", toy_manifest())
    code_of, output = run(package, tmp_path / "data")
    assert code_of == 1
    assert "put the reference beside the images" in output
