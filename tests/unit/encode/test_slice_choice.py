import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.domain.errors import EncodingFailed
from inference.encode.segmentation import choose_slices, packs_evenly


def drawn(slices, first, last, rows=7, columns=5):
    mask = np.zeros((slices, rows, columns), np.uint8)
    mask[first : last + 1, 3, 2] = 1
    return mask


@pytest.mark.parametrize(
    ("frames", "rows", "columns", "even"),
    [(1, 8, 3, True), (2, 4, 4, True), (1, 5, 3, True), (1, 7, 3, False), (3, 181, 217, False)],
)
def test_parity_of_the_packed_length(frames, rows, columns, even):
    assert packs_evenly(frames, rows, columns) is even


@given(st.integers(1, 40), st.data(), st.integers(1, 3), st.integers(1, 40), st.integers(1, 40))
def test_chosen_slices_are_contiguous_hold_the_mask_and_pack_evenly_where_slices_allow(
    slices, data, segments, rows, columns
):
    first = data.draw(st.integers(0, slices - 1))
    last = data.draw(st.integers(first, slices - 1))
    mask = np.zeros((slices, rows, columns), np.uint8)
    mask[first], mask[last] = 1, 1
    chosen = choose_slices(mask, segments)
    assert chosen == list(range(chosen[0], chosen[-1] + 1))
    assert chosen[0] <= first
    assert last <= chosen[-1] < slices
    assert packs_evenly(len(chosen) * segments, rows, columns) or len(chosen) == slices


def test_no_slice_is_added_where_frames_are_whole_bytes():
    assert choose_slices(drawn(9, 2, 4, 8, 5), 1) == [2, 3, 4]


def test_empty_mask_is_an_error():
    with pytest.raises(EncodingFailed, match="empty"):
        choose_slices(np.zeros((3, 4, 4), np.uint8), 1)
