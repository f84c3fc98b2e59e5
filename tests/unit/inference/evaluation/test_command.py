"""`models evaluate` on packages of a few lines: the whole way from data to the three reports."""

import csv
import json

import cv2
import nibabel
import numpy as np
import pytest
from toy_package import toy_manifest, write_package
from typer.testing import CliRunner

from dicom_node.cli.models import app

SQUARE = (slice(6, 14), slice(4, 16))


def classifier(folder):
    """A package that calls a picture abnormal by how bright its middle is."""
    manifest = toy_manifest()
    manifest |= {"name": "bright", "task": "classification"}
    manifest["input"] |= {"kind": "image", "min_slices": 1}
    manifest["gates"] = {"before": [], "after": []}
    manifest["outputs"] = {
        "label": "{class_label}",
        "classification": {
            "mode": "multi-class",
            "classes": [
                {"name": "dark", "label": "Dark", "code": ["17621005", "SCT", "Normal"], "abnormal": False},
                {"name": "bright", "label": "Bright", "code": ["263654008", "SCT", "Abnormal"]},
            ],
        },
    }
    manifest["adapter"] = {"kind": "python", "target": "toy_model:BrightClassifier"}
    return write_package(folder, manifest)


def picture(path, level, rng):
    image = rng.normal(60, 12, (24, 24))
    image[8:16, 8:16] = rng.normal(level, 12, (8, 8))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image.clip(0, 255).astype(np.uint8))


def run(*arguments):
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("packages") / "bright")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Twenty pictures of ten patients, of which the model gets two wrong; the second scanner's are both."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(5)
    rows = []
    for number in range(20):
        abnormal = number % 2 == 1
        wrong = number in {3, 6}
        picture(folder / "p" / f"{number}.png", 220 if abnormal != wrong else 30, rng)
        rows.append(
            {
                "path": f"p/{number}.png",
                "label": "bright" if abnormal else "dark",
                "patient": f"patient {number // 2}",
                "scanner": "B" if number in {3, 6, 8, 9} else "A",
            }
        )
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "table.csv"


def test_classifier_is_judged_with_misses_first_and_by_subgroup(bright, table, tmp_path):
    code, output = run(bright, "--data", table, "--out", tmp_path / "report")
    assert code == 0, output
    report = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    binary = report["figures"]["binary"]
    assert binary["counts"] == {
        "true_positive": 9, "false_negative": 1, "false_positive": 1, "true_negative": 9
    }  # fmt: skip
    assert report["figures"]["confusion"] == [[9, 1], [1, 9]]
    assert output.index("false negative rate") < output.index("accuracy")
    groups = report["subgroups"]["scanner"]
    assert groups["A"]["accuracy"] == 1.0
    assert groups["B"]["accuracy"] == 0.5
    assert groups["B"]["small"]


def test_reports_are_whole_and_name_no_patient_and_no_file(bright, table, tmp_path):
    run(bright, "--data", table, "--out", tmp_path)
    page = (tmp_path / "evaluation.html").read_text()
    assert page.count("<svg") == 3
    assert "Research use only" in page
    for loading in ("<script", "<link", "<img", " src=", "@import"):
        assert loading not in page
    assert (tmp_path / "evaluation.pdf").read_bytes().startswith(b"%PDF")
    for name in ("evaluation.json", "evaluation.html"):
        text = (tmp_path / name).read_text()
        assert "patient 3" not in text
        assert "3.png" not in text


def test_same_data_and_seed_give_the_same_report(bright, table, tmp_path):
    for place in ("one", "two"):
        run(bright, "--data", table, "--out", tmp_path / place)
    for name in ("evaluation.json", "evaluation.html", "evaluation.pdf"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_data_of_other_classes_are_refused_with_the_packages_own(bright, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        picture(tmp_path / name / "1.png", 99, rng)
    code, output = run(bright, "--data", tmp_path)
    assert code == 1
    assert "dark, bright" in output


def test_segmenter_is_judged_by_overlap_in_millimetres(tmp_path):
    package = write_package(tmp_path / "toy", toy_manifest())
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    for number in range(2):
        voxels = np.full((20, 20, 4), 10, np.int16)
        voxels[(*SQUARE, slice(1, 3))] = 200
        mask = (voxels > 100).astype(np.uint8)
        if number:
            mask[4:6, 4:16, 1:3] = 1  # the reference has two more rows
        for folder, values in (("images", voxels), ("masks", mask)):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            path = tmp_path / "data" / folder / f"case{number}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(values, affine), path)
    code, output = run(package, "--data", tmp_path / "data", "--json")
    assert code == 0, output
    figures = json.loads(output[output.index("{") :])["figures"]["Bright"]
    assert [row["dice"] for row in figures["each"]] == [1.0, pytest.approx(2 * 8 / 18, abs=1e-4)]
    assert figures["hausdorff_mm"]["worst"] == 4.0
    assert figures["volume_ml"]["bias"] == pytest.approx(-2 * 12 * 2 * 6 / 1000 / 2)
