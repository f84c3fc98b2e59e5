"""Instances of one series that were written from one template need their shared part checked once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pydicom.filereader import read_dataset
from pydicom.tag import Tag

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from inference.encode.checks.elements import EncodedElements

_MEDIA_LENGTH, _MEDIA_UID, _PIXELS = 0x00020000, 0x00020003, 0x7FE00010
_CHARACTER_SET = 0x00080005
_SMALL = frozenset(
    int(Tag(keyword))
    for keyword in ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "SourceImageSequence")
)
#: What differs between the pictures of a heatmap series; all else is the same.
VARYING = _SMALL | {_MEDIA_LENGTH, _MEDIA_UID, _PIXELS}


class OwnPart:
    """What an instance has for itself of a series that was written from one template.

    Attributes
    ----------
    ds
        Its varying elements, but for pixels and File Meta.
    pixel_bytes
        Length of its pixel data.
    media_uid
        Media Storage SOP Instance UID.
    """

    def __init__(self, elements: EncodedElements) -> None:
        encoded = io.BytesIO(elements.only(_SMALL | {_CHARACTER_SET}))
        self.ds: Dataset = read_dataset(encoded, is_implicit_VR=False, is_little_endian=True)
        self.pixel_bytes = elements.length(_PIXELS)
        self.media_uid = elements.value(_MEDIA_UID).rstrip(b"\0").decode("ascii", "replace")


class Likeness:
    """Remembers the encoded elements of an instance, to tell whether another has the same."""

    def __init__(self, elements: EncodedElements) -> None:
        self._shared = elements.without(VARYING)

    def own_part(self, elements: EncodedElements) -> OwnPart | None:
        """What another instance has for itself; `None` where more differs, or some of it is missing."""
        if not elements.spans.keys() >= VARYING or self._shared != elements.without(VARYING):
            return None
        return OwnPart(elements)
