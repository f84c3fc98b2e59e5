"""NIfTI files as volumes: samples, and data for evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from dicom_node.domain.errors import InferenceFailed
from inference.preprocess.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path


def volume_from_nifti(path: Path) -> Volume:
    """A NIfTI file as a volume; slices along its last axis.

    Raises
    ------
    InferenceFailed
        If it cannot be read as one volume.
    """
    try:
        image = nibabel.load(path)
        voxels = np.asarray(image.get_fdata(dtype=np.float32))
    except (OSError, ImageFileError) as exc:
        raise InferenceFailed(f"{path.name}: cannot be read as NIfTI ({type(exc).__name__})") from exc
    if voxels.ndim != 3:
        raise InferenceFailed(f"{path.name}: one volume is needed")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(image.affine, dtype=np.float64)
    turned = affine[:, [2, 1, 0, 3]]
    voxels = np.ascontiguousarray(voxels.transpose(2, 1, 0))
    if np.dot(turned[:3, 0], np.cross(turned[:3, 2], turned[:3, 1])) < 0:
        # Slices ascend along the normal of rows and columns.
        turned = turned.copy()
        turned[:3, 3] += turned[:3, 0] * (voxels.shape[0] - 1)
        turned[:3, 0] *= -1
        voxels = np.ascontiguousarray(voxels[::-1])
    return Volume(voxels, turned, ())
