"""The `.npz` archive of a prediction (`dicom_node.domain.finding.Prediction.arrays`)."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pack_arrays(mask: NDArray[np.uint8], probability: NDArray[np.floating]) -> bytes:
    """Pack `mask` as uint8 and `probability` as float16.

    Compressed at the fastest level: almost all voxels are 0, and NumPy's own level takes three times as
    long for a tenth less.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in (("mask", mask), ("probability", probability.astype(np.float16))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
