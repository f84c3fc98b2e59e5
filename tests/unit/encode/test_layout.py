"""How large slices are drawn, and where they lie then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.encode.layout import MAX_SIDE, MIN_SIDE, lay_out


@pytest.mark.parametrize(
    ("shape", "drawn", "canvas"),
    [
        ((181, 217), (181, 217), (181, 217)),
        ((160, 160), (160, 160), (160, 160)),
        ((128, 256), (256, 512), (256, 512)),
        ((64, 52), (256, 208), (256, 208)),
        ((4096, 3328), (1280, 1040), (1280, 1040)),
        ((10, 900), (10, 900), (160, 900)),
        ((20, 4000), (6, 1280), (160, 1280)),
    ],
)
def test_small_slices_are_enlarged_large_ones_reduced_and_narrow_ones_padded(shape, drawn, canvas):
    layout = lay_out(*shape)
    assert (layout.drawn, layout.canvas) == (drawn, canvas)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_any_matrix_fits_and_stays_in_place(rows, columns):
    layout = lay_out(rows, columns)
    assert all(MIN_SIDE <= side <= MAX_SIDE for side in layout.canvas)
    assert layout.to_canvas(0, 0) == layout.offset
    end = layout.to_canvas(rows, columns)
    assert end == (layout.offset[0] + layout.drawn[0], layout.offset[1] + layout.drawn[1])
    # The centre of the first picture pixel, told in source pixels, is where the way back leads.
    for edge, scale, offset in zip(layout.first_pixel, layout.scale, layout.offset, strict=True):
        assert (edge + 0.5) * scale + offset == pytest.approx(0.5)
