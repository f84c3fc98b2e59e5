import json

import cv2
import nibabel
import numpy as np
import pytest
import torch
import typer
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from dicom_node.cli.models_train import train
from dicom_node.domain.errors import ConfigurationError, InvalidModelPackage
from inference.manifest import read_manifest
from inference.networks.build import NETWORKS, SEGMENTERS, build_network, stages
from inference.training.command import train_package
from inference.training.package import PackageText
from inference.training.pairs import read_pairs
from inference.training.pretrained import load_pretrained
from inference.training.segmentation import patient_groups, split_groups

app = typer.Typer()
app.callback()(lambda: None)
app.command("train")(train)

TEXT = PackageText(name="toy", title="Toy", licence="CC0-1.0", modalities=("MR",))
CLASSIFIER = {
    "network": "small-cnn",
    "parameters": {"widths": [8, 16]},
    "preprocessing": {"channels": 1, "size": [24, 24], "intensity": {"range": [0, 1]}},
    "loop": {"epochs": 8, "learning_rate": 0.02, "head_factor": 1, "patience": 8},
    "augmentation": {"gamma": 1.1, "curve": 0, "erase": 0, "low_resolution": 0, "border": 0, "marker": 0},
    "abnormal": ["bright"],
    "batch": 8,
}
VOLUMES = {
    "network": "unet",
    "parameters": {"in_channels": 1, "spatial_dims": 3, "channels": [8, 16]},
    "preprocessing": {"divisor": 4, "intensity": {"range": [0, 1]}},
    "segments": ["shape"],
    "loop": {"epochs": 14, "learning_rate": 0.02, "head_factor": 1, "weight_decay": 0, "patience": 14},
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def classes(tmp_path):
    rng = np.random.default_rng(0)
    for name, brightness in (("bright", 220), ("dark", 90)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for n in range(24):
            image = rng.integers(0, 60, (28, 28), dtype=np.uint8)
            y, x = rng.integers(4, 14, 2)
            image[y : y + 9, x : x + 9] = brightness
            cv2.imwrite(str(tmp_path / "data" / name / f"{name}{n}.png"), image)
    return tmp_path / "data"


@pytest.fixture
def volumes(tmp_path):
    """Volumes that hold an L, which no mirroring or turn maps onto itself, stored in different directions."""
    rng = np.random.default_rng(1)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for n in range(8):
        mask = np.zeros((18, 20, 22), dtype=np.uint8)
        x, y, z = rng.integers(2, 7, 3)
        mask[x : x + 9, y : y + 4, z : z + 4] = 1
        mask[x : x + 3, y : y + 10, z : z + 6] = 1
        image = np.clip(mask * 0.6 + rng.normal(0.2, 0.08, mask.shape), 0, 1).astype(np.float32)
        flipped = n % 2
        affine = np.diag([-1.0 if flipped else 1.0, 1.0, 1.0, 1.0])
        for folder, array in (("images", image), ("masks", mask)):
            stored = array[::-1] if flipped else array
            nibabel.save(nibabel.Nifti1Image(stored, affine), tmp_path / "data" / folder / f"{n}.nii.gz")
    return tmp_path / "data"


def test_a_classifier_learns_and_its_package_holds_what_was_judged(classes, tmp_path):
    lines = []
    out = tmp_path / "package"
    figures = train_package(classes, out, TEXT, CLASSIFIER, report=lines.append)
    assert figures["auc"] > 0.9
    assert any(line.startswith("epoch 1/8") for line in lines)
    manifest = read_manifest(out)
    assert [one.name for one in manifest.classification.classes] == ["bright", "dark"]
    assert [one.abnormal for one in manifest.classification.classes] == [True, False]
    record = json.loads((out / "training.json").read_text())
    assert sum(map(sum, record["splits"].values())) == 48
    assert sorted(path.name for path in out.iterdir()) == [
        "model.yaml",
        "training.json",
        "weights.safetensors",
    ]
    weights = load_file(out / "weights.safetensors")
    assert {t.dtype for t in weights.values() if t.is_floating_point()} == {torch.float16}
    build_network("small-cnn", **manifest.adapter.parameters).load_state_dict(weights)


def test_a_record_names_the_weights_to_start_from_without_their_folder(classes, tmp_path):
    start = build_network("small-cnn", classes=2, widths=[8, 16])
    torch.save(start.state_dict(), tmp_path / "start.pt")
    plan = {**CLASSIFIER, "pretrained": str(tmp_path / "start.pt"), "loop": {"epochs": 1}}
    train_package(classes, tmp_path / "package", TEXT, plan, report=lambda line: None)
    record = (tmp_path / "package" / "training.json").read_text()
    assert json.loads(record)["plan"]["pretrained"] == "start.pt"
    assert str(tmp_path) not in record


def test_a_training_that_was_broken_off_ends_as_an_unbroken_one(classes, tmp_path):
    def broken(line):
        if line.startswith("epoch 3/"):
            raise KeyboardInterrupt

    plan = {**CLASSIFIER, "loop": {**CLASSIFIER["loop"], "epochs": 5}, "mixup": 0.0}
    train_package(classes, tmp_path / "unbroken", TEXT, plan, report=lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        train_package(classes, tmp_path / "broken", TEXT, plan, report=broken)
    train_package(classes, tmp_path / "broken", TEXT, plan, report=lambda line: None)
    one, other = (load_file(tmp_path / name / "weights.safetensors") for name in ("unbroken", "broken"))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], msg=name)


def test_a_cross_validation_is_taken_up_by_the_card_of_the_same_recipe(classes, tmp_path):
    plan = {**CLASSIFIER, "loop": {**CLASSIFIER["loop"], "epochs": 4}}
    out = tmp_path / "package"
    figures = train_package(classes, out, TEXT, plan, folds=3, report=lambda line: None)
    assert [path.name for path in out.iterdir()] == ["cross-validation.json"]
    record = json.loads((out / "cross-validation.json").read_text())
    tested = [fold["splits"]["test"] for fold in record["by_fold"]]
    assert np.sum(tested, axis=0).tolist() == [24, 24]
    areas = [fold["test"]["auc"] for fold in record["by_fold"]]
    assert figures["auc"]["mean"] == pytest.approx(np.mean(areas), abs=1e-4)
    assert figures["auc"]["least"] == min(areas)
    train_package(classes, out, TEXT, plan, report=lambda line: None)
    limits = read_manifest(out).card.limits
    assert f"auc {figures['auc']['mean']:.3f} (sd {figures['auc']['sd']:.3f})" in limits[1]
    other = {**plan, "mixup": 0.1}
    train_package(classes, out, TEXT, other, report=lambda line: None)
    assert not any("cross-validation" in line for line in read_manifest(out).card.limits)


@pytest.mark.parametrize("told_by", ["table", "names"])
def test_volumes_of_a_patient_lie_in_one_split(tmp_path, told_by):
    data = tmp_path / "data"
    rows = ["name,patient"]
    for n in range(9):
        name = f"{n}" if told_by == "table" else f"sub-0{n // 3}_ses-{n % 3}_T1w"
        rows.append(f"{name}.nii.gz,p{n // 3}")
        for folder in ("images", "masks"):
            (data / folder).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(np.zeros((3, 4, 5), dtype=np.uint8), np.eye(4))
            nibabel.save(image, data / folder / f"{name}.nii.gz")
    if told_by == "table":
        (data / "patients.csv").write_text("\n".join(rows), encoding="utf-8")
    groups = patient_groups(read_pairs(data))
    assert groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    parts = split_groups(groups, seed=1)
    assert sorted(len(part) for part in parts) == [3, 3, 3]
    assert all(len(set(groups[part])) == 1 for part in parts)
    with pytest.raises(ConfigurationError, match="at least three patients"):
        split_groups(groups[:6], seed=1)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,patient\n0,a\n", "does not say whose 1.nii.gz is"),
        ("file,patient\n0,a\n", "needs the columns name and patient"),
        ("name,patient\n0,\n", "both in every line"),
    ],
)
def test_a_table_of_patients_with_a_fault_is_refused(volumes, table, words):
    (volumes / "patients.csv").write_text(table, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        read_pairs(volumes)


def test_a_segmenter_is_not_cross_validated(volumes, tmp_path):
    with pytest.raises(ConfigurationError, match="leave --folds out"):
        train_package(volumes, tmp_path / "out", TEXT, VOLUMES, folds=3, report=lambda line: None)


def test_a_checkpoint_of_another_training_is_refused(classes, tmp_path):
    (tmp_path / "out" / "checkpoints").mkdir(parents=True)
    torch.save({"network": {}}, tmp_path / "out" / "checkpoints" / "checkpoint.pt")
    with pytest.raises(ConfigurationError, match="another training"):
        train_package(classes, tmp_path / "out", TEXT, CLASSIFIER, report=lambda line: None)


def test_a_segmenter_of_volumes_finds_an_asymmetric_shape(volumes, tmp_path):
    figures = train_package(volumes, tmp_path / "package", TEXT, VOLUMES, report=lambda line: None)
    assert figures["dice"]["shape"] > 0.9
    manifest = read_manifest(tmp_path / "package")
    assert [one.label for one in manifest.segments] == ["Shape"]


def test_a_segmenter_of_pictures_finds_an_asymmetric_shape(tmp_path):
    rng = np.random.default_rng(2)
    for n in range(16):
        mask = np.zeros((40, 44), dtype=np.uint8)
        y, x = rng.integers(2, 16, 2)
        mask[y : y + 16, x : x + 6] = 255
        mask[y + 10 : y + 16, x : x + 18] = 255
        image = np.clip(mask * 0.6 + rng.normal(50, 15, mask.shape), 0, 255).astype(np.uint8)
        for folder, array in (("images", image), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{n}.png"), array)
    plan = {
        **VOLUMES,
        "parameters": {"in_channels": 1, "spatial_dims": 2, "channels": [8, 16]},
        "preprocessing": {"size": [48, 48], "intensity": {"range": [0, 1]}},
    }
    figures = train_package(tmp_path, tmp_path / "package", TEXT, plan, report=lambda line: None)
    assert figures["dice"]["shape"] > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flavour": 1}, "flavour is unknown"),
        ({"batch": "many"}, "batch is a int"),
        ({"loop": {"epoch": 3}}, "epoch is unknown"),
        ({"loop": {"device": "abacus"}}, "device"),
        ({"abnormal": ["purple"]}, "purple"),
        ({"network": "unet"}, "segments"),
    ],
)
def test_a_plan_that_does_not_fit_says_why(classes, tmp_path, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        train_package(classes, tmp_path / "out", TEXT, {**CLASSIFIER, **changes}, report=lambda line: None)


def test_masks_that_do_not_fit_are_named(tmp_path):
    for folder, side in (("images", 20), ("masks", 21)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.zeros((side, 20), np.uint8))
    with pytest.raises(ConfigurationError, match=r"a\.png has another size"):
        train_package(tmp_path, tmp_path / "out", TEXT, VOLUMES, report=lambda line: None)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_gives_a_value_a_class_and_takes_its_own_weights(name):
    pictures = {"spatial_dims": 2} if name in ("unet", "segresnet") else {}
    # Without memory or arithmetic: only shapes are looked at.
    with torch.device("meta"):
        network = build_network(name, classes=3, in_channels=1, **pictures).eval()
        scores = network(torch.zeros(2, 1, 64, 64))
    assert scores.shape == ((2, 3, 64, 64) if name in SEGMENTERS else (2, 3))
    assert len(stages(network)) >= 2


@pytest.mark.parametrize("name", ["densenet121", "efficientnet-b0", "segresnet", "small-cnn", "unet"])
def test_networks_of_volumes_build(name):
    with torch.device("meta"):
        network = build_network(name, classes=2, in_channels=1, spatial_dims=3).eval()
        scores = network(torch.zeros(1, 1, 32, 32, 32))
    assert scores.shape == ((1, 2, 32, 32, 32) if name in SEGMENTERS else (1, 2))


@pytest.mark.parametrize("name", ["efficientnet-lite0", "pvt"])
def test_untrained_weights_of_one_network_give_the_same_answer_in_another(name, tmp_path):
    torch.manual_seed(4)
    first, second = (build_network(name, classes=3).eval() for _ in range(2))
    torch.save(first.state_dict(), tmp_path / "untrained.pt")
    load_pretrained(second, tmp_path / "untrained.pt")
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(first(picture), second(picture))


def test_weights_are_matched_by_order_where_names_differ_and_other_architectures_are_refused(tmp_path):
    torch.manual_seed(5)
    given = build_network("small-cnn", classes=2)
    torch.save({f"x.{k}": v for k, v in given.state_dict().items()}, tmp_path / "renamed.pt")
    own = build_network("small-cnn", classes=3)
    load_pretrained(own, tmp_path / "renamed.pt")
    torch.testing.assert_close(own.features[0].weight, given.features[0].weight)
    with pytest.raises(ConfigurationError, match="another architecture"):
        load_pretrained(build_network("pvt", classes=2), tmp_path / "renamed.pt")
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    with pytest.raises(ConfigurationError, match="loaded safely"):
        load_pretrained(own, tmp_path / "broken.pt")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("resnet-1000", {}, "no network is called"),
        ("small-cnn", {"colour": "red"}, "parameters"),
        ("small-cnn", {"spatial_dims": 4}, "spatial_dims"),
        ("pvt", {"widths": [8, 8]}, "four numbers"),
        ("segformer", {"widths": [8, 9, 10, 11]}, "multiples"),
    ],
)
def test_a_network_that_cannot_be_built_is_an_invalid_package(name, parameters, message):
    with pytest.raises(InvalidModelPackage, match=message):
        build_network(name, classes=2, **parameters)


def test_the_command_trains_a_segmenter_and_says_where_it_is(volumes, tmp_path):
    plan = tmp_path / "plan.yaml"
    parts = {"parameters": VOLUMES["parameters"], "preprocessing": VOLUMES["preprocessing"]}
    plan.write_text(yaml.safe_dump({**parts, "loop": {"patience": 2}}), encoding="utf-8")
    out = tmp_path / "My lesions"
    asked = [
        "--task",
        "segmentation",
        "--segments",
        "lesion",
        "--plan",
        plan,
        "--epochs",
        2,
        "--modality",
        "MR",
    ]
    result = CliRunner().invoke(app, ["train", *map(str, (volumes, "--out", out, *asked))])
    assert result.exit_code == 0, result.output
    assert "epoch 2/2" in result.output
    manifest = read_manifest(out)
    assert (manifest.name, manifest.segments[0].label) == ("my-lesions", "Lesion")
    assert json.loads((out / "training.json").read_text())["plan"]["loop"]["learning_rate"] == 0.005


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (["nowhere"], 1, "nowhere is not there"),
        (["nowhere", "--task", "poetry"], 2, "classification, segmentation"),
        (["nowhere", "--task", "segmentation"], 1, "--segments"),
        (["nowhere", "--task", "segmentation", "--segments", "a"], 1, "images and masks"),
    ],
)
def test_the_command_says_what_is_missing(tmp_path, monkeypatch, asked, code, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["train", *asked, "--out", "out"])
    assert result.exit_code == code
    assert message in " ".join(result.output.split())
