"""Multi-frame MR of single slices: each slice's geometry goes to the functional groups of its frame."""

import copy

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, generate_uid

_MOVED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleType",
          "RescaleIntercept", "EchoTime", "ImageType")  # fmt: skip


def enhanced_mr(slices, *, shared=("orientation", "measures"), own=None):
    """One Enhanced MR instance of slices, its frames in the given order.

    Parameters
    ----------
    shared
        Macros that are the same in all frames and stand in the shared group.
    own
        A function of the frame's index and its group, to add what a test wants.
    """
    first = slices[0]
    ds = copy.deepcopy(first)
    for keyword in _MOVED:
        ds.pop(keyword, None)
    ds.SOPClassUID, ds.SOPInstanceUID = EnhancedMRImageStorage, generate_uid()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.NumberOfFrames = len(slices)
    ds.PixelData = b"".join(one.PixelData for one in slices)
    groups = [_group(one) for one in slices]
    common = Dataset()
    for name, keyword in (("orientation", "PlaneOrientationSequence"), ("measures", "PixelMeasuresSequence")):
        if name in shared:
            setattr(common, keyword, groups[0][keyword].value)
            for group in groups:
                del group[keyword]
    for index, group in enumerate(groups):
        if own is not None:
            own(index, group)
    ds.SharedFunctionalGroupsSequence = Sequence([common])
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return ds


def _group(one):
    group = Dataset()
    group.PlanePositionSequence = item(ImagePositionPatient=one.ImagePositionPatient)
    group.PlaneOrientationSequence = item(ImageOrientationPatient=one.ImageOrientationPatient)
    group.PixelMeasuresSequence = item(PixelSpacing=one.PixelSpacing, SliceThickness=2)
    if "RescaleSlope" in one:
        group.PixelValueTransformationSequence = item(
            RescaleSlope=one.RescaleSlope, RescaleIntercept=one.RescaleIntercept, RescaleType="US"
        )
    return group


def item(**values):
    """A sequence of one item."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return Sequence([ds])
