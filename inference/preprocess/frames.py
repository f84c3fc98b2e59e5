"""Frames of single- and multi-frame instances, each with its own attributes (PS3.3 §C.7.6.16)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.tag import Tag

from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

#: The functional group that holds an attribute (PS3.3 §C.7.6.16.2, §C.8.13, §C.8.15, §C.8.22).
_GROUPS = {
    "ImagePositionPatient": ("PlanePositionSequence",),
    "ImageOrientationPatient": ("PlaneOrientationSequence",),
    "PixelSpacing": ("PixelMeasuresSequence",),
    "SliceThickness": ("PixelMeasuresSequence",),
    "RescaleSlope": ("PixelValueTransformationSequence",),
    "RescaleIntercept": ("PixelValueTransformationSequence",),
    "RescaleType": ("PixelValueTransformationSequence",),
    "WindowCenter": ("FrameVOILUTSequence",),
    "WindowWidth": ("FrameVOILUTSequence",),
    "StackID": ("FrameContentSequence",),
    "TemporalPositionIndex": ("FrameContentSequence",),
    "DimensionIndexValues": ("FrameContentSequence",),
    "FrameReferenceDateTime": ("FrameContentSequence",),
    "EffectiveEchoTime": ("MREchoSequence",),
    "DiffusionBValue": ("MRDiffusionSequence",),
    "DiffusionGradientOrientation": ("MRDiffusionSequence", "DiffusionGradientDirectionSequence"),
    "NominalCardiacTriggerDelayTime": ("CardiacSynchronizationSequence",),
    "TemporalPositionTimeOffset": ("TemporalPositionSequence",),
}
_FRAME_TYPES = (
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "XAXRFFrameCharacteristicsSequence",
)
#: Macros that are looked up as a whole.
_MACROS = frozenset({"RealWorldValueMappingSequence"})
#: A plane in the patient belongs to one frame: several frames have none but in their functional groups.
_OF_ONE_FRAME = frozenset({"ImagePositionPatient", "ImageOrientationPatient"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One plane of pixels.

    Attributes
    ----------
    ds
        Its instance, which frames share.
    index
        From 0.
    """

    ds: Dataset
    index: int = 0

    @property
    def multi_frame(self) -> bool:
        """Whether its instance is a multi-frame one: more than one frame, or functional groups."""
        return count_frames(self.ds) != 1 or "PerFrameFunctionalGroupsSequence" in self.ds

    @property
    def number(self) -> int:
        """Frame number, from 1."""
        return self.index + 1

    def get(self, keyword: str) -> Any:
        """The frame's own value, else the shared one, else the instance's; `None` where there is none."""
        groups = [group for group in (self._own(), self._shared()) if group is not None]
        for group in groups:
            value = _in_group(group, keyword)
            if value is not None:
                return value
        if keyword in _OF_ONE_FRAME and count_frames(self.ds) != 1:
            return None
        return value_of(self.ds, keyword)

    def numbers(self, keyword: str) -> NDArray[np.float64] | None:
        """The values as finite numbers, or `None` where there are none or they are something else."""
        value = self.get(keyword)
        if value is None:
            return None
        try:
            found = np.atleast_1d(np.asarray(value, dtype=np.float64))
        except (TypeError, ValueError):
            return None
        return found if found.size and np.isfinite(found).all() else None

    def image_type(self) -> tuple[str, ...]:
        """Frame Type, or Image Type where there is none; upper case."""
        for group in (group for group in (self._own(), self._shared()) if group is not None):
            for name in _FRAME_TYPES:
                items = value_of(group, name)
                if items and (found := value_of(items[0], "FrameType")):
                    return _texts(found)
        return _texts(value_of(self.ds, "ImageType"))

    def _own(self) -> Dataset | None:
        items = value_of(self.ds, "PerFrameFunctionalGroupsSequence")
        return items[self.index] if items and self.index < len(items) else None

    def _shared(self) -> Dataset | None:
        items = value_of(self.ds, "SharedFunctionalGroupsSequence")
        return items[0] if items else None


def read_instance(part10: bytes) -> Dataset:
    """Parse an instance.

    Raises
    ------
    VolumeRefused
        Rule `unreadable`.
    """
    try:
        ds = pydicom.dcmread(io.BytesIO(part10))
    except Exception as exc:
        # Parsers raise whatever they like; their text may hold values of the data set.
        raise VolumeRefused("unreadable", f"an instance cannot be read ({type(exc).__name__})") from exc
    # Else the data set keeps all that it was read from beside what it holds.
    ds.buffer = None
    return ds


def value_of(ds: Dataset, keyword: str) -> Any:
    """The value of an attribute; `None` where it is absent, empty, or cannot be read."""
    tag = _tag_of(keyword)
    try:
        # By its tag: most of what is asked for is absent, and pydicom takes long to say so of a name.
        value = ds[tag].value if tag in ds else None
    except Exception:  # noqa: BLE001  what a value is converted with raises whatever it likes
        return None
    return None if value is None or (hasattr(value, "__len__") and len(value) == 0) else value


@cache
def _tag_of(keyword: str) -> BaseTag:
    return Tag(keyword)


def count_frames(ds: Dataset) -> int:
    """How many frames an instance has; 1 where it does not say, 0 where what it says makes no sense."""
    value = value_of(ds, "NumberOfFrames")
    if value is None:
        return 1
    try:
        return max(int(value), 0)
    except (TypeError, ValueError):
        return 0


def frames_of(ds: Dataset) -> tuple[Frame, ...]:
    """All frames of an instance, in their order.

    Raises
    ------
    VolumeRefused
        Rule `frames`, where the number of frames and their functional groups contradict each other.
    """
    count = count_frames(ds)
    groups = value_of(ds, "PerFrameFunctionalGroupsSequence")
    if count == 0 or (groups is not None and len(groups) != count):
        raise VolumeRefused("frames", "an image's number of frames and what it says of them differ")
    return tuple(Frame(ds, index) for index in range(count))


def _in_group(group: Dataset, keyword: str) -> Any:
    if keyword in _MACROS:
        return value_of(group, keyword)
    path = _GROUPS.get(keyword)
    if path is None:
        return None
    item = group
    for name in path:
        items = value_of(item, name)
        if not items:
            return None
        item = items[0]
    return value_of(item, keyword)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    values = [value] if isinstance(value, str) else value
    return tuple(str(one).strip().upper() for one in values)
