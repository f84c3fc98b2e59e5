"""Pixel data in another transfer syntax than it is stored in, bit for bit the same once decoded.

Frames are decoded and encoded one at a time, so an instance of any size needs memory for one.

References
----------
PS3.5 §8.2 and Annex A (transfer syntaxes), PS3.3 §C.7.6.3.1.2 (Photometric Interpretation),
§C.7.6.1.1.5 (Lossy Image Compression), PS3.18 §8.7.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dicomweb.errors import not_acceptable
from dicomweb.wado.frames import DECODE_ERRORS, can_decode, is_compressed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomweb.wado.frames import FrameReader
    from dicomweb.wado.image_layout import ImageLayout

#: What pixel data is compressed to on request, best liked first; all without loss.
TARGETS: Final = (str(JPEGLSLossless), str(JPEG2000Lossless), str(RLELossless))
#: The encoder to use, the fastest that gives every sample back.
_PLUGINS: Final = {
    str(JPEGLSLossless): "pyjpegls",
    str(JPEG2000Lossless): "pylibjpeg",
    str(RLELossless): "pylibjpeg",
}
#: Bits Stored that a codec takes.
_BITS: Final = {
    str(JPEGLSLossless): range(2, 17),
    str(JPEG2000Lossless): range(1, 25),
    str(RLELossless): range(1, 33),
}
#: Always with loss (PS3.5 §8.2); others may be either.
LOSSY: Final = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81"})
#: Rows and columns that an encoder needs: OpenJPEG divides five times, and CharLS counts on some compression.
_LEAST_SIDE: Final = {str(JPEGLSLossless): 8, str(JPEG2000Lossless): 32, str(RLELossless): 1}
_COLOURS: Final = frozenset({"RGB", "YBR_FULL"})
_GREYS: Final = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})


def can_encode(image: ImageLayout, stored: str, wanted: str) -> bool:
    """Whether pixel data can be given in a compressed transfer syntax that it is not stored in."""
    if wanted not in TARGETS or image.keyword != "PixelData":
        return False
    if min(image.rows, image.columns) < _LEAST_SIDE[wanted]:
        return False
    if is_compressed(stored) and not can_decode(stored):
        return False
    return (
        image.bits_allocated in {8, 16, 32}
        and image.bits_stored in _BITS[wanted]
        and (image.samples, image.bits_allocated) in {(1, 8), (1, 16), (1, 32), (3, 8), (3, 16)}
    )


def decode_frame(frames: FrameReader, index: int) -> tuple[NDArray[Any], dict[str, Any]]:
    """A frame as native pixels, colour by pixel, YBR of lossy and subsampled images as RGB; and its image
    attributes by pydicom's names.

    Raises
    ------
    NotFound, Problem
    """  # noqa: D205
    # Native YBR_FULL is kept as it is: turning it into RGB would round.
    keep = not frames.compressed and frames.image.photometric != "YBR_FULL_422"
    return frames.decoded(index, raw=keep)


def encode_frame(pixels: NDArray[Any], properties: dict[str, Any], wanted: str) -> bytes:
    """A decoded frame compressed.

    Parameters
    ----------
    properties
        From `decode_frame`.

    Raises
    ------
    Problem
        406 if the codec cannot hold these pixels.
    """
    samples = int(properties["samples_per_pixel"])
    photometric = str(properties["photometric_interpretation"])
    if photometric not in (_COLOURS if samples == 3 else _GREYS):
        photometric = "RGB" if samples == 3 else "MONOCHROME2"
    allocated = pixels.dtype.itemsize * 8
    options = {
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "samples_per_pixel": samples,
        "number_of_frames": 1,
        "bits_allocated": allocated,
        "bits_stored": min(int(properties["bits_stored"]), allocated),
        "pixel_representation": int(properties["pixel_representation"]),
        "photometric_interpretation": photometric,
        "transfer_syntax_uid": UID(wanted),
    }
    if samples > 1:
        options["planar_configuration"] = 0
    try:
        encoder = get_encoder(wanted)
        return bytes(
            encoder.encode(np.ascontiguousarray(pixels), encoding_plugin=_PLUGINS[wanted], **options)
        )
    except DECODE_ERRORS as exc:
        raise not_acceptable(
            "the pixel values do not fit this transfer syntax; ask for another, or for transfer-syntax=*"
        ) from exc
