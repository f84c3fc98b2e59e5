"""Frames of native pixel data, blacked out in place, whatever their encoding."""

import numpy as np
import pytest
from pixel_objects import big_endian, clean, image, parsed

from anonymizer.errors import CannotVouch
from anonymizer.pixels.boxes import Box
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.pixels.description import describe
from anonymizer.pixels.display import Display
from anonymizer.pixels.native import NativePixels

RNG = np.random.default_rng(4)
BOX = Box(4, 3, 12, 9)
PALETTE = np.linspace(40, 255, 256).astype(np.uint8)
PALETTE[7] = 0  # the darkest entry is not the first


def grey(dtype, low, high, frames=None):
    shape = (20, 30) if frames is None else (frames, 20, 30)
    return RNG.integers(low, high, shape).astype(dtype)


def colour(dtype=np.uint8, high=256, frames=None):
    return RNG.integers(1, high, (*([frames] if frames else []), 20, 30, 3)).astype(dtype)


def with_palette(ds):
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", (PALETTE.astype("<u2") * 257).tobytes())
    return ds


def subsampled(photometric):
    """(data set, luminances and chrominances of all pixels), YBR_FULL_422."""
    luminance = RNG.integers(20, 200, (20, 30)).astype(np.uint8)
    chrominance = RNG.integers(20, 200, (20, 15, 2)).astype(np.uint8)
    packed = np.concatenate((luminance.reshape(20, 15, 2), chrominance), axis=2)
    ds = image(np.zeros((20, 30, 3), np.uint8), photometric=photometric)
    ds.PixelData = packed.tobytes()
    return ds, np.dstack((luminance, chrominance.repeat(2, axis=1)))


CASES = {
    "MONOCHROME2, 8 bit": (lambda: image(grey("u1", 5, 256)), 0),
    "MONOCHROME1, 8 bit": (lambda: image(grey("u1", 0, 250), photometric="MONOCHROME1"), "highest"),
    "MONOCHROME2, 12 of 16 bit": (lambda: image(grey("u2", 5, 4096), stored=12), 0),
    "MONOCHROME1, 12 of 16 bit": (
        lambda: image(grey("u2", 0, 4000), stored=12, photometric="MONOCHROME1"),
        "highest",
    ),
    "MONOCHROME2, signed": (lambda: image(grey("i2", -1000, 2000), signed=True), "lowest"),
    "MONOCHROME2, 32 bit": (lambda: image(grey("u4", 5, 1 << 30)), 0),
    "RGB": (lambda: image(colour(), photometric="RGB"), (0, 0, 0)),
    "RGB by plane": (lambda: image(colour(), photometric="RGB", planar=1), (0, 0, 0)),
    "RGB, 16 bit": (lambda: image(colour(np.uint16, 60000), photometric="RGB"), (0, 0, 0)),
    "YBR_FULL": (lambda: image(colour(), photometric="YBR_FULL"), (0, 128, 128)),
    "YBR_FULL by plane": (lambda: image(colour(), photometric="YBR_FULL", planar=1), (0, 128, 128)),
    "PALETTE COLOR": (
        lambda: with_palette(image(grey("u1", 8, 256), photometric="PALETTE COLOR")),
        7,
    ),
    "two frames": (lambda: image(grey("u2", 5, 4096, frames=2), stored=12, frames=2), 0),
    "two colour frames": (lambda: image(colour(frames=2), photometric="RGB", frames=2), (0, 0, 0)),
}


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("name", CASES)
def test_a_box_becomes_black_and_nothing_else_changes(name, order):
    make, black = CASES[name]
    ds = make()
    if order == "big":
        ds = big_endian(ds)
    dataset, _, codec = parsed(ds)
    description = describe(dataset, codec)
    vr, value = dataset[0x7FE00010]
    pixels = NativePixels(description, value, big_endian=codec.big_endian, vr=vr)
    before = [pixels.frame(i).copy() for i in range(description.frames)]
    assert pixels.value() == bytes(value)

    level = Display(description, dataset, codec).black(before)
    assert pixels.black_out([BOX], [0], level)

    again = NativePixels(description, pixels.value(), big_endian=codec.big_endian, vr=vr)
    after = again.frame(0)
    wanted = (
        {"highest": before[0].max(), "lowest": before[0].min()}.get(black, black)
        if isinstance(black, str)
        else black
    )
    assert (after[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] == wanted).all()
    outside = np.ones(after.shape[:2], bool)
    outside[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] = False
    np.testing.assert_array_equal(after[outside], before[0][outside])
    if description.frames > 1:
        np.testing.assert_array_equal(again.frame(1), before[1])
    assert len(pixels.value()) == len(value)


@pytest.mark.parametrize(("photometric", "black"), [("YBR_FULL_422", 0), ("YBR_PARTIAL_422", 16)])
def test_pairs_of_pixels_that_share_their_colour_become_black_together(photometric, black):
    ds, values = subsampled(photometric)
    dataset, _, codec = parsed(ds)
    description = describe(dataset, codec)
    pixels = NativePixels(description, dataset[0x7FE00010].value, big_endian=False, vr="OB")
    np.testing.assert_array_equal(pixels.frame(0), values)
    pixels.black_out([Box(5, 3, 9, 9)], [0], 0)
    after = pixels.frame(0)
    assert (after[3:9, 4:10] == (black, 128, 128)).all()
    np.testing.assert_array_equal(after[:, 10:], values[:, 10:])
    np.testing.assert_array_equal(after[:, :4], values[:, :4])


def test_pictures_of_one_bit_a_pixel_are_blacked_out_across_byte_borders():
    bits = np.ones((2, 5, 7), np.uint8)
    ds = image(np.zeros((2, 5, 7), np.uint8), frames=2)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    dataset, _, codec = parsed(ds)
    value = dataset[0x7FE00010].value
    pixels = NativePixels(describe(dataset, codec), value, big_endian=False, vr="OW")
    pixels.black_out([Box(2, 1, 6, 4)], [1], 0)
    again = NativePixels(describe(dataset, codec), pixels.value(), big_endian=False, vr="OW")
    assert again.frame(0).all()
    assert not again.frame(1)[1:4, 2:6].any()
    assert again.frame(1).sum() == 35 - 12


def stray(ds, mask):
    values = np.frombuffer(ds.PixelData, "<u2").copy()
    values[10:20] |= mask
    ds.PixelData = values.tobytes()
    return ds


@pytest.fixture(scope="module")
def cleaner():
    return PixelCleaner()


def test_bits_above_bits_stored_are_cleared(cleaner):
    """Retired overlays and anything else could stand there."""
    pixels = grey("u2", 0, 4096)
    ds = stray(image(pixels, stored=12, Modality="SEG"), 0xA000)
    outcome, after = clean(cleaner, ds)
    assert outcome.actions == ("pixel-unused-bits",)
    assert not outcome.changed
    np.testing.assert_array_equal(np.frombuffer(after.PixelData, "<u2").reshape(20, 30), pixels)


def test_bits_below_the_lowest_stored_bit_are_cleared(cleaner):
    pixels = grey("u2", 0, 4096) << 4
    ds = stray(image(pixels, stored=12, HighBit=15, Modality="SEG"), 0x0005)
    _, after = clean(cleaner, ds)
    np.testing.assert_array_equal(np.frombuffer(after.PixelData, "<u2").reshape(20, 30), pixels)


def test_the_sign_in_unused_bits_and_padding_values_stay(cleaner):
    pixels = grey("i2", -2000, 2000)
    ds = image(pixels, stored=12, signed=True, Modality="SEG")
    outcome, after = clean(cleaner, ds)
    assert outcome.actions == ()
    assert after.PixelData == ds.PixelData
    padded = grey("u2", 0, 4096)
    padded[0] = 63536
    ds = image(padded, stored=12, PixelPaddingValue=63536, Modality="SEG")
    outcome, after = clean(cleaner, ds)
    assert outcome.actions == ()
    assert after.PixelData == ds.PixelData


def test_pixels_shorter_than_described_are_refused(cleaner):
    ds = image(grey("u1", 0, 250))
    ds.PixelData = ds.PixelData[:100]
    with pytest.raises(CannotVouch) as refusal:
        clean(cleaner, ds)
    assert refusal.value.rule == "pixels-not-described"


@pytest.mark.parametrize("photometric", ["HSV", "CMYK", ""])
def test_retired_colours_are_refused(cleaner, photometric):
    ds = image(grey("u1", 0, 250))
    ds.PhotometricInterpretation = photometric
    with pytest.raises(CannotVouch) as refusal:
        clean(cleaner, ds)
    assert refusal.value.rule == "pixels-not-described"


def test_a_palette_that_is_missing_is_refused(cleaner):
    with pytest.raises(CannotVouch) as refusal:
        clean(cleaner, image(grey("u1", 0, 250), photometric="PALETTE COLOR"))
    assert refusal.value.rule == "pixels-not-described"
