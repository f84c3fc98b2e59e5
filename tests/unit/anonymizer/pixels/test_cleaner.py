"""The cleaner on whole objects, with the real networks."""

import io
import json

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pixel_objects import big_endian, clean, image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from anonymizer.errors import CannotVouch
from anonymizer.pixels import networks as networks_module
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.pixels.networks import Networks


@pytest.fixture(scope="module")
def cleaner():
    return PixelCleaner()


def ink_of(text, rows=96, columns=288, x=20, y=30, size=26):
    canvas = Image.new("L", (columns, rows))
    ImageDraw.Draw(canvas).text((x, y), text, fill=255, font=ImageFont.load_default(size))
    return np.asarray(canvas) > 100


INK = ink_of("DOE^JANE 1961")
SHADE = np.add.outer(np.arange(96), np.arange(288)).astype(np.float64)
SHADE /= SHADE.max()


def burned(dtype, low, high, text_value):
    pixels = (low + SHADE * (high - low)).astype(dtype)
    pixels[INK] = text_value
    return pixels


def colours(pixels):
    return np.repeat(pixels[..., None], 3, axis=2)


OBJECTS = {
    "8 bit": lambda: image(burned("u1", 10, 90, 250)),
    "8 bit, dark on bright": lambda: image(burned("u1", 150, 250, 5)),
    "12 bit, MONOCHROME1": lambda: image(burned("u2", 2000, 3900, 100), stored=12, photometric="MONOCHROME1"),
    "16 bit signed": lambda: image(burned("i2", -900, 300, 2000), signed=True),
    "RGB": lambda: image(colours(burned("u1", 10, 90, 250)), photometric="RGB"),
    "RGB by plane": lambda: image(colours(burned("u1", 10, 90, 250)), photometric="RGB", planar=1),
    "YBR_FULL": lambda: image(
        np.dstack((burned("u1", 10, 90, 250), np.full((96, 288, 2), 128, "u1"))), photometric="YBR_FULL"
    ),
    "big endian": lambda: big_endian(image(burned("u2", 100, 900, 4000), stored=12)),
}


def check(outcome, before, after, *, tolerance=0):
    """Text is gone, everything outside of the boxes is as it was, and a box is no larger than needed."""
    assert outcome.changed
    assert outcome.looked
    assert "pixel-text" in outcome.actions
    mask = np.zeros(INK.shape, bool)
    for box in outcome.boxes:
        mask[box.y : box.y + box.height, box.x : box.x + box.width] = True
        assert (box.frames, box.source) == ("all", "text")
    assert mask[INK].all()
    assert mask.mean() < 0.5
    inside = after[mask].reshape(mask.sum(), -1)
    assert (inside == inside[0]).all()
    difference = np.abs(after[~mask].astype(np.int64) - before[~mask])
    assert difference.max() <= tolerance


@pytest.mark.parametrize("name", OBJECTS)
def test_a_name_is_blacked_out_of_native_pixels(cleaner, name):
    ds = OBJECTS[name]()
    syntax = ds.file_meta.TransferSyntaxUID
    before = ds.pixel_array.copy()
    outcome, after = clean(cleaner, ds)
    assert outcome.transfer_syntax_uid == syntax
    assert after.PhotometricInterpretation == ds.PhotometricInterpretation
    check(outcome, before, after.pixel_array)


@pytest.mark.parametrize("name", ["8 bit", "12 bit, MONOCHROME1", "RGB"])
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_name_is_blacked_out_of_compressed_pixels_which_become_native(cleaner, name, syntax):
    ds = OBJECTS[name]()
    before = ds.pixel_array.copy()
    ds.compress(syntax, generate_instance_uid=False)
    outcome, after = clean(cleaner, ds)
    assert outcome.transfer_syntax_uid == uid.ExplicitVRLittleEndian
    assert "pixel-decompressed" in outcome.actions
    assert "LossyImageCompression" not in after
    check(outcome, before, after.pixel_array)


def test_a_name_is_blacked_out_of_lossy_pixels_which_say_so(cleaner):
    stream = io.BytesIO()
    Image.fromarray(colours(burned("u1", 10, 90, 250))).save(stream, "JPEG", quality=95)
    ds = image(colours(burned("u1", 10, 90, 250)), photometric="YBR_FULL_422")
    ds.PixelData = encapsulate([stream.getvalue()])
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    before = ds.pixel_array.copy()
    outcome, after = clean(cleaner, ds)
    assert after.LossyImageCompression == "01"
    assert after.PhotometricInterpretation == "YBR_FULL"
    check(outcome, before, after.pixel_array, tolerance=3)


def test_pixels_without_text_stay_as_they_are(cleaner):
    ds = image((SHADE * 4000).astype("u2"), stored=12)
    outcome, after = clean(cleaner, ds)
    assert outcome.looked
    assert not outcome.changed
    assert outcome.boxes == ()
    assert after.PixelData == ds.PixelData


@pytest.mark.parametrize(
    "name", ["693_UNCI.dcm", "MR2_UNCR.dcm", "RG3_UNCR.dcm", "emri_small.dcm", "CT_small.dcm"]
)
def test_real_slices_and_radiographs_stay_as_they_are(cleaner, name):
    ds = pydicom.dcmread(pydicom.data.get_testdata_file(name))
    before = ds.PixelData
    outcome, after = clean(cleaner, ds)
    assert outcome.looked
    assert outcome.boxes == ()
    assert after.PixelData == before


def test_markers_of_sides_and_settings_stay(cleaner):
    pixels = (10 + SHADE * 80).astype("u1")
    pixels[ink_of("R", x=20, y=30)] = 250
    pixels[ink_of("120 kV", x=120, y=30)] = 250
    outcome, after = clean(cleaner, image(pixels))
    assert outcome.boxes == ()
    np.testing.assert_array_equal(after.pixel_array, pixels)


def test_a_name_in_one_frame_of_a_cine_is_blacked_out_there_alone(cleaner):
    pixels = np.stack([(10 + SHADE * 80 + 3 * i).astype("u1") for i in range(9)])
    pixels[4][INK] = 250
    outcome, after = clean(cleaner, image(pixels, frames=9))
    assert {box.frames for box in outcome.boxes} == {"3-7"}
    after = after.pixel_array
    assert (after[4][INK] == 0).all()
    for index in (0, 1, 7, 8):
        np.testing.assert_array_equal(after[index], pixels[index])


def region(x0, y0, x1, y1):
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = x0, y0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = x1, y1
    return item


def test_what_lies_around_ultrasound_regions_is_blacked_out_read_or_not(cleaner):
    pixels = (40 + SHADE * 80).astype("u1")
    regions = [region(10, 20, 199, 79), region(150, 40, 250, 90)]
    ds = image(pixels, SequenceOfUltrasoundRegions=regions, Modality="US")
    outcome, after = clean(cleaner, ds)
    inside = np.zeros(pixels.shape, bool)
    inside[20:80, 10:200] = inside[40:91, 150:251] = True
    np.testing.assert_array_equal(after.pixel_array, np.where(inside, pixels, 0))
    assert {box.source for box in outcome.boxes} == {"ultrasound-region"}


@pytest.mark.parametrize("regions", [[], [region(0, 0, 20, 20)], [region(90, 90, 10, 10)]])
def test_regions_that_are_no_picture_blacken_nothing(cleaner, regions):
    pixels = (40 + SHADE * 80).astype("u1")
    outcome, _ = clean(cleaner, image(pixels, SequenceOfUltrasoundRegions=regions, Modality="US"))
    assert not outcome.changed


def test_boxes_of_the_users_catalogue_are_blacked_out(tmp_path):
    rule = {
        "name": "ours",
        "where": {"Manufacturer": ["OTHER", "Acme"]},
        "rows": 96,
        "boxes": [[5, 6, 20, 10], [0, 90, 0, 0]],
    }
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps({"rules": [rule]}))
    pixels = (40 + SHADE * 80).astype("u1")
    outcome, after = clean(PixelCleaner(file), image(pixels, Manufacturer="ACME Medical"))
    assert [(b.x, b.y, b.width, b.height, b.source) for b in outcome.boxes] == [
        (5, 6, 20, 10, "device-catalogue"),
        (0, 90, 288, 6, "device-catalogue"),
    ]
    assert not after.pixel_array[6:16, 5:25].any()


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"name": "x", "where": {"Nonsense": "a"}, "boxes": [[1, 2, 3, 4]]},
        {"name": "x", "where": {}, "boxes": []},
    ],
)
def test_a_catalogue_of_another_form_is_refused(tmp_path, rule):
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps({"rules": [rule]}))
    with pytest.raises(ValueError, match="catalogue"):
        PixelCleaner(file)


def test_without_the_networks_nothing_is_vouched_for(monkeypatch):
    with pytest.raises(CannotVouch) as refusal:
        Networks(1, distribution="no-such-distribution")
    assert refusal.value.rule == "pixels-not-looked-at"
    monkeypatch.setitem(networks_module.WEIGHTS, "ch_PP-OCRv4_det_infer.onnx", "0" * 64)
    with pytest.raises(CannotVouch) as refusal:
        clean(PixelCleaner(), OBJECTS["8 bit"]())
    assert refusal.value.rule == "pixels-not-looked-at"


def test_streams_that_no_decoder_understands_are_refused(cleaner):
    ds = OBJECTS["8 bit"]()
    ds.compress(uid.JPEGLSLossless, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    with pytest.raises(CannotVouch) as refusal:
        clean(cleaner, ds)
    assert refusal.value.rule == "pixels-not-decoded"


def test_slices_are_looked_at_only_where_asked(cleaner):
    ds = OBJECTS["12 bit, MONOCHROME1"]()
    ds.SOPClassUID, ds.Modality, ds.ImageType = uid.CTImageStorage, "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    del ds.ConversionType
    outcome, after = clean(cleaner, ds, thorough=False)
    assert not outcome.looked
    assert after.PixelData == ds.PixelData
    outcome, _ = clean(cleaner, ds, thorough=True)
    assert outcome.changed
