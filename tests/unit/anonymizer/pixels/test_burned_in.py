"""Strings burned into pictures, on seeds that nothing was tuned on; benchmarks/burned_in.py has hundreds."""

import numpy as np
import pytest
from burned_pictures import draw
from pixel_objects import as_image, clean

from anonymizer.pixels.cleaner import PixelCleaner

HELD_OUT = range(700_000, 700_016)


@pytest.fixture(scope="module")
def cleaner():
    return PixelCleaner()


@pytest.mark.parametrize("seed", HELD_OUT)
def test_burned_in_strings_are_blacked_out(cleaner, seed):
    picture = draw(seed, largest=640)
    outcome, after = clean(cleaner, as_image(picture.pixels))
    mask = np.zeros(picture.pixels.shape[:2], bool)
    for box in outcome.boxes:
        mask[box.y : box.y + box.height, box.x : box.x + box.width] = True
    for burned in picture.strings:
        assert mask[burned.ink].mean() > 0.97, burned
    np.testing.assert_array_equal(after.pixel_array[~mask], picture.pixels[~mask])
