"""Puts changed pixels into an instance and says so in its attributes; everything else stays, byte by byte.

References
----------
PS3.3 §C.7.1.1 (De-identification Method Code Sequence), §C.7.6.1 (Recognizable Visual Features, Icon
Image Sequence), §C.7.6.3 (Image Pixel); PS3.5 §8, Annex A; PS3.16 CID 7050.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from pydicom.uid import ExplicitVRLittleEndian

from anonymizer.codec import PIXEL_DATA, Element, Encapsulated
from anonymizer.dummies import code_item
from anonymizer.part10 import text_value
from anonymizer.profile import Option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anonymizer.codec import Dataset
    from anonymizer.part10 import Part10

_METHOD_CODES: Final = 0x00120064
_CODE_VALUE: Final = 0x00080100
_RECOGNIZABLE: Final = 0x00280302
#: Extrema and statistics that held for the old pixels, a picture of them, and the table of old fragments.
_OUTDATED: Final = (
    0x00280106,  # SmallestImagePixelValue
    0x00280107,  # LargestImagePixelValue
    0x00280108,  # SmallestPixelValueInSeries
    0x00280109,  # LargestPixelValueInSeries
    0x00880200,  # IconImageSequence
    0x7FE00001,  # ExtendedOffsetTable
    0x7FE00002,  # ExtendedOffsetTableLengths
)


def rewrite(part10: bytes, plane: NDArray[np.integer] | None, files: Part10) -> bytes:
    """The instance with new pixels and the option's code.

    Compressed instances become Explicit VR Little Endian, others keep their transfer syntax.

    Parameters
    ----------
    plane
        (rows, columns) as stored, or `None` where the pixels stay.
    """
    file = files.read(part10)
    dataset, syntax = file.dataset, file.transfer_syntax_uid
    if plane is not None:
        if isinstance(dataset[PIXEL_DATA].value, Encapsulated):
            syntax = str(ExplicitVRLittleEndian)
        big_endian = files.codec(syntax).big_endian
        for tag in _OUTDATED:
            dataset.pop(tag, None)
        vr = "OW" if plane.dtype.itemsize == 2 else dataset[PIXEL_DATA].vr
        dataset[PIXEL_DATA] = Element(vr, _encoded(plane, big_endian=big_endian))
    _mark(dataset)
    return files.write(dataset, syntax)


def _encoded(plane: NDArray[np.integer], *, big_endian: bool) -> bytes:
    swap = big_endian == (sys.byteorder == "little")
    return (plane.byteswap() if swap else plane).tobytes()


def _mark(dataset: Dataset) -> None:
    option = Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES
    dataset[_RECOGNIZABLE] = Element("CS", b"NO")
    element = dataset.get(_METHOD_CODES)
    items = list(element.value) if element is not None and isinstance(element.value, list) else []
    if all(text_value(item, _CODE_VALUE) != option.code for item in items):
        items.append(code_item(option.code.encode(), b"DCM", option.meaning.encode()))
    items.sort(key=lambda item: text_value(item, _CODE_VALUE))
    dataset[_METHOD_CODES] = Element("SQ", items)
