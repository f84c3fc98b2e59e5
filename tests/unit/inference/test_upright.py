"""A tilted stack is made upright without losing a voxel, and what is found on it returns exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_series import mr_slices, study_of

from inference.preprocess.series import read_volume
from inference.preprocess.upright import upright_grid

PHANTOM = np.arange(7 * 6 * 5, dtype=np.uint16).reshape(7, 6, 5)


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(2, 9), st.integers(1, 7), st.integers(1, 8)),
    spacing=st.tuples(*(st.floats(0.3, 6) for _ in range(3))),
    shear=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
)
def test_every_voxel_stays_within_half_a_pixel_of_its_place_and_returns(shape, spacing, shear):
    affine = np.diag([*spacing, 1.0])[[2, 1, 0, 3]]
    affine[:2, 0] = shear
    affine[:3, 3] = -40, 7, 100
    voxels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1
    grid = upright_grid(affine, shape)
    upright = grid.straighten(voxels, fill=0)
    np.testing.assert_array_equal(grid.back(upright), voxels)
    assert upright.shape == grid.shape
    assert int((upright > 0).sum()) == voxels.size
    places = np.argwhere(upright > 0)
    true = np.argwhere(voxels > 0)[np.argsort(voxels.ravel())]
    found = places[np.argsort(upright[upright > 0])]
    off = found @ grid.affine[:3, :3].T + grid.affine[:3, 3] - true @ affine[:3, :3].T - affine[:3, 3]
    assert np.abs(off @ np.array([1, 0, 0])).max() <= spacing[2] / 2 + 1e-6
    assert np.abs(off @ np.array([0, 1, 0])).max() <= spacing[1] / 2 + 1e-6
    assert np.abs(off @ np.array([0, 0, 1])).max() <= 1e-6


def test_a_tilted_series_becomes_upright():
    slices = mr_slices(PHANTOM)
    for index, ds in enumerate(slices):
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y + index * 0.5, z]
    study = study_of(slices)
    volume = read_volume([e.sop_instance_uid for e in study.instances], study.read, max_voxels=10**6)
    grid = upright_grid(volume.affine, volume.voxels.shape)
    axes = grid.affine[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.diag(np.square([2.0, 1.0, 0.5])), atol=1e-6)
    assert grid.shape == (7, 9, 5)
    assert np.linalg.det(grid.affine) == pytest.approx(np.linalg.det(volume.affine))
    np.testing.assert_array_equal(grid.back(grid.straighten(volume.voxels)), PHANTOM)


def test_an_upright_stack_stays_as_it_is():
    affine = np.diag([2.0, 1.0, 0.5, 1.0])[[2, 1, 0, 3]]
    grid = upright_grid(affine, PHANTOM.shape)
    np.testing.assert_array_equal(grid.straighten(PHANTOM), PHANTOM)
    np.testing.assert_allclose(grid.affine, affine, atol=1e-12)
