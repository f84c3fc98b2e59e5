"""The mask as LABELMAP Segmentation (PS3.3 §A.51, Label Map Segmentation Storage): one frame a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom.seg import SegmentationTypeValues

from dicom_node.domain.errors import EncodingFailed
from inference.encode.context import Role
from inference.encode.segmentation import encode_segments

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from inference.encode.context import ResultContext


def make_label_map(context: ResultContext, mask: NDArray[np.uint8]) -> Dataset:
    """Encode the whole mask, each pixel with the number of its segment.

    An extra object: the BINARY one is what viewers draw (OHIF shifts this one's colours by one).

    Parameters
    ----------
    mask
        (slices, rows, columns), ascending along the slice normal; every value names a segment.

    Raises
    ------
    EncodingFailed
        If the mask is empty.
    """
    if not mask.any():
        raise EncodingFailed("the mask is empty: there is nothing to segment")
    return encode_segments(
        context,
        mask,
        list(range(mask.shape[0])),
        Role.LABELMAP,
        SegmentationTypeValues.LABELMAP,
        "label map",
    )
