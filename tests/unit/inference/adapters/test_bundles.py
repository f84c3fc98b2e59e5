"""MONAI bundles in the zoo's own layout, as downloaded: the answer comes back on the source's own grid."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from monai_bundles import LEVEL, METADATA, first_format_config, segmentation_config, steep, write_bundle
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.adapters.build import build_adapter
from inference.installed_files import sha256_of
from inference.manifest import read_manifest
from inference.runner.adapter import ModelInput

# torch wants its users to leave TorchScript; the files that people have are of it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def manifest_of(folder, *, parameters=None, **changes):
    """The package `folder`, whose bundle lies in `bundle`."""
    raw = toy_manifest() | changes
    raw["adapter"] = {"kind": "monai-bundle", "target": "bundle", "parameters": parameters or {}}
    raw["weights"] = [{"role": "bundle", "path": "bundle", "sha256": sha256_of(folder / "bundle")}]
    (folder / "model.yaml").unlink(missing_ok=True)
    write_package(folder / "manifest", raw)
    (folder / "manifest" / "model.yaml").rename(folder / "model.yaml")
    (folder / "manifest").rmdir()
    return read_manifest(folder)


def adapter_of(folder, **changes):
    manifest = manifest_of(folder, **changes)
    (weight,) = manifest.weights
    return build_adapter(manifest, {"bundle": folder / "bundle"}, "cpu", trusted={weight.sha256})


def phantom(shape=(12, 20, 26), spacing=(2.0, 1.0, 1.0)):
    """A bright asymmetric shape in a volume whose axes run to unusual sides."""
    voxels = np.zeros(shape, dtype=np.float32)
    voxels[3:7, 4:12, 5:9] = 300
    voxels[6:9, 4:7, 15:22] = 300
    affine = np.zeros((4, 4))
    # Slices run to posterior, rows to superior, columns to right: no axis as RAS or LPS has it.
    affine[:3, 0] = [0, spacing[0], 0]
    affine[:3, 1] = [0, 0, spacing[1]]
    affine[:3, 2] = [-spacing[2], 0, 0]
    affine[:, 3] = [17, -30, 4, 1]
    return voxels, affine


def test_a_bundle_of_today_outlines_what_is_bright_on_the_source_s_grid(tmp_path):
    write_bundle(tmp_path / "bundle", segmentation_config())
    voxels, affine = phantom()
    given = adapter_of(tmp_path).predict(ModelInput(voxels, affine))
    assert given.mask.dtype == np.uint8
    assert np.array_equal(given.mask, (voxels > LEVEL).astype(np.uint8))
    assert given.probability.shape == voxels.shape
    assert given.probability[voxels > LEVEL].min() > 0.5 > given.probability[given.mask == 0].max()
    assert 0.9 < given.confidence <= 1


def test_a_bundle_of_the_first_format_without_inversion_comes_back_too(tmp_path):
    state = {"model": steep(torch.nn.Conv3d(1, 2, 1))}
    write_bundle(tmp_path / "bundle", first_format_config(), folder=".", state=state)
    voxels, affine = phantom()
    given = adapter_of(tmp_path).predict(ModelInput(voxels, affine))
    assert np.array_equal(given.mask, (voxels > LEVEL).astype(np.uint8))


def test_a_resampled_result_without_inversion_is_looked_up_by_its_place(tmp_path):
    config = segmentation_config()
    transforms = config["postprocessing"]["transforms"]
    config["postprocessing"]["transforms"] = [t for t in transforms if t["_target_"] != "Invertd"]
    write_bundle(tmp_path / "bundle", config)
    voxels, affine = phantom()
    given = adapter_of(tmp_path).predict(ModelInput(voxels, affine))
    bright = voxels > LEVEL
    overlap = 2 * (bright & (given.mask > 0)).sum() / (bright.sum() + (given.mask > 0).sum())
    assert overlap > 0.9


def test_a_bundle_of_torchscript_only_is_run(tmp_path):
    config = segmentation_config()
    for key in ("network_def", "checkpointloader"):
        del config[key]
    config["network"] = "$torch.jit.load(@bundle_root + '/models/model.ts').to(@device)"
    root = write_bundle(tmp_path / "bundle", config)
    network = torch.nn.Conv3d(1, 2, 1)
    network.load_state_dict(steep(network))
    torch.jit.script(network).save(str(root / "models" / "model.ts"))
    (root / "models" / "model.pt").unlink()
    voxels, affine = phantom()
    given = adapter_of(tmp_path).predict(ModelInput(voxels, affine))
    assert np.array_equal(given.mask, (voxels > LEVEL).astype(np.uint8))


def test_yaml_and_a_second_file_that_changes_the_first_are_read(tmp_path):
    root = write_bundle(tmp_path / "bundle", segmentation_config())
    (root / "configs" / "extra.yaml").write_text(
        "'+imports': ['$import math']\nimage_key: image\ninferer: {_target_: SimpleInferer}\n"
    )
    voxels, affine = phantom()
    files = {"config": ["configs/inference.json", "configs/extra.yaml"]}
    given = adapter_of(tmp_path, parameters=files).predict(ModelInput(voxels, affine))
    assert np.array_equal(given.mask, (voxels > LEVEL).astype(np.uint8))


def test_labels_of_the_bundle_become_the_manifest_s_segments(tmp_path):
    config = segmentation_config()
    # A bundle's own code may give other numbers than 1, 2, 3.
    config["postprocessing"]["transforms"].insert(
        3, {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x * 7"}
    )
    write_bundle(tmp_path / "bundle", config)
    voxels, affine = phantom()
    given = adapter_of(tmp_path, parameters={"labels": [7]}).predict(ModelInput(voxels, affine))
    assert np.array_equal(given.mask, (voxels > LEVEL).astype(np.uint8))


def classifier_config():
    config = segmentation_config()
    config["network_def"] = (
        "$torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 2))"
    )
    config["preprocessing"]["transforms"] = [
        {"_target_": "LoadImaged", "keys": "@image_key"},
        {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
        {"_target_": "Resized", "keys": "@image_key", "spatial_size": [8, 8]},
    ]
    config["inferer"] = {"_target_": "SimpleInferer"}
    config["postprocessing"]["transforms"] = [
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        {"_target_": "SaveClassificationd", "keys": "pred", "saver": None},
    ]
    return config


def classifier_changes():
    classes = [
        {"name": name, "label": name, "code": ["C0", "99TEST", name], "abnormal": name == "bright"}
        for name in ("dark", "bright")
    ]
    outputs = {"label": "{class_label}", "classification": {"mode": "multi-class", "classes": classes}}
    return {"task": "classification", "outputs": outputs}


def test_a_classifying_bundle_gives_the_probability_of_each_class(tmp_path):
    state = {"2.weight": torch.tensor([[-0.1], [0.1]]), "2.bias": torch.tensor([1.0, -1.0])}
    metadata = copy.deepcopy(METADATA)
    write_bundle(tmp_path / "bundle", classifier_config(), state=state, metadata=metadata)
    changes = classifier_changes()
    changes["input"] = toy_manifest()["input"] | {"kind": "image", "min_slices": 1}
    adapter = adapter_of(tmp_path, **changes)
    pictures = np.stack([np.full((9, 11), value, dtype=np.float32) for value in (0, 25)])
    given = adapter.predict(ModelInput(pictures, None))
    # logits of the second picture: -2.5 + 1 and 2.5 - 1
    expected = 1 / (1 + np.exp([[-2.0, 2.0], [3.0, -3.0]]))
    assert np.allclose(given.slice_probability, expected, atol=1e-4)
    assert np.isclose(given.classes["bright"], expected[:, 1].mean(), atol=1e-4)
    assert given.slice_index == (0, 1)


DETECTOR = """
import torch

class Boxes:
    def __call__(self, inputs, network):
        found = []
        for image in inputs:
            bright = (image[0] > 0.5).nonzero().float()
            box = torch.cat([bright.min(dim=0).values, bright.max(dim=0).values])
            two = torch.stack([box, box + 1])
            scores = torch.tensor([0.9, 0.2])
            found.append({"box": two, "label": torch.tensor([0, 0]), "label_scores": scores})
        return found
"""


def test_a_detecting_bundle_gives_boxes_in_voxels_of_the_source(tmp_path):
    config = segmentation_config()
    config["inferer"] = {"_target_": "scripts.toy_boxes.Boxes"}
    config["dataloader"]["collate_fn"] = "$monai.data.utils.no_collation"
    del config["postprocessing"]
    root = write_bundle(tmp_path / "bundle", config)
    (root / "scripts").mkdir()
    (root / "scripts" / "toy_boxes.py").write_text(DETECTOR)
    category = {"name": "nodule", "label": "Nodule", "code": ["C0", "99TEST", "Nodule"], "cielab": [50, 0, 0]}
    adapter = adapter_of(tmp_path, task="detection", outputs={"label": "Nodules", "detections": [category]})
    voxels, affine = phantom(spacing=(1.0, 1.0, 1.0))
    voxels[:] = 0
    voxels[3:7, 4:12, 5:9] = 400
    given = adapter.predict(ModelInput(voxels, affine))
    (box,) = given.detections
    assert box.name == "nodule"
    assert np.isclose(box.score, 0.9)
    # From centre to centre of the outermost bright voxels, as MONAI counts, in edges from 0.
    assert np.allclose(box.box, (3.5, 4.5, 5.5, 6.5, 11.5, 8.5), atol=1e-3)


def test_a_bundle_that_nobody_trusted_is_refused_and_runs_nothing(tmp_path):
    config = segmentation_config()
    config["device"] = config["imports"][0] = f"$open({str(tmp_path / 'ran')!r}, 'w')"
    write_bundle(tmp_path / "bundle", config)
    manifest = manifest_of(tmp_path)
    with pytest.raises(InvalidModelPackage, match="dicom-node models trust toy"):
        build_adapter(manifest, {"bundle": tmp_path / "bundle"}, "cpu", trusted={"0" * 64})
    assert not (tmp_path / "ran").exists()


def test_a_bundle_for_several_images_is_refused_with_their_names(tmp_path):
    metadata = copy.deepcopy(METADATA)
    image = metadata["network_data_format"]["inputs"]["image"]
    image.update(num_channels=4, channel_def={"0": "T1c", "1": "T1", "2": "T2", "3": "FLAIR"})
    write_bundle(tmp_path / "bundle", segmentation_config(), metadata=metadata)
    with pytest.raises(InvalidModelPackage, match="T1c, T1, T2, FLAIR"):
        adapter_of(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["network_def"].update(_target_="no_such_module.Net"), "network_def"),
        (lambda c: c["network_def"].update(out_channels=3), "does not fit"),
        (lambda c: c["checkpointloader"].update(load_path="models/other.pt"), "other.pt"),
        (lambda c: c["preprocessing"]["transforms"][0].update(keys=["t1", "t2"]), "t1, t2"),
        (lambda c: c["preprocessing"]["transforms"].insert(0, "$monai.transforms.LoadImage()"), "LoadImage"),
        (lambda c: c["preprocessing"]["transforms"][3].update(pixdim="$1/0"), "ZeroDivisionError"),
        (lambda c: c.update(network=3), "no torch module"),
    ],
)
def test_a_bundle_that_cannot_be_made_says_what_is_wrong(tmp_path, change, message):
    config = segmentation_config()
    change(config)
    write_bundle(tmp_path / "bundle", config)
    with pytest.raises(InvalidModelPackage, match=message):
        adapter_of(tmp_path)


def test_a_folder_that_is_no_bundle_says_what_is_missing(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "README.md").write_text("nothing")
    with pytest.raises(InvalidModelPackage, match=r"configs/inference\.json"):
        adapter_of(tmp_path)


def test_a_broken_configuration_says_which_file(tmp_path):
    root = write_bundle(tmp_path / "bundle", segmentation_config())
    (root / "configs" / "inference.json").write_text(json.dumps(segmentation_config())[:-5])
    with pytest.raises(InvalidModelPackage, match=r"inference\.json is no valid JSON"):
        adapter_of(tmp_path)


def test_weights_that_are_a_pickle_of_more_than_tensors_load_with_the_bundle_s_trust(tmp_path):
    root = write_bundle(tmp_path / "bundle", segmentation_config())
    network = torch.nn.Conv3d(1, 2, 1)
    network.load_state_dict(steep(network))
    torch.save({"model": network, "epoch": 3, "note": pickle.PickleBuffer}, root / "models" / "model.pt")
    voxels, affine = phantom()
    given = adapter_of(tmp_path).predict(ModelInput(voxels, affine))
    assert np.array_equal(given.mask, (voxels > LEVEL).astype(np.uint8))


def test_a_volume_without_geometry_is_refused(tmp_path):
    write_bundle(tmp_path / "bundle", segmentation_config())
    with pytest.raises(InferenceFailed, match="geometry"):
        adapter_of(tmp_path).predict(ModelInput(np.zeros((4, 4, 4), dtype=np.float32), None))
