"""Objects in another transfer syntax before they go out, without losing anything.

Pixels are compressed by a codec without loss, and what it made is decoded again and compared; where that is
not possible or gives other pixels, the object stays as it is.

References
----------
PS3.5 Annex A (transfer syntaxes); PS3.4 §B.4.1.3 (a change without loss keeps the SOP Instance UID).
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import pydicom
import structlog
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dicomweb.part10 import READ_ERRORS

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

log = structlog.get_logger(__name__)

#: The encoder to use, the fastest that gives every sample back.
_PLUGINS: Final = {JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg", RLELossless: "pylibjpeg"}


def lossless(part10: bytes, transfer_syntax_uid: str) -> bytes:
    """See `ports.Transcoder`.

    Objects without pixel data, or whose pixels the codec cannot hold (one bit each, say), stay as they are
    where a compressed transfer syntax is asked for.
    """
    wanted = UID(transfer_syntax_uid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        try:
            converted = _converted(part10, wanted)
        except (*READ_ERRORS, RuntimeError, MemoryError) as exc:
            log.warning("result.not_transcoded", reason=type(exc).__name__)
            return part10
    return part10 if converted is None else converted


def _converted(part10: bytes, wanted: UID) -> bytes | None:
    ds = pydicom.dcmread(BytesIO(part10))
    stored = ds.file_meta.TransferSyntaxUID
    if stored == wanted:
        return part10
    if stored.is_compressed:
        return None
    if not wanted.is_compressed:
        return _written(ds, wanted) if stored.is_little_endian and wanted.is_little_endian else None
    if "PixelData" not in ds or ds.BitsAllocated not in (8, 16):
        return None
    before = pixel_array(ds, raw=True)
    uid = ds.SOPInstanceUID
    ds.compress(wanted, encoding_plugin=_PLUGINS[wanted], generate_instance_uid=False)
    made = _written(ds, wanted)
    again = pydicom.dcmread(BytesIO(made))
    after = pixel_array(again, raw=True)
    if again.SOPInstanceUID != uid or not np.array_equal(before, after):
        log.warning("result.not_transcoded", reason="the pixels would change")
        return None
    return made


def _written(ds: FileDataset, transfer_syntax_uid: UID) -> bytes:
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    out = BytesIO()
    pydicom.dcmwrite(
        out,
        ds,
        implicit_vr=transfer_syntax_uid.is_implicit_VR,
        little_endian=True,
        enforce_file_format=True,
    )
    return out.getvalue()
