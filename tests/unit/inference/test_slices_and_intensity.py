"""Which slices a picture network is shown, and on what scale volumes come to a network."""

import numpy as np
import pytest

from dicom_node.domain.errors import InvalidModelPackage
from inference.contract.inputs import SliceSelection
from inference.preprocess.intensity import Intensity
from inference.preprocess.slices import select_slices

AXIAL = np.eye(4)[:, [2, 1, 0, 3]]


def head(slices=40, first=10, last=29, air=-1000.0):
    """A block in the air; a few bright specks outside are no head."""
    volume = np.full((slices, 20, 20), air, np.float32)
    volume[first : last + 1, 4:16, 4:16] = 200
    volume[2, 0, 0] = 3000
    return volume


def test_a_span_counts_from_the_first_to_the_last_slice_that_is_not_air():
    cut = select_slices(head(), AXIAL, SliceSelection("axial", (0.25, 0.75), 5))
    assert cut.index[0] == pytest.approx(10 + 0.25 * 19, abs=1)
    assert cut.index[-1] == pytest.approx(10 + 0.75 * 19, abs=1)
    assert len(cut.index) == 5


def test_a_span_ascends_in_the_patient_whatever_way_the_slices_run():
    downwards = AXIAL @ np.diag([-1.0, 1, 1, 1])
    up = select_slices(head(), AXIAL, SliceSelection("axial", (0.0, 0.3), 40))
    down = select_slices(head()[::-1], downwards, SliceSelection("axial", (0.0, 0.3), 40))
    assert up.index == down.index
    np.testing.assert_array_equal(up.slices(head()), down.slices(head()[::-1]))


def test_of_few_slices_all_are_taken_and_one_is_the_middle_one():
    assert select_slices(head(5), AXIAL, SliceSelection(count=16)).index == (0, 1, 2, 3, 4)
    assert select_slices(head(5), AXIAL, SliceSelection(count=1)).index == (2,)


def test_blank_images_and_images_without_a_place_are_taken_whole():
    blank = np.zeros((6, 8, 8), np.float32)
    assert select_slices(blank, AXIAL, SliceSelection("axial", (0.2, 0.8), 9)).index == (1, 2, 3, 4)
    cut = select_slices(np.zeros((6, 8, 8, 3), np.float32), None, SliceSelection("axial", count=2))
    assert cut.is_acquired
    assert cut.picture(np.zeros((6, 8, 8, 3), np.float32), 0).shape == (8, 8, 3)


def test_pixels_that_are_no_squares_are_made_so_and_back():
    affine = np.diag([1.0, 3.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    voxels = np.zeros((2, 10, 30), np.float32)
    cut = select_slices(voxels, affine, SliceSelection())
    assert cut.picture(voxels, 0).shape == (30, 30)
    assert cut.unstretched(np.zeros((30, 30), np.float32), (10, 30)).shape == (10, 30)


VALUES = np.array([0, 0, 100, 200, 300, 400], np.float32).reshape(1, 2, 3)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"range": [100, 300]}, [0, 0, 0, 0.5, 1, 1]),
        ({"window": [200, 400]}, [0, 0, 0.25, 0.5, 0.75, 1]),
        ({"percentiles": [0, 100]}, [0, 0, 0.25, 0.5, 0.75, 1]),
        ({"percentiles": [0, 100], "nonzero": True}, [0, 0, 0, 1 / 3, 2 / 3, 1]),
        ({"zscore": True, "nonzero": True}, [0, 0, -1.34164, -0.44721, 0.44721, 1.34164]),
        ({"range": [0, 400], "mean": 0.5, "std": 0.25}, [-2, -2, -1, 0, 1, 2]),
    ],
)
def test_values_are_scaled_as_the_manifest_says(raw, expected):
    np.testing.assert_allclose(Intensity.of(raw).scaled(VALUES).ravel(), expected, atol=1e-5)
    assert VALUES[0, 1, 2] == 400


@pytest.mark.parametrize(
    "raw", [{"percentiles": [1, 99]}, {"zscore": True}, {"zscore": True, "nonzero": True}]
)
def test_a_blank_volume_becomes_zeros_not_a_division_by_zero(raw):
    assert not Intensity.of(raw).scaled(np.zeros((2, 2, 2), np.float32)).any()
    assert not Intensity.of(raw).scaled(np.full((2, 2, 2), 7, np.float32)).any()


@pytest.mark.parametrize(
    "raw",
    [{}, {"range": [1, 1]}, {"window": [40, 0]}, {"range": [0, 1], "std": 0}, {"range": 3}, {"rnge": [0, 1]}],
)
def test_a_scale_that_makes_no_sense_is_refused(raw):
    with pytest.raises(InvalidModelPackage, match="intensity"):
        Intensity.of(raw)
