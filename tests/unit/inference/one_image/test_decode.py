"""PNG, JPEG and DICOM files become images, or are refused with a reason."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from predicted_series import make_case
from pydicom.data import get_testdata_file

from dicom_node.domain.errors import InvalidInstance
from inference.one_image.decode import decode

MEGA = 10**6
RAMP = np.tile(np.arange(90, dtype=np.uint8), (60, 1))


def encoded(pixels, kind="PNG", mode=None, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, kind, **options)
    return buffer.getvalue()


def dicom(change=lambda ds: None):
    case = make_case(slices=1)
    ds = pydicom.dcmread(io.BytesIO(next(iter(case.study.data.values()))))
    change(ds)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue(), ds


def test_a_grey_png_is_its_pixels():
    image = decode(encoded(RAMP), MEGA)
    np.testing.assert_array_equal(image.pixels, RAMP)
    np.testing.assert_array_equal(image.shown, RAMP)
    facts = image.facts
    assert (facts.format, facts.rows, facts.columns, facts.colour, facts.spacing_mm) == (
        "PNG", 60, 90, False, None,
    )  # fmt: skip


def test_a_png_of_16_bits_keeps_its_values_and_is_shown_with_a_window():
    values = RAMP.astype(np.uint16) * 500
    image = decode(encoded(values), MEGA)
    np.testing.assert_array_equal(image.pixels, values)
    assert np.unique(image.shown).size > 80


def test_a_grey_jpeg_stays_grey_though_its_channels_differ_a_little():
    rgb = np.repeat(RAMP[..., None], 3, axis=2)
    image = decode(encoded(rgb, "JPEG", quality=80), MEGA)
    assert image.pixels.shape == (60, 90)
    assert np.abs(image.pixels - RAMP).mean() < 3


def test_a_photograph_keeps_its_colours():
    rgb = np.zeros((40, 50, 3), np.uint8)
    rgb[:, :25] = (200, 30, 10)
    image = decode(encoded(rgb), MEGA)
    assert image.facts.colour
    np.testing.assert_array_equal(image.pixels, rgb)
    np.testing.assert_array_equal(image.shown, rgb)


def test_transparency_lies_over_black_and_palettes_are_looked_up():
    rgba = np.full((20, 20, 4), 255, np.uint8)
    rgba[:, :10, 3] = 0
    assert decode(encoded(rgba), MEGA).pixels[0, [0, 15]].tolist() == [0, 255]
    palette = Image.fromarray(RAMP).convert("P")
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    assert np.abs(decode(buffer.getvalue(), MEGA).pixels - RAMP).max() <= 6


def test_a_picture_is_turned_as_the_camera_meant_it():
    picture = Image.fromarray(RAMP)
    exif = picture.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    assert decode(buffer.getvalue(), MEGA).pixels.shape == (90, 60)


def test_a_dicom_image_is_in_modality_units_with_its_spacing():
    def change(ds):
        ds.RescaleSlope, ds.RescaleIntercept = "2", "-100"
        ds.PixelSpacing = [0.5, 0.7]

    data, ds = dicom(change)
    image = decode(data, MEGA)
    np.testing.assert_array_equal(image.pixels, ds.pixel_array * 2.0 - 100)
    assert image.facts.spacing_mm == (0.5, 0.7)
    assert image.facts.attributes["Modality"] == "MR"
    assert image.facts.attributes["BodyPartExamined"] == "HEAD"
    assert image.facts.attributes["SOPClassUID"] == "MR Image Storage"


def test_nothing_that_names_a_person_is_told():
    def change(ds):
        ds.PatientName, ds.PatientID, ds.InstitutionName = "CANARY^MARY", "CANARY-1", "CANARY CLINIC"
        ds.BodyPartExamined, ds.ViewPosition, ds.Modality = "CANARY", "CANARY", "MR"
        ds.SeriesDescription = ds.StudyDescription = ds.ProtocolName = "CANARY HEAD"
        ds.PatientPosition = "CANARY"

    facts = decode(dicom(change)[0], MEGA).facts
    assert "CANARY" not in str(facts)
    assert facts.attributes["Modality"] == "MR"


def test_a_dicom_image_in_colour_is_read():
    colour = decode(Path(get_testdata_file("SC_rgb.dcm")).read_bytes(), MEGA)
    assert colour.facts.colour
    assert colour.shown.shape == colour.pixels.shape
    assert colour.shown.max() == 255


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no PNG, JPEG or DICOM"),
        (b"GIF89a" + b"\0" * 100, "no PNG, JPEG or DICOM"),
        (encoded(RAMP)[:80], "broken"),
        (encoded(RAMP, "JPEG")[:100], "broken"),
        (b"\x89PNG\r\n\x1a\n" + b"junk" * 50, "broken"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 50, "cannot be used|no image"),
        (dicom()[0][:700], "cannot be used|no image"),
    ],
)
def test_what_is_no_image_is_refused_with_what_to_do(data, says):
    with pytest.raises(InvalidInstance, match=says):
        decode(data, MEGA)


def test_a_series_in_one_file_is_refused():
    with pytest.raises(InvalidInstance, match="10 frames"):
        decode(Path(get_testdata_file("emri_small.dcm")).read_bytes(), MEGA)


def test_a_report_is_no_image():
    def change(ds):
        del ds.PixelData

    with pytest.raises(InvalidInstance, match="no image"):
        decode(dicom(change)[0], MEGA)


@pytest.mark.parametrize("data", [encoded(RAMP), encoded(RAMP, "JPEG"), dicom()[0]])
def test_too_many_pixels_are_refused_before_they_are_decoded(data):
    with pytest.raises(InvalidInstance, match="megapixels"):
        decode(data, 1000)


def test_a_bomb_is_refused_by_its_header():
    # 60000 x 60000 pixels in a few bytes.
    header = encoded(RAMP)
    bomb = header[:16] + (60000).to_bytes(4, "big") * 2 + header[24:]
    with pytest.raises(InvalidInstance, match=r"megapixels|broken"):
        decode(bomb, 40 * MEGA)


SEEDS = [encoded(RAMP), encoded(RAMP, "JPEG"), dicom()[0]]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
)
def test_damaged_files_are_read_or_refused_and_nothing_else(seed, changes, cut):
    data = bytearray(seed[: len(seed) - cut])
    for place, value in changes:
        if place < len(data):
            data[place] = value
    try:
        image = decode(bytes(data), MEGA)
    except InvalidInstance:
        return
    assert image.shown.shape == image.pixels.shape
    assert np.isfinite(image.pixels).all()
