"""Classification: as by hand, on slices, pictures and volumes; heat lies on the grid of the source."""

import numpy as np
import pytest
import torch
from task_packages import Network, classifier_manifest
from toy_package import write_package

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.manifest import read_manifest
from inference.preprocess.picture import PictureRules, prepare_picture
from inference.runner.adapter import ModelInput
from inference.tasks.classification import ClassificationAdapter

AXIAL = np.eye(4)[:, [2, 1, 0, 3]]
#: (slices, rows, columns) run left, superior, posterior here.
SAGITTAL = np.array([[2.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@pytest.fixture
def adapter(tmp_path):
    def made(network, **changes):
        raw = classifier_manifest(**{k: v for k, v in changes.items() if k not in ("input", "explanation")})
        raw["input"] |= changes.get("input", {})
        if "explanation" in changes:
            raw["outputs"]["explanation"] = changes["explanation"]
        folder = tmp_path / f"package-{len(list(tmp_path.iterdir()))}"
        return ClassificationAdapter(read_manifest(write_package(folder, raw)), network, "cpu")

    return made


class Net(torch.nn.Module):
    """A small convolutional network with random weights: three classes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2)
        )
        self.last = torch.nn.Linear(24, 3)

    def forward(self, batch):
        return self.last(self.layers(batch).flatten(1))


class Loaded:
    """`LoadedNetwork` over a module."""

    def __init__(self, module):
        self.module = module.eval()

    def __call__(self, batch):
        with torch.inference_mode():
            return {"output": self.module(torch.from_numpy(batch)).numpy()}


def test_slices_give_what_torch_gives(adapter):
    voxels = np.random.default_rng(1).random((5, 9, 12), dtype=np.float32)
    rules = {"size": [16, 16], "intensity": {"percentiles": [1, 99]}}
    found = adapter(Loaded(Net()), preprocessing=rules, temperature=0.5).predict(ModelInput(voxels, AXIAL))
    images = np.stack([prepare_picture(plane, PictureRules.of(rules))[0] for plane in voxels])
    with torch.inference_mode():
        expected = torch.softmax(Net()(torch.from_numpy(images)) / 0.5, dim=1).numpy()
    np.testing.assert_allclose(found.slice_probability, expected, atol=1e-6)
    np.testing.assert_allclose(list(found.classes.values()), expected.mean(axis=0), atol=1e-6)
    assert list(found.classes) == ["none", "glioma", "meningioma"]
    assert found.slice_index == (0, 1, 2, 3, 4)
    assert found.facts["slices"] == 5
    assert found.confidence == pytest.approx(expected.mean(axis=0).max(), abs=1e-6)


def brightness(batch):
    """Speaks for the second class where the images are bright, for the third where they are not."""
    mean = batch.reshape(len(batch), -1).mean(axis=1)
    return np.stack([np.full_like(mean, -9), mean, 1 - mean], axis=1)


def test_a_sagittal_series_is_cut_axially_and_only_where_the_head_is(adapter):
    voxels = np.zeros((10, 40, 30), dtype=np.float32)
    voxels[2:8, 20:30, 5:25] = 1
    seen = []
    network = Network(lambda batch: (seen.append(batch), brightness(batch))[1])
    selection = {"orientation": "axial", "span": [0, 1], "count": 4}
    made = adapter(network, input={"selection": {**selection, "span": [0.01, 0.99]}})
    found = made.predict(ModelInput(voxels, SAGITTAL))
    # All four axial slices lie in the head: as bright as its share of the picture.
    assert len(seen[0]) == 4
    assert (seen[0].mean(axis=(1, 2, 3)) > 0.2).all()
    assert found.slice_index == ()
    assert found.slice_probability is None


def test_pictures_of_a_cut_have_square_pixels_and_stand_upright(adapter):
    voxels = np.zeros((10, 40, 30), dtype=np.float32)
    # The voxel most to the left, in front, and its axial slice: 20 mm wide, 30 mm long.
    voxels[8:, 20, 0:5] = 1
    seen = []
    network = Network(lambda batch: (seen.append(batch), brightness(batch))[1])
    made = adapter(
        network,
        preprocessing={"size": [30, 30], "intensity": {"range": [0, 1]}},
        input={"selection": {"orientation": "axial", "count": 40}},
    )
    made.predict(ModelInput(voxels, SAGITTAL))
    images = np.concatenate(seen)[:, 0]
    (image,) = images[images.max(axis=(1, 2)) > 0]
    rows, columns = np.nonzero(image > 0.5)
    # 20 of 30 columns hold the head: 5 of padding on either side. Left is at the right, the front on top.
    assert (rows.min(), rows.max()) == (0, 4)
    assert (columns.min(), columns.max()) == (21, 24)


def test_a_network_with_one_output_speaks_for_the_second_of_two_classes(adapter):
    network = Network(lambda batch: np.full((len(batch), 1), 2.0, np.float32))
    found = adapter(network, classes=("none", "glioma")).predict(
        ModelInput(np.ones((1, 4, 4), np.float32), None)
    )
    assert found.classes["glioma"] == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_volume_network_sees_the_volume_once(adapter):
    seen = []
    network = Network(lambda batch: (seen.append(batch.shape), brightness(batch))[1])
    found = adapter(network, preprocessing={"size": [8, 9, 10]}).predict(
        ModelInput(np.random.default_rng(0).random((20, 30, 40), dtype=np.float32), AXIAL)
    )
    assert seen == [(1, 1, 8, 9, 10)]
    assert found.facts["slices"] == 1
    assert found.slice_probability is None


def test_colour_images_without_a_place_are_taken_as_they_are(adapter):
    network = Network(brightness)
    voxels = np.zeros((2, 6, 6, 3), np.float32)
    voxels[..., 0] = 255
    rules = {"size": [6, 6], "channels": 3, "intensity": {"range": [0, 255]}}
    found = adapter(network, preprocessing=rules).predict(ModelInput(voxels, None))
    expected = np.exp([-9, 1 / 3, 2 / 3]) / np.exp([-9, 1 / 3, 2 / 3]).sum()
    np.testing.assert_allclose(list(found.classes.values()), expected, atol=1e-4)


def corner(batch):
    """Looks at the first quarter of the image only: dark below, bright above what it was."""
    half = [slice(0, n // 2) for n in batch.shape[2:]]
    mean = batch[(slice(None), 0, *half)].reshape(len(batch), -1).mean(axis=1)
    return np.stack([-mean, 4 * mean, 0 * mean], axis=1)


@pytest.mark.parametrize("shape", [(3, 40, 40), (3, 41, 21)])
def test_heat_lies_on_the_source_where_the_network_looked(adapter, shape):
    made = adapter(
        Network(corner),
        preprocessing={"size": [32, 32], "fit": "stretch", "intensity": {"range": [0, 1]}},
        explanation={"method": "grad-cam", "slices": 2},
    )
    voxels = np.random.default_rng(3).random(shape, dtype=np.float32) / 2
    voxels[1] *= 2
    heat = made.predict(ModelInput(voxels, AXIAL)).heat
    assert heat.target == "glioma"
    assert heat.method == "Occlusion sensitivity"
    assert heat.values.shape == (2, *shape[1:])
    assert 1 in heat.slices
    rows, columns = shape[1] // 2, shape[2] // 2
    warm = heat.values[heat.slices.index(1)]
    assert warm[: rows - 4, : columns - 4].mean() > 4 * warm[rows + 4 :, columns + 4 :].mean()


def test_heat_of_a_reformatted_series_lies_on_its_own_slices(adapter):
    made = adapter(
        Network(corner),
        preprocessing={"size": [32, 32], "fit": "stretch", "intensity": {"range": [0, 1]}},
        input={"selection": {"orientation": "axial", "count": 4}},
        explanation={"method": "occlusion", "slices": 3},
    )
    voxels = np.random.default_rng(3).random((12, 20, 24), dtype=np.float32)
    heat = made.predict(ModelInput(voxels, SAGITTAL)).heat
    assert heat.values.shape == (3, 20, 24)
    # The first columns of an axial picture are the patient's right: slices ascend to the left here.
    assert max(heat.slices) < 6
    # The first rows are anterior: so are the first columns of these sagittal slices.
    assert heat.values[..., :10].mean() > 4 * heat.values[..., 14:].mean()


def test_a_gpu_without_room_is_asked_with_half_as_many_images(adapter):
    class OutOfMemoryError(RuntimeError):
        pass

    def small(batch):
        if len(batch) > 3:
            raise OutOfMemoryError
        return brightness(batch)

    network = Network(small)
    voxels = np.random.default_rng(1).random((11, 8, 8), dtype=np.float32)
    found = adapter(network).predict(ModelInput(voxels, AXIAL))
    expected = adapter(Network(brightness)).predict(ModelInput(voxels, AXIAL))
    np.testing.assert_array_equal(found.slice_probability, expected.slice_probability)
    assert network.batches == [11, 8, 4, 2, 2, 2, 2, 2, 1]


def test_a_feed_hides_what_is_outside(adapter):
    raw = {"size": [8, 8], "intensity": {"range": [0, 1]}, "within": "brain.mask"}
    with pytest.raises(InvalidModelPackage, match="within"):
        adapter(Network(brightness), preprocessing=raw)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (lambda batch: np.zeros((len(batch), 5), np.float32), "gives 5 values"),
        (lambda batch: np.full((len(batch), 3), np.nan, np.float32), "no numbers"),
    ],
)
def test_what_is_no_probability_of_the_classes_fails_with_its_reason(adapter, network, text):
    with pytest.raises(InferenceFailed, match=text):
        adapter(Network(network)).predict(ModelInput(np.ones((1, 4, 4), np.float32), None))


@pytest.mark.parametrize(
    "changes",
    [
        {"postprocessing": {"activation": "tanh"}},
        {"postprocessing": {"activatoin": "softmax"}},
        {"preprocessing": {"size": [8, 8], "batch": 0}},
        {"preprocessing": {"size": [8, 8, 8], "spacing_mm": [1, 1, 1]}},
        {"preprocessing": {"size": [8, 8, 8], "intensity": {"percentile": [1, 2]}}},
    ],
)
def test_rules_that_make_no_sense_are_refused(adapter, changes):
    with pytest.raises(InvalidModelPackage):
        adapter(Network(brightness), **changes)
