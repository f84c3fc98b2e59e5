"""Instances with any odd value become arrays or are refused; nothing else is ever raised."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from model_series import mr_slices
from multi_frame import enhanced_mr
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from inference.preprocess.images import read_images
from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused

PHANTOM = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
SLICES = mr_slices(PHANTOM, RescaleSlope="1", RescaleIntercept="0", PixelPaddingValue=0)
ENHANCED = enhanced_mr(SLICES)
_KEYWORDS = st.sampled_from(
    ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
     "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "RescaleSlope",
     "RescaleIntercept", "PixelPaddingValue", "PhotometricInterpretation", "FrameOfReferenceUID", "ImageType",
     "PlanarConfiguration", "InstanceNumber", "EchoTime", "Modality", "SOPInstanceUID", "PixelData"]
)  # fmt: skip
_VALUES = st.one_of(
    st.sampled_from(
        [b"", b"0 ", b"1\\2 ", b"nan ", b"-1", b"1e400 ", b"RGB ", b"PALETTE COLOR ", b"\x00\x00"]
    ),
    st.binary(max_size=12).map(lambda value: value + b" " * (len(value) % 2)),
)


def _bytes(ds, changes):
    """The instance with the values of some elements as they would lie in a file, whatever they are."""
    copy = ds.copy()
    for keyword, value in changes.items():
        tag = Tag(keyword)
        copy[tag] = RawDataElement(tag, dictionary_VR(tag)[:2], len(value), value, 0, False, True)
    buffer = io.BytesIO()
    try:
        copy.save_as(buffer, enforce_file_format=True)
    except (ValueError, TypeError, OverflowError, AttributeError):
        reject()  # not even written: nobody could send it so
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore")  # what pydicom says of odd values
@settings(deadline=None, max_examples=80)  # the machine may be busy
@given(
    changes=st.dictionaries(_KEYWORDS, _VALUES, min_size=1, max_size=3),
    enhanced=st.booleans(),
    colour=st.booleans(),
)
def test_odd_values_are_read_or_refused(changes, enhanced, colour):
    datasets = [ENHANCED] if enhanced else SLICES
    files = {"0": _bytes(datasets[0], changes)} | {
        str(number): _bytes(ds, {}) for number, ds in enumerate(datasets[1:], 1)
    }
    for read in (
        lambda: read_volume(list(files), files.get, max_voxels=10**6).voxels,
        lambda: read_images(list(files), files.get, max_voxels=10**6, colour=colour).pixels,
    ):
        with contextlib.suppress(VolumeRefused):
            array = read()
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
