"""Grey levels: the header's window where it shows the tissue, else what the pixels hold."""

from types import SimpleNamespace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.encode.window import grey_of_pixels, window_of


def source(pixels, **attributes):
    slices = []
    for index in range(len(pixels)):
        ds = Dataset()
        ds.PhotometricInterpretation = "MONOCHROME2"
        for keyword, value in attributes.items():
            setattr(ds, keyword, value[index] if isinstance(value, tuple) else value)
        slices.append(ds)
    return SimpleNamespace(pixels=pixels, slices=slices, header=slices[0], frame_number=lambda index: None)


def ct(dtype=np.int16):
    """Air, and tissue from -100 to 300 HU along the columns; stored 1024 higher."""
    hu = np.broadcast_to(np.linspace(-100, 300, 401), (2, 64, 401)).round()
    hu = np.concatenate([np.full((2, 64, 100), -1024.0), hu], axis=2)
    return (hu + 1024).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32])
def test_the_headers_window_is_used_in_modality_units(dtype):
    pixels = ct(dtype)
    shown = source(pixels, WindowCenter="40", WindowWidth="80", RescaleSlope="1", RescaleIntercept="-1024")
    grey = window_of(shown).grey(pixels[1], 1)
    columns = {hu: 200 + hu for hu in (-50, 0, 39, 80, 250)}
    assert grey[5, columns[-50]] == 0
    assert grey[5, columns[0]] == 0
    assert grey[5, columns[39]] == pytest.approx(125, abs=3)
    assert grey[5, columns[80]] == 255
    assert grey[5, columns[250]] == 255


def test_the_first_of_several_windows_and_the_median_of_the_slices_counts():
    pixels = ct()
    line = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
    window = window_of(source(pixels, WindowCenter=[40, 600], WindowWidth=[80, 2800], **line))
    assert (window.low, window.high) == pytest.approx((0, 79), abs=1)
    other = window_of(source(pixels, WindowCenter=("40", "60"), WindowWidth=("80", "120"), **line))
    assert (other.low, other.high) == pytest.approx((0, 99), abs=1.1)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"WindowCenter": "3000", "WindowWidth": "10"},  # all black
        {"WindowCenter": "40"},
        {"WindowCenter": "40", "WindowWidth": "0"},
        {"WindowCenter": ("40", None), "WindowWidth": ("400", None)},
    ],
)
def test_a_window_that_shows_nothing_gives_way_to_the_tissues_range(attributes):
    pixels = ct()
    shown = source(pixels, RescaleSlope="1", RescaleIntercept="-1024", **attributes)
    window = window_of(shown)
    assert (window.low, window.high) == pytest.approx((-98, 298), abs=4)
    assert np.unique(window.grey(pixels[0], 0)).size > 200


def test_slices_with_lines_of_their_own_are_shown_on_one_scale():
    pixels = np.stack([np.arange(4096), np.arange(4096) * 2]).reshape(2, 64, 64).astype(np.uint16)
    window = window_of(source(pixels, RescaleSlope=("2", "1"), RescaleIntercept="0"))
    np.testing.assert_allclose(
        window.grey(pixels[0], 0).astype(int), window.grey(pixels[1], 1).astype(int), atol=1
    )


def test_inverted_images_are_turned():
    pixels = ct()
    window = window_of(source(pixels, PhotometricInterpretation="MONOCHROME1"))
    grey = window.grey(pixels[0], 0)
    assert grey[5, 0] == 255
    assert grey[5, 120] > grey[5, 480]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 50, 50), np.int16),
        np.full((2, 50, 50), -5, np.int16),
        np.full((1, 1, 1), 7, np.uint8),
        np.full((1, 9, 9), np.nan, np.float32),
    ],
)
def test_uniform_slices_are_shown_without_a_warning(pixels):
    assert window_of(source(pixels)).grey(pixels[0], 0).shape == pixels.shape[1:]
    assert grey_of_pixels(pixels[0]).dtype == np.uint8


def test_a_single_image_is_shown_by_its_window_where_that_shows_it():
    image = np.tile(np.arange(1000, dtype=np.float32), (50, 1))
    assert (grey_of_pixels(image, (100, 300))[3, [50, 200, 400]] == [0, 127, 255]).all()
    assert np.unique(grey_of_pixels(image, (5000, 6000))).size > 200
    assert np.unique(grey_of_pixels(image)).size > 200
