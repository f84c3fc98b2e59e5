import numpy as np
import pytest

from inference.encode.heatmap import Caption, enlargement, render_heatmaps

CAPTION = Caption(("model 1.0", "Brain probability"), 1.0)


def grey_and_colour(probability, value=1000):
    pixels = np.zeros((1, 200, 200), np.int16)
    pixels[:, 20:180, 20:180] = value
    pixels[:, 60, 60] = 2 * value
    return render_heatmaps(pixels, np.full(pixels.shape, probability, np.float16), CAPTION)[
        0, 120, 100
    ].astype(int)


def test_without_probability_a_slice_stays_grey():
    assert np.ptp(grey_and_colour(0.0)) == 0


@pytest.mark.parametrize("probability", [0.2, 0.5, 0.8, 1.0])
def test_probability_colours_the_slice(probability):
    assert np.ptp(grey_and_colour(probability)) > 15


def test_structure_shows_through_the_colour():
    pixels = np.full((1, 200, 200), 100, np.uint16)
    pixels[0, :, :100] = 300
    picture = render_heatmaps(pixels, np.ones(pixels.shape, np.float16), CAPTION)[0].astype(int)
    assert picture[120, 50].sum() > picture[120, 150].sum() + 100


def test_annotation_is_the_same_on_every_slice_and_covers_no_middle():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 2000, (2, 217, 181)).astype(np.uint16)
    first, second = render_heatmaps(pixels, np.zeros(pixels.shape, np.float16), CAPTION)
    same = (first == second).all(axis=2)
    assert same[4:17, 4:50].all()
    assert same[60:160, 20:140].mean() < 0.1


def test_text_is_written_in_the_corners():
    pixels = np.zeros((1, 217, 181), np.uint16)
    picture = render_heatmaps(pixels, np.zeros(pixels.shape, np.float16), CAPTION)[0]
    assert (picture[4:30, 4:120].max(axis=2) > 200).sum() > 100
    assert (picture[200:, 4:170].max(axis=2) > 200).sum() > 100


@pytest.mark.parametrize("pixels", [np.zeros((2, 200, 200), np.int16), np.full((2, 200, 200), -5, np.int16)])
def test_uniform_slices_are_drawn_without_a_warning(pixels):
    assert render_heatmaps(pixels, np.zeros(pixels.shape, np.float16), CAPTION).shape == (2, 200, 200, 3)


def test_only_a_small_matrix_is_enlarged():
    assert (enlargement(181, 217), enlargement(160, 160), enlargement(128, 256), enlargement(64, 52)) == (
        1,
        1,
        2,
        4,
    )
