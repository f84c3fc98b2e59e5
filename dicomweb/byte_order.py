"""Binary values of big endian data sets in little endian order, which is all that goes over the web.

References
----------
PS3.5 §7.3 (byte ordering), PS3.18 §8.7.3.5.2 (transfer syntaxes that are not used).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.uid import ExplicitVRBigEndian

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_PIXEL_DATA = 0x7FE00010


def little_endian(data: bytes, vr: str, bits_allocated: int = 16) -> bytes:
    """Bytes of a big endian value in little endian order; a value that is no whole number of words stays.

    Parameters
    ----------
    bits_allocated
        Of pixel data, whose words may be wider than the 16 bits of OW.
    """
    width = word_bytes(vr, bits_allocated)
    if width == 1 or len(data) % width:
        return data
    return np.frombuffer(data, f"u{width}").byteswap().tobytes()


def word_bytes(vr: str, bits_allocated: int = 16) -> int:
    """Bytes of the words in which a value is turned; 1 where it is not."""
    width = _WIDTHS.get(vr, 1)
    return max(width, bits_allocated // 8) if vr == "OW" else width


def is_big_endian(ds: FileDataset) -> bool:
    """Whether File Meta names Explicit VR Big Endian."""
    return bool(ds.file_meta.get("TransferSyntaxUID") == ExplicitVRBigEndian)


def convert_binaries(ds: Dataset) -> None:
    """Turn all binary values of a big endian data set, nested ones too; the data set is changed."""
    bits = int(ds.get("BitsAllocated", 16) or 16)
    for tag in list(ds.keys()):
        element: Any = ds.get_item(tag)
        vr = str(element.VR)
        if vr == "SQ":
            for item in ds[tag].value or ():
                convert_binaries(item)
        elif vr in _WIDTHS and element.value:
            value = little_endian(element.value, vr, bits if tag == _PIXEL_DATA else 16)
            if isinstance(element, RawDataElement):
                element = ds[tag]
            element.value = value
