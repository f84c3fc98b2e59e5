"""A series of the study becomes a volume."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pydicom

from inference.preprocess.geometry import stack_slices
from inference.preprocess.pixels import read_pixels
from inference.preprocess.volume import Volume, VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydicom.dataset import Dataset


def read_volume(sop_instance_uids: Sequence[str], read: Callable[[str], bytes], *, max_voxels: int) -> Volume:
    """Decode the instances of a series into one volume.

    Parameters
    ----------
    read
        Part 10 bytes of an instance.
    max_voxels
        A larger volume is refused before anything is decoded.

    Raises
    ------
    VolumeRefused
        If the series is no regular stack of grey slices; its rule names the check.
    """
    slices = [_read(read(uid)) for uid in sop_instance_uids]
    stack = stack_slices(slices)
    rows, columns = int(slices[0].Rows), int(slices[0].Columns)
    if len(slices) * rows * columns > max_voxels:
        raise VolumeRefused("size", f"the volume has more than the {max_voxels} voxels that the model takes")
    voxels = np.empty((len(slices), rows, columns), dtype=np.float32)
    for place, index in enumerate(stack.order):
        plane = read_pixels(slices[index])
        if plane.shape != (rows, columns):
            raise VolumeRefused("pixels", "an image has other pixels than its rows and columns say")
        voxels[place] = plane
        # The encoded pixels are not needed any more.
        del slices[index].PixelData
    return Volume(voxels, stack.affine, tuple(sop_instance_uids[i] for i in stack.order))


def _read(part10: bytes) -> Dataset:
    try:
        return pydicom.dcmread(io.BytesIO(part10))
    except Exception as exc:
        raise VolumeRefused("unreadable", f"an instance cannot be read ({type(exc).__name__})") from exc
