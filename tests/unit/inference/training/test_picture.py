import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.preprocess.picture import PictureRules, prepare_picture

RANGE = {"range": [0, 1]}


def rules(**changes):
    return PictureRules.of({"channels": 1, "size": [64, 48], "intensity": RANGE, **changes})


@pytest.mark.parametrize("fit", ["pad", "stretch"])
@pytest.mark.parametrize("shape", [(301, 211), (40, 90), (64, 48), (7, 5)])
def test_a_map_comes_back_to_the_pixels_that_it_was_made_of(fit, shape):
    image = np.zeros(shape, np.float32)
    rows, columns = shape
    part = np.s_[rows // 3 : 2 * rows // 3, columns // 5 : columns // 2]
    image[part] = 1
    picture, placement = prepare_picture(image, rules(fit=fit, size=[256, 256]))
    back = placement.to_source(picture[0]) > 0.5
    assert back.shape == shape
    assert (back != (image > 0.5)).mean() < 0.02
    assert back[part].mean() > 0.95


def test_padding_keeps_the_proportions_and_stretching_does_not():
    image = np.ones((100, 50), np.float32)
    padded, _ = prepare_picture(image, rules(size=[100, 100]))
    stretched, _ = prepare_picture(image, rules(size=[100, 100], fit="stretch"))
    cut, _ = prepare_picture(image, rules(size=[100, 100], fit="crop"))
    assert padded[0].mean() == pytest.approx(0.5, abs=0.02)
    assert stretched[0, 1:-1, 1:-1].min() == 1
    assert cut[0, 1:-1, 1:-1].min() == 1


def test_the_dark_surroundings_are_cut_away_and_specks_do_not_count():
    image = np.zeros((200, 200), np.float32)
    image[80:140, 60:120] = 1
    image[5:8, 5:8] = 1
    picture, placement = prepare_picture(image, rules(size=[64, 64], foreground_crop=True))
    top, left, height, width = placement.box
    assert (top, left) == (78, 58)
    assert (height, width) == (64, 64)
    assert picture.mean() > 0.8


def test_percentiles_make_brightness_and_contrast_alike():
    image = np.random.default_rng(1).random((50, 50)).astype(np.float32)
    like = {"intensity": {"percentiles": [1, 99]}}
    one, _ = prepare_picture(image, rules(**like))
    other, _ = prepare_picture(image * 900 - 77, rules(**like))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_window_shows_its_range_of_values():
    image = np.array([[0.0, 20.0, 40.0, 60.0, 80.0]], np.float32)
    picture, _ = prepare_picture(image, rules(size=[1, 5], intensity={"window": [40, 40]}, fit="stretch"))
    np.testing.assert_allclose(picture[0, 0], [0, 0, 0.5, 1, 1])


def test_colour_is_kept_for_three_channels_and_weighed_for_one():
    image = np.zeros((10, 10, 3), np.float32)
    image[..., 0] = 1
    three, _ = prepare_picture(image, rules(channels=3, size=[10, 10]))
    one, _ = prepare_picture(image, rules(size=[10, 10]))
    assert three[0].min() == 1
    assert three[1:].max() == 0
    np.testing.assert_allclose(one, 0.299, atol=1e-6)


def test_a_mask_lies_on_the_same_pixels_as_the_image():
    image = np.zeros((90, 120), np.float32)
    image[20:50, 70:100] = 1
    picture, placement = prepare_picture(image, rules(size=[64, 64]))
    mask = placement.mask_from_source((image * 3).astype(np.uint8))
    assert set(np.unique(mask)) == {0, 3}
    assert ((mask == 3) == (picture[0] > 0.5)).mean() > 0.99


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.sampled_from(["pad", "stretch", "crop"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_any_image_gives_finite_numbers_of_the_asked_size(shape, fit, crop, seed):
    rng = np.random.default_rng(seed)
    image = rng.choice([np.nan, np.inf, -np.inf, 0, 1e30, -5, 3.3], shape).astype(np.float32)
    picture, placement = prepare_picture(
        image, rules(fit=fit, foreground_crop=crop, intensity={"percentiles": [1, 99]})
    )
    assert picture.shape == (1, 64, 48)
    assert np.isfinite(picture).all()
    assert placement.to_source(picture[0]).shape == shape


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"size": [64]},
        {"size": [64, 64], "fit": "bend"},
        {"size": [64, 64], "flavour": 1},
        {"size": [64, 64], "intensity": {"percentiles": [1, 99], "window": [1, 2]}},
        {"size": [64, 64], "intensity": {"zscore": True}},
        {"size": [64, 64], "channels": 2},
        {"size": [64, 64], "std": [0]},
        {"size": [0, 64]},
    ],
)
def test_preprocessing_that_makes_no_sense_is_an_invalid_package(raw):
    with pytest.raises(InvalidModelPackage, match="preprocessing"):
        PictureRules.of(raw)


@pytest.mark.parametrize("shape", [(4,), (4, 4, 4), (0, 4), (2, 4, 4, 3)])
def test_an_array_that_is_no_image_is_refused(shape):
    with pytest.raises(InferenceFailed):
        prepare_picture(np.zeros(shape, np.float32), rules())
