"""Compressed pixel data to native ones.

References
----------
PS3.5 §8.2, Annex A.4; PS3.3 §C.7.6.1.1.5 (Lossy Image Compression).
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

from anonymizer.codec import PIXEL_DATA, Element, Encapsulated
from anonymizer.errors import CannotVouch
from anonymizer.pixels.description import (
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SUBSAMPLED,
    Description,
)
from anonymizer.pixels.fragments import EXTENDED_LENGTHS, EXTENDED_OFFSETS

if TYPE_CHECKING:
    from anonymizer.codec import Dataset

LOSSY_IMAGE_COMPRESSION: Final = 0x00282110
#: Transfer syntaxes that always lose something.
_LOSSY: Final = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless})


def decode(dataset: Dataset, description: Description, transfer_syntax_uid: str) -> tuple[Description, bytes]:
    """Decode all frames; returns how they are stored now, and the value in little endian.

    Colours stay in the colour space in which the decoder finds them: YBR_FULL is not turned to RGB.

    Raises
    ------
    CannotVouch
        `pixels-not-decoded` if there is no decoder, or it refuses the stream.
    """
    value = dataset[PIXEL_DATA].value
    assert isinstance(value, Encapsulated)  # noqa: S101  # for the type checker; the caller asked
    d = description
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their texts may hold values
            decoder = get_decoder(uid.UID(transfer_syntax_uid))
            options: dict[str, Any] = {
                "rows": d.rows,
                "columns": d.columns,
                "number_of_frames": d.frames,
                "samples_per_pixel": d.samples,
                "bits_allocated": d.bits_allocated,
                "bits_stored": d.bits_stored,
                "pixel_representation": int(d.signed),
                "photometric_interpretation": d.photometric,
                "pixel_keyword": "PixelData",
            }
            if d.samples > 1:
                options["planar_configuration"] = d.planar
            if EXTENDED_OFFSETS in dataset and EXTENDED_LENGTHS in dataset:
                options["extended_offsets"] = (
                    dataset[EXTENDED_OFFSETS].value,
                    dataset[EXTENDED_LENGTHS].value,
                )
            frames = []
            photometric = d.photometric
            # A buffer has to end with the delimiter for the decoder to find its end.
            source = bytes(value.items) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
            for array, found in decoder.iter_array(source, raw=True, **options):
                frames.append(np.ascontiguousarray(array))
                photometric = str(found["photometric_interpretation"])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # plugins raise whatever they like; the instance is kept back
        raise _undecodable() from error.with_traceback(None)
    dtype = np.dtype(f"{'i' if d.signed else 'u'}{d.bits_allocated // 8}") if d.bits_allocated > 1 else None
    shape = (d.rows, d.columns, 3) if d.samples == 3 else (d.rows, d.columns)
    if len(frames) != d.frames or any(
        f.shape != shape or f.dtype.itemsize != dtype.itemsize for f in frames if dtype
    ):
        raise _undecodable()
    if photometric in SUBSAMPLED:
        photometric = "YBR_FULL"
    if photometric in {"YBR_ICT", "YBR_RCT"}:
        photometric = "RGB"
    after = replace(d, planar=0, photometric=photometric)
    return after, b"".join(frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in frames)


def make_native(dataset: Dataset, description: Description, value: bytes, transfer_syntax_uid: str) -> None:
    """Put decoded pixels into a data set that is going to be written in Explicit VR Little Endian."""
    padded = value + b"\0" * (len(value) % 2)
    dataset[PIXEL_DATA] = Element("OB" if description.bits_allocated <= 8 else "OW", padded)
    photometric = description.photometric.encode()
    dataset[PHOTOMETRIC_INTERPRETATION] = Element("CS", photometric + b" " * (len(photometric) % 2))
    if description.samples > 1:
        dataset[PLANAR_CONFIGURATION] = Element("US", b"\0\0")
    for tag in (EXTENDED_OFFSETS, EXTENDED_LENGTHS):
        dataset.pop(tag, None)
    if transfer_syntax_uid in _LOSSY:
        dataset[LOSSY_IMAGE_COMPRESSION] = Element("CS", b"01")


def _undecodable() -> CannotVouch:
    return CannotVouch(
        "pixels-not-decoded",
        "no decoder understands the compressed pixels; send them uncompressed",
        "PixelData",
    )
