"""Inputs that share batches give what each gives alone."""

import numpy as np
import pytest
import torch
from task_packages import Network, classifier_manifest, segmenter_manifest
from toy_package import write_package

from dicom_node.domain.errors import InferenceFailed
from inference.manifest import read_manifest
from inference.runner.adapter import BatchAdapter, ModelInput, outputs_of
from inference.tasks.batches import Batches
from inference.tasks.classification import ClassificationAdapter
from inference.tasks.detection import DetectionAdapter
from inference.tasks.segmentation import SegmentationAdapter

AXIAL = np.eye(4)[:, [2, 1, 0, 3]]


def series(*counts, shape=(9, 12)):
    rng = np.random.default_rng(3)
    return [ModelInput(rng.random((count, *shape), dtype=np.float32), AXIAL) for count in counts]


class Normed(torch.nn.Module):
    """A network with batch normalisation, whose running statistics are not those of any batch here."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(6)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.BatchNorm2d(6), torch.nn.ReLU()
        )
        self.last = torch.nn.Linear(6, 3)
        self.layers[1].running_mean.uniform_()

    def forward(self, batch):
        return self.last(self.layers(batch).mean(dim=(2, 3)))


def normed():
    module = Normed().eval()

    def run(batch):
        with torch.inference_mode():
            return module(torch.from_numpy(batch)).numpy()

    return Network(run)


def loaded(tmp_path, adapter, raw, network):
    return adapter(read_manifest(write_package(tmp_path / "package", raw)), network, "cpu")


def test_series_of_few_slices_fill_whole_batches_and_are_classified_as_alone(tmp_path):
    network = normed()
    raw = classifier_manifest(preprocessing={"size": [16, 16], "batch": 8})
    made = loaded(tmp_path, ClassificationAdapter, raw, network)
    given = series(3, 3, 1, 12, 2)
    together = list(outputs_of(made, given))
    assert network.batches == [8, 8, 5]
    for found, volume in zip(together, given, strict=True):
        alone = made.predict(volume)
        assert found.facts == alone.facts
        assert found.slice_index == alone.slice_index
        np.testing.assert_allclose(found.slice_probability, alone.slice_probability, atol=1e-6)
        np.testing.assert_allclose(list(found.classes.values()), list(alone.classes.values()), atol=1e-6)


@pytest.mark.parametrize(
    "rules",
    [
        {"size": [16, 16], "batch": 8},
        {"size": [8, 16, 16], "batch": 2},
        {"patch": [8, 8, 8], "spacing_mm": [1.0, 1.0, 1.0]},
    ],
)
def test_series_are_outlined_as_alone(tmp_path, rules):
    network = Network(lambda batch: 8 * (batch - 0.5))
    raw = segmenter_manifest(preprocessing=rules | {"intensity": {"range": [0, 1]}})
    made = loaded(tmp_path, SegmentationAdapter, raw, network)
    given = [*series(5, 10), *series(6, shape=(20, 11))]
    together = list(outputs_of(made, given))
    calls = len(network.batches)
    alone = [made.predict(volume) for volume in given]
    assert calls <= len(network.batches) - calls
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(found.mask, expected.mask)
        np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)
        assert found.mask.any()


def test_images_of_other_shapes_get_batches_of_their_own():
    network = Network(lambda batch: batch.mean(axis=(1, 2, 3))[:, np.newaxis])
    images = [np.full((n, 1, size, size), value, np.float32) for n, size, value in ((3, 4, 1), (2, 5, 2))]
    found = {name: given["output"] for name, given in Batches(network).each(zip(images, "ab", strict=True))}
    assert network.batches == [3, 2]
    assert found["a"].tolist() == [[1]] * 3
    assert found["b"].tolist() == [[2]] * 2


def test_inputs_are_asked_for_only_when_a_batch_needs_them():
    asked = []

    def inputs():
        for number in range(6):
            asked.append(number)
            yield np.zeros((2, 1, 4, 4), np.float32), number

    network = Network(lambda batch: batch.mean(axis=(1, 2, 3))[:, np.newaxis])
    seen = [(number, len(asked)) for number, _ in Batches(network, 4).each(inputs())]
    assert seen == [(0, 2), (1, 2), (2, 4), (3, 4), (4, 6), (5, 6)]


def test_a_network_whose_outputs_are_not_by_image_is_never_cut_up():
    network = Network(lambda batch: {"boxes": np.zeros((3, 4), np.float32)})
    images = [(np.zeros((1, 1, 4, 4), np.float32), number) for number in range(2)]
    with pytest.raises(InferenceFailed, match="batch: 1"):
        list(Batches(network, 16).each(images))
    assert [number for number, _ in Batches(network, 1).each(images)] == [0, 1]


def test_detectors_look_at_one_input_after_the_other():
    assert issubclass(ClassificationAdapter, BatchAdapter)
    assert issubclass(SegmentationAdapter, BatchAdapter)
    assert not issubclass(DetectionAdapter, BatchAdapter)
