import numpy as np
import pytest

from dicom_node.domain.errors import EncodingFailed
from inference.encode.outline import largest_outline


def box(slices=3, rows=12, columns=10):
    return np.zeros((slices, rows, columns), bool)


def test_rectangle_is_outlined_at_its_pixel_edges():
    mask = box()
    mask[1, 3:8, 2:6] = True
    outline = largest_outline(mask)
    assert (outline.slice_index, outline.pixels) == (1, 20)
    np.testing.assert_allclose(outline.points.min(axis=0), [2, 3], atol=0.2)
    np.testing.assert_allclose(outline.points.max(axis=0), [6, 8], atol=0.2)


def test_slice_with_the_most_pixels_is_chosen():
    mask = box()
    mask[0, :2, :2] = True
    mask[2, :3, :3] = True
    assert largest_outline(mask).slice_index == 2


def test_single_pixel_has_a_closed_outline():
    mask = box()
    mask[0, 5, 5] = True
    points = largest_outline(mask).points
    assert len(points) >= 4
    np.testing.assert_array_equal(points[0], points[-1])
    np.testing.assert_allclose(points.mean(axis=0), [5.5, 5.5], atol=0.2)


def test_of_two_parts_the_larger_is_outlined_and_both_are_counted():
    mask = box()
    mask[0, 0, 0] = True
    mask[0, 4:9, 4:9] = True
    outline = largest_outline(mask)
    assert outline.pixels == 26
    assert outline.points.min() > 3.5


def test_empty_mask_is_an_error():
    with pytest.raises(EncodingFailed, match="empty"):
        largest_outline(box())
