"""What can show a face, the plane, the grid and the head on it."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, KeyObjectSelectionDocumentStorage, SegmentationStorage

from anonymizer.faces.exposure import may_show_face
from anonymizer.faces.shear import ShearPlane
from anonymizer.faces.surface import Grid, head_of


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"SOPClassUID": KeyObjectSelectionDocumentStorage}, False),
        ({"SOPClassUID": SegmentationStorage}, True),
        ({"SOPClassUID": "1.2.3.4"}, True),
        ({"SOPClassUID": CTImageStorage, "BodyPartExamined": "CHEST"}, False),
        ({"SOPClassUID": CTImageStorage, "BodyPartExamined": "NECK"}, True),
        ({"SOPClassUID": CTImageStorage}, True),
        ({"SOPClassUID": CTImageStorage, "RecognizableVisualFeatures": "NO"}, False),
    ],
)
def test_what_can_show_a_face(attributes, expected):
    ds = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    assert may_show_face(ds) is expected


def test_a_plane_looks_to_the_front_and_the_feet():
    plane = ShearPlane(45.0, 0.0)
    beyond = plane.beyond((3, 3, 3), np.array([[0, 0, 1, -1], [0, 1, 0, -1], [1, 0, 0, -1], [0, 0, 0, 1.0]]))
    assert beyond[0, 0].all()  # low and in front
    assert not beyond[2, 2].any()  # high and behind
    assert beyond.sum() == 9


def test_grid_takes_the_nearest_voxel_and_nothing_outside():
    affine = np.diag([2.0, -2.0, 2.0, 1.0])
    affine[:3, 3] = (0, 6, 0)
    array = np.arange(1, 25).reshape(2, 4, 3)
    grid = Grid.over(array.shape, affine)
    assert np.array_equal(grid.sample(array), array[:, ::-1])


def test_noise_around_a_head_is_no_head():
    rng = np.random.default_rng(0)
    voxels = np.abs(rng.normal(0, 5, (30, 40, 40))).astype(np.float32)
    voxels[5:25, 10:30, 10:30] = 300
    head = head_of(voxels)
    assert head[5:25, 10:30, 10:30].all()
    assert not head[5:25, :8].any()
