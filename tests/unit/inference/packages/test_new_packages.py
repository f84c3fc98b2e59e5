"""New packages run as they are written, whatever their task and kind; a bundle becomes one unchanged."""

import copy
import filecmp
import re
import sys

import numpy as np
import pytest
import torch
import yaml
from monai_bundles import METADATA, segmentation_config, write_bundle

from dicom_node.domain.errors import ConfigurationError, InferenceFailed, InvalidModelPackage
from dicom_node.domain.finding import Task
from inference.adapters.build import build_adapter
from inference.adapters.command import CommandAdapter
from inference.contract.inputs import InputKind
from inference.installed_files import find_sample, find_weight
from inference.manifest import read_manifest
from inference.nifti import volume_from_nifti
from inference.packages.check import check_model
from inference.packages.from_bundle import package_from_bundle
from inference.packages.scaffold import new_package
from inference.packages.static import check_package
from inference.packages.trust import TrustStore, look_at
from inference.registry import ModelRegistry
from inference.runner.adapter import ModelInput

# torch wants its users to leave TorchScript; the files that people have are of it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

COMBINATIONS = [
    (task, kind)
    for task in ("segmentation", "classification", "detection", "measurement")
    for kind in ("torchscript", "onnx", "network", "python")
    if not (task == "measurement" and kind != "python") and (task, kind) != ("detection", "network")
]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("task", "kind"), COMBINATIONS)
def test_a_new_package_is_valid_and_its_model_runs(tmp_path, monkeypatch, task, kind):
    folder = new_package(tmp_path / f"my {task} {kind}", task=task, kind=kind, labels=["One", "Two words"])
    manifest = read_manifest(folder)
    assert manifest.name == f"my-{task}-{kind}"
    monkeypatch.syspath_prepend(str(folder.parent))
    assert not [f.text for f in check_package(manifest, ()) if f.error]
    weights = {weight.role: find_weight(manifest, weight) for weight in manifest.weights}
    adapter = build_adapter(manifest, weights, "cpu")
    (sample,) = manifest.samples
    path = find_sample(manifest, sample)
    if path.suffix == ".png":
        given = ModelInput(np.random.default_rng(0).random((1, 40, 30), dtype=np.float32) * 255, None)
    else:
        volume = volume_from_nifti(path)
        given = ModelInput(volume.voxels, volume.affine)
    output = adapter.predict(given)
    if task == "segmentation":
        assert output.mask.shape == given.voxels.shape
    if task == "classification":
        assert sum(output.classes.values()) == pytest.approx(1, abs=1e-3)
        assert set(output.classes) == {"one", "two_words"}
    if task == "detection":
        assert output.detections
    if task == "measurement":
        assert output.facts["mean_value"] == pytest.approx(float(given.voxels.mean()), rel=1e-4)


def test_a_package_with_a_network_of_one_s_own_holds_that_file(tmp_path):
    network = torch.jit.trace(torch.nn.Conv3d(1, 2, 1), torch.zeros(1, 1, 4, 4, 4))
    network.save(str(tmp_path / "mine.ts"))
    folder = new_package(
        tmp_path / "new",
        task="segmentation",
        kind="torchscript",
        weights=tmp_path / "mine.ts",
        labels=["spleen"],
    )
    manifest = read_manifest(folder)
    assert filecmp.cmp(find_weight(manifest, manifest.weights[0]), tmp_path / "mine.ts", shallow=False)
    assert manifest.segments[0].type.value == "78961009"


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="not empty"):
        new_package(tmp_path, task="segmentation", kind="torchscript")
    with pytest.raises(ConfigurationError, match="kind python"):
        new_package(tmp_path / "new", task="measurement", kind="onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_bundle_becomes_a_package_that_runs_when_it_is_trusted(tmp_path):
    bundle = write_bundle(tmp_path / "spleen", segmentation_config())
    folder = package_from_bundle(bundle, tmp_path / "packages" / "spleen")
    manifest = read_manifest(folder)
    assert (manifest.task, manifest.licence, manifest.version) == (Task.SEGMENTATION, "Apache-2.0", "0.5.9")
    assert manifest.title == "Spleen CT segmentation"
    assert manifest.input.modalities == ("CT",)
    assert [(s.label, s.type.value) for s in manifest.segments] == [("spleen", "78961009")]
    assert filecmp.dircmp(bundle, folder / "bundle").diff_files == []
    store = TrustStore(tmp_path / "data")
    store.add(look_at(manifest, at="2026-01-01T00:00:00+00:00", by="erika"))
    adapter = build_adapter(manifest, {"bundle": folder / "bundle"}, "cpu", trusted=store.digests())
    voxels = np.zeros((6, 8, 8), dtype=np.float32)
    voxels[2:4, 3:6, 2:5] = 300
    output = adapter.predict(ModelInput(voxels, np.diag([2.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]))
    assert np.array_equal(output.mask > 0, voxels > 100)


@pytest.mark.parametrize(
    ("image", "prediction", "task", "kind", "count"),
    [
        (
            {"modality": "Mammogram", "spatial_shape": [299, 299], "num_channels": 3},
            {
                "type": "image",
                "format": "labels",
                "spatial_shape": [1, 4],
                "channel_def": dict(enumerate("ABCD")),
            },
            Task.CLASSIFICATION,
            InputKind.IMAGE,
            4,
        ),
        (
            {"modality": "CT", "spatial_shape": ["16*n", "16*n", "8*n"]},
            {"type": "object", "format": "dict", "num_channels": 1},
            Task.DETECTION,
            InputKind.VOLUME,
            1,
        ),
        (
            {"modality": "MRI"},
            {"type": "image", "channel_def": {"0": "background", "1": "a", "4": "b"}},
            Task.SEGMENTATION,
            InputKind.VOLUME,
            2,
        ),
        ({}, {}, Task.SEGMENTATION, InputKind.VOLUME, 1),
    ],
)
def test_task_input_and_outputs_of_a_bundle_come_from_its_metadata(
    tmp_path, image, prediction, task, kind, count
):
    metadata = copy.deepcopy(METADATA)
    if prediction.get("channel_def"):
        prediction["channel_def"] = {str(k): v for k, v in prediction["channel_def"].items()}
    metadata["network_data_format"] = {"inputs": {"image": image}, "outputs": {"pred": prediction}}
    bundle = write_bundle(tmp_path / "b", segmentation_config(), metadata=metadata)
    manifest = read_manifest(package_from_bundle(bundle, tmp_path / "new"))
    outputs = manifest.segments or manifest.detections or manifest.classification.classes
    assert (manifest.task, manifest.input.kind, len(outputs)) == (task, kind, count)
    if task is Task.SEGMENTATION and count == 2:
        assert manifest.adapter.parameters["labels"] == [1, 4]


PROGRAM = """
import os, sys, nibabel, numpy
image = nibabel.load(sys.argv[1])
assert os.environ["https_proxy"] == "http://127.0.0.1:9" and os.environ["WHERE"] == "cpu"
labels = (numpy.asarray(image.dataobj) > 100) * 5
nibabel.save(nibabel.Nifti1Image(labels.astype("uint8"), image.affine), sys.argv[2])
"""


def test_a_program_is_handed_the_volume_and_its_labels_come_back(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    adapter = CommandAdapter(
        {"script": tmp_path / "program.py"},
        "cpu",
        command=[sys.executable, "{script}", "{input}", "{output}"],
        labels=[5],
        environment={"WHERE": "{device}"},
    )
    voxels = np.zeros((3, 5, 7), dtype=np.float32)
    voxels[1, 2, 4] = 200
    affine = np.array([[0, 0, 1, 3], [0, -1, 0, 5], [2, 0, 0, 7], [0, 0, 0, 1]], dtype=np.float64)
    output = adapter.predict(ModelInput(voxels, affine))
    assert np.array_equal(output.mask, (voxels > 100).astype(np.uint8))


def test_a_program_that_is_not_installed_or_fails_is_told(tmp_path):
    with pytest.raises(InvalidModelPackage, match="no-such-program is not installed"):
        CommandAdapter({}, "cpu", command=["no-such-program"])
    given = ModelInput(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4))
    with pytest.raises(InferenceFailed, match="exit status 3"):
        CommandAdapter({}, "cpu", command=[sys.executable, "-c", "exit(3)"]).predict(given)
    with pytest.raises(InferenceFailed, match="no result"):
        CommandAdapter({}, "cpu", command=[sys.executable, "-c", "pass"]).predict(given)


def test_a_check_runs_each_sample_in_the_model_process_measures_it_and_judges_it(tmp_path):
    folder = new_package(tmp_path / "cls", task="classification", kind="onnx", labels=["one", "two"])
    raw = yaml.safe_load((folder / "model.yaml").read_text())
    sample = raw.pop("sample")
    raw["samples"] = [{**sample, "expected_class": name} for name in ("one", "two")]
    (folder / "model.yaml").write_text(yaml.safe_dump(raw))
    report = check_model(ModelRegistry.load([folder]), "cls", device="cpu", timeout_s=120)
    assert len(report.trials) == 2
    for trial in report.trials:
        assert trial.cold_s > trial.warm_s > 0
        assert trial.peak_mb > 20
    # It can say only one of the two.
    (wrong,) = report.errors
    assert re.fullmatch(r"sample\.png: it says (one, expected two|two, expected one)", wrong.text)
    assert report.as_json()["passed"] is False
