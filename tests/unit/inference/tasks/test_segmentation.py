"""Segmentation: masks come back to the source exactly, however it was acquired and is looked at."""

from itertools import permutations, product

import numpy as np
import pytest
from task_packages import Network, segmenter_manifest
from toy_package import write_package

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.manifest import read_manifest
from inference.runner.adapter import ModelInput
from inference.tasks.segmentation import SegmentationAdapter

#: Asymmetric in every direction, axes right, anterior, superior; all values differ, half of them by far.
PHANTOM = np.random.default_rng(5).random((5, 6, 7), dtype=np.float32) * 0.4
PHANTOM[1:3, 2:6, 3:5] += 0.6
PHANTOM[3, 2, 5:] += 0.6
MARKED = PHANTOM > 0.5
SPACING = (1.5, 1.0, 2.0)
IDENTITY = {"orientation": "RAS", "intensity": {"range": [0, 1]}}
AS_IT_IS = {"activation": "none"}


def orientations():
    """All 48 ways to lay a volume's axes along the patient's, with the phantom laid so and its affine."""
    for axes in permutations(range(3)):
        for flips in product((False, True), repeat=3):
            yield axes, flips


def laid(array, axes, flips):
    return np.ascontiguousarray(np.flip(array.transpose(axes), np.flatnonzero(flips)))


def affine_of(axes, flips):
    """Voxels of `laid` to LPS."""
    affine = np.eye(4)
    to_lps = np.diag([-1.0, -1.0, 1.0])
    for axis, (target, flip) in enumerate(zip(axes, flips, strict=True)):
        direction = to_lps[target] * SPACING[target]
        affine[:3, axis] = -direction if flip else direction
        if flip:
            affine[:3, 3] += direction * (PHANTOM.shape[target] - 1)
    return affine


@pytest.fixture
def adapter(tmp_path):
    def made(network, segments=1, preprocessing=IDENTITY, postprocessing=AS_IT_IS, **changes):
        raw = segmenter_manifest(segments, preprocessing=preprocessing, postprocessing=postprocessing)
        raw["input"] |= changes
        folder = tmp_path / f"package-{len(list(tmp_path.iterdir()))}"
        return SegmentationAdapter(read_manifest(write_package(folder, raw)), network, "cpu")

    return made


def as_given(batch):
    return batch.copy()


@pytest.mark.parametrize(
    "extra", [{}, {"divisor": 4}, {"patch": [4, 4, 4], "overlap": 0.5, "batch": 3}, {"patch": [8, 8, 8]}]
)
def test_a_mask_comes_back_exactly_in_all_48_orientations(adapter, extra):
    seen = []
    network = Network(lambda batch: (seen.append(batch.copy()), as_given(batch))[1])
    made = adapter(network, preprocessing={**IDENTITY, **extra})
    for axes, flips in orientations():
        given = ModelInput(laid(PHANTOM, axes, flips), affine_of(axes, flips))
        found = made.predict(given)
        np.testing.assert_array_equal(found.mask, laid(MARKED, axes, flips))
        np.testing.assert_allclose(found.probability, given.voxels, atol=1e-5)
    # The network saw the same each time: right, anterior, superior.
    part = len(seen) // 48
    for number in range(1, 48):
        np.testing.assert_array_equal(seen[0], seen[number * part])
    if extra.get("patch") != [8, 8, 8]:
        np.testing.assert_array_equal(seen[0][0, 0][:4, :4, :4], PHANTOM[:4, :4, :4])


def test_resampling_gives_the_same_whatever_the_orientation_and_stays_near_the_source(adapter):
    smooth = np.zeros((12, 14, 10), np.float32)
    smooth[3:9, 5:12, 2:7] = 1
    grid = {**IDENTITY, "spacing_mm": [1.0, 1.3, 0.9]}
    made = adapter(Network(as_given), preprocessing=grid)
    first = made.predict(ModelInput(smooth, affine_of((0, 1, 2), (False,) * 3))).mask
    overlap = 2 * (first & (smooth > 0.5)).sum() / (first.sum() + smooth.sum())
    assert overlap > 0.95
    for axes, flips in list(orientations())[::7]:
        found = made.predict(ModelInput(laid(smooth, axes, flips), affine_of(axes, flips)))
        np.testing.assert_array_equal(found.mask, laid(first, axes, flips))


@pytest.mark.parametrize("orientation", ["acquired", "axial", "coronal", "sagittal"])
def test_slices_of_a_picture_network_come_back_exactly(adapter, orientation):
    made = adapter(
        Network(as_given),
        preprocessing={"size": [8, 8], "intensity": {"range": [0, 1]}, "fit": "pad", "batch": 3},
        selection={"orientation": orientation, "count": 2},
    )
    square = np.zeros((8, 8, 8), np.float32)
    square[1:4, 2:7, 3:5] = 1
    affine = affine_of((2, 1, 0), (False, True, False))
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    found = made.predict(ModelInput(square, affine))
    np.testing.assert_array_equal(found.mask, square > 0.5)


def test_the_likeliest_channel_wins_and_the_first_is_the_background(adapter):
    def network(batch):
        background = np.full_like(batch, 0.45)
        first = batch * 0.5 + 1e-7
        return np.log(np.concatenate([background, first, 1 - background - first], axis=1))

    made = adapter(Network(network), segments=2, postprocessing={"activation": "softmax"})
    voxels = np.array([0.0, 0.2, 0.8, 1.0], np.float32).reshape(4, 1, 1)
    found = made.predict(ModelInput(voxels, np.eye(4)[:, [2, 1, 0, 3]]))
    # Shares: .45/.0/.55, .45/.1/.45, .45/.4/.15, .45/.5/.05
    assert found.mask[0].item() == 2
    assert found.mask[2].item() == 0
    assert found.mask[3].item() == 1
    np.testing.assert_allclose(found.probability.ravel(), [0.55, 0.45, 0.4, 0.5], atol=1e-6)
    assert found.confidence == pytest.approx((0.55 + 0.5) / 2, abs=1e-6)


def test_where_segments_overlap_the_surest_that_reaches_the_threshold_wins(adapter):
    def network(batch):
        return np.concatenate([batch, np.full_like(batch, 0.6)], axis=1)

    made = adapter(Network(network), segments=2, postprocessing={"activation": "none", "threshold": 0.55})
    voxels = np.array([0.5, 0.58, 0.7], np.float32).reshape(3, 1, 1)
    found = made.predict(ModelInput(voxels, np.eye(4)[:, [2, 1, 0, 3]]))
    assert found.mask.ravel().tolist() == [2, 2, 1]


def test_masks_are_cleaned_as_the_manifest_asks(adapter):
    voxels = np.zeros((9, 9, 9), np.float32)
    voxels[1:6, 1:6, 1:6] = 1
    voxels[3, 3, 3] = 0
    voxels[7:, 7:, 7:] = 1
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    cleaned = {"activation": "none", "keep_largest": True, "fill_holes": True}
    found = adapter(Network(as_given), postprocessing=cleaned).predict(ModelInput(voxels, affine))
    assert int(found.mask.sum()) == 125
    assert found.facts["largest_component"] == pytest.approx(124 / 132)
    small = {"activation": "none", "min_volume_ml": 0.009}
    found = adapter(Network(as_given), postprocessing=small).predict(ModelInput(voxels, affine))
    assert int(found.mask.sum()) == 124
    large = {"activation": "none", "min_volume_ml": 1}
    found = adapter(Network(as_given), postprocessing=large).predict(ModelInput(voxels, affine))
    assert int(found.mask.sum()) == 0
    assert found.confidence == 0


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda batch: np.repeat(batch, 3, axis=1), "3 channels"),
        (lambda batch: batch[..., ::2], "must be the same"),
    ],
)
def test_output_that_fits_neither_segments_nor_grid_fails_with_its_reason(adapter, function, text):
    with pytest.raises(InferenceFailed, match=text):
        adapter(Network(function)).predict(ModelInput(PHANTOM, np.eye(4)))


@pytest.mark.parametrize(
    "changes",
    [
        {"preprocessing": {"orientation": "RAA"}},
        {"preprocessing": {"spacing_mm": [1, 1]}},
        {"preprocessing": {"patch": [0, 8, 8]}},
        {"preprocessing": {"overlap": 1}},
        {"preprocessing": {"intensity": {"zscore": True, "range": [0, 1]}}},
        {"postprocessing": {"threshold": 2}},
        {"postprocessing": {"keep_biggest": True}},
    ],
)
def test_rules_that_make_no_sense_are_refused(adapter, changes):
    with pytest.raises((InvalidModelPackage, InferenceFailed)):
        adapter(Network(as_given), **changes)
