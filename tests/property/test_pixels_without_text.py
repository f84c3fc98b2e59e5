"""Pixels in which nothing is found leave the cleaner bit for bit as they came."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pixel_objects import clean, image
from pydicom import uid

from anonymizer.pixels.cleaner import PixelCleaner

CLEANER = PixelCleaner()


@st.composite
def pictures(draw):
    """Smooth shades with a little noise, in any encoding."""
    rows, columns = draw(st.integers(8, 64)), draw(st.integers(8, 64))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shade = np.add.outer(np.linspace(0, rng.random(), rows), np.linspace(0, rng.random(), columns)) / 2
    shade += rng.normal(0, 0.01, shade.shape)
    signed = draw(st.booleans())
    stored = draw(st.sampled_from([8, 10, 12, 16]))
    values = np.clip(shade, 0, 1) * (2 ** (stored - signed) - 1)
    dtype = f"{'i' if signed else 'u'}{1 if stored == 8 else 2}"
    photometric = draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
    if stored == 8 and not signed and draw(st.booleans()):
        pixels = np.repeat(values.astype(dtype)[..., None], 3, axis=2)
        return image(pixels, photometric="RGB", planar=draw(st.integers(0, 1)))
    ds = image(values.astype(dtype), photometric=photometric, stored=stored, signed=signed)
    if draw(st.booleans()):
        ds.compress(uid.RLELossless, generate_instance_uid=False)
    return ds


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pictures())
def test_pixels_without_a_finding_stay_bit_identical(ds):
    before = bytes(ds.PixelData)
    outcome, after = clean(CLEANER, ds)
    assert outcome.looked
    if not outcome.boxes:
        assert after.PixelData == before
        assert outcome.transfer_syntax_uid == ds.file_meta.TransferSyntaxUID
    assert not outcome.changed
