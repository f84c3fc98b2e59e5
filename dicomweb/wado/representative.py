"""Which instance stands for a study or a series, and what may be shown of it.

References
----------
PS3.18 §10.4.3.3.3 and §10.4.3.3.4 (payload of rendered resources and of thumbnails).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import ParametricMapStorage, SecondaryCaptureImageStorage, SegmentationStorage

from dicomweb.wado.colour import LABEL_MAP_SEGMENTATION_STORAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.catalog import CatalogEntry

_ROWS, _MODALITY, _BURNED_IN = "00280010", "00080060", "00280301"
#: What was derived from other images; the originals show a study better.
_DERIVED = frozenset(
    {
        SegmentationStorage,
        LABEL_MAP_SEGMENTATION_STORAGE,
        ParametricMapStorage,
        SecondaryCaptureImageStorage,
    }
)


def is_image(entry: CatalogEntry) -> bool:
    """Whether the instance has rows of pixels."""
    return _ROWS in entry.attributes


def representative(entries: Sequence[CatalogEntry]) -> CatalogEntry:
    """The instance that stands for several: the middle image of the first series of originals.

    Where there are no originals, of the first series of images; where there are no images, the first.
    """
    images = [entry for entry in entries if is_image(entry)]
    if not images:
        return entries[0]
    first = next((entry for entry in images if entry.sop_class_uid not in _DERIVED), images[0])
    within = [entry for entry in images if entry.series_instance_uid == first.series_instance_uid]
    return within[len(within) // 2]


def shows_identity(entry: CatalogEntry) -> bool:
    """Whether the instance says that identity is burned into its pixels (0028,0301)."""
    return "YES" in (entry.attributes.get(_BURNED_IN, {}).get("Value") or ())


def modality_label(entry: CatalogEntry) -> str:
    """The modality, for a tile in place of a picture."""
    values = entry.attributes.get(_MODALITY, {}).get("Value") or [""]
    return str(values[0] or "?")
