"""Instances of one series that were written from one template need their shared part checked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.tag import Tag

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: What differs between the pictures of a heatmap series; all else is the same.
VARYING = frozenset(
    Tag(keyword)
    for keyword in (
        "SOPInstanceUID",
        "InstanceNumber",
        "ImagePositionPatient",
        "SourceImageSequence",
        "PixelData",
    )
)


class Likeness:
    """Remembers the encoded elements of a data set, to tell whether another has the same.

    Parameters
    ----------
    ds
        As read: none of its elements was decoded yet.
    """

    def __init__(self, ds: Dataset) -> None:
        self._shared = _encoded(ds)

    def holds(self, ds: Dataset) -> bool:
        """Whether another data set as read differs in varying elements only, and has all of these."""
        return self._shared == _encoded(ds) and all(tag in ds for tag in VARYING)


def _encoded(ds: Dataset) -> dict[int, tuple[object, object]]:
    items = {tag: ds.get_item(tag) for tag in ds.keys() if tag not in VARYING}  # noqa: SIM118
    return {tag: (element.VR, element.value) for tag, element in items.items()}
