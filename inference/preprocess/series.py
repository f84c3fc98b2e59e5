"""A series of the study becomes a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.preprocess.frames import count_frames, frames_of, read_instance, value_of
from inference.preprocess.geometry import SliceStack, stack_planes
from inference.preprocess.pixels import read_grey
from inference.preprocess.stacks import choose_frames
from inference.preprocess.suv import suv_factor
from inference.preprocess.volume import Volume, VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from inference.preprocess.frames import Frame

#: Units that a model may ask for.
HOUNSFIELD, SUV = "HU", "SUVbw"


def read_volume(
    sop_instance_uids: Sequence[str],
    read: Callable[[str], bytes],
    *,
    max_voxels: int,
    max_missing_slices: int = 0,
    unit: str | None = None,
    sequences: Sequence[str] = (),
) -> Volume:
    """Decode the instances of a series, single- or multi-frame, into one volume.

    Localisers, identical copies, and other echoes, phases, b-values and times are left out; the volume's
    notes say so. Encoded pixels are let go slice by slice as the volume fills.

    Parameters
    ----------
    read
        Part 10 bytes of an instance.
    max_voxels
        A larger volume is refused before anything is decoded.
    max_missing_slices
        So many slices inside the stack may be filled in from their neighbours.
    unit
        `HU` or `SUVbw`, where the voxels must be in it.
    sequences
        MR sequence types that are wanted, where one series holds several volumes.

    Raises
    ------
    VolumeRefused
        If the series is no regular stack of grey slices; its rule names the check.
    """
    frames = [frame for uid in sop_instance_uids for frame in frames_of(read_instance(read(uid)))]
    placed, notes = choose_frames(frames, sequences)
    stack = stack_planes([one.plane for one in placed], max_missing=max_missing_slices)
    ordered = [placed[index].frame for index in stack.order]
    rows, columns = placed[0].plane.matrix
    if (stack.places[-1] + 1) * rows * columns > max_voxels:
        raise VolumeRefused("size", f"the volume has more than the {max_voxels} voxels that the model takes")
    factor = _unit_factor(unit, ordered)
    instances, numbers = _source(ordered)
    del frames, placed
    voxels = np.empty((stack.places[-1] + 1, rows, columns), dtype=np.float32)
    for place, frame in zip(stack.places, ordered, strict=True):
        plane = read_grey(frame)
        if plane.shape != (rows, columns):
            raise VolumeRefused("pixels", "an image has other pixels than its rows and columns say")
        voxels[place] = plane
        if factor != 1.0:
            voxels[place] *= np.float32(factor)
        if not numbers:
            # The encoded pixels are not needed any more.
            frame.ds.pop("PixelData", None)
    if stack.missing:
        _fill_in(voxels, stack)
        notes = (*notes, f"{stack.missing} missing slices were filled in from their neighbours")
    return Volume(
        voxels,
        stack.affine,
        instances,
        source_frames=numbers,
        kept=stack.places if stack.missing else None,
        notes=notes,
    )


def _source(ordered: Sequence[Frame]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    instances = [str(frame.ds.SOPInstanceUID) for frame in ordered]
    if all(count_frames(frame.ds) == 1 for frame in ordered):
        return tuple(instances), ()
    if len(set(instances)) > 1:
        raise VolumeRefused(
            "several-multi-frame",
            "the volume is spread over several multi-frame instances, and results can only refer to one",
        )
    return (instances[0],), tuple(frame.number for frame in ordered)


def _unit_factor(unit: str | None, frames: Sequence[Frame]) -> float:
    if unit == SUV:
        return suv_factor(frames)
    if unit == HOUNSFIELD:
        _check_hounsfield(frames)
    return 1.0


def _check_hounsfield(frames: Sequence[Frame]) -> None:
    if any(value_of(frame.ds, "Modality") != "CT" for frame in frames):
        raise VolumeRefused("unit", "the model takes Hounsfield units, and the series is no CT")
    if any(str(frame.get("RescaleType") or "HU").upper() != "HU" for frame in frames):
        raise VolumeRefused("unit", "the images' rescale gives no Hounsfield units")
    if any(frame.get("RescaleSlope") is None or frame.get("RescaleIntercept") is None for frame in frames):
        raise VolumeRefused("unit", "the images have no rescale to Hounsfield units")


def _fill_in(voxels: NDArray[np.float32], stack: SliceStack) -> None:
    """Interpolate the missing slices of `voxels`, in place, between their neighbours."""
    for before, after in zip(stack.places[:-1], stack.places[1:], strict=True):
        for place in range(before + 1, after):
            share = np.float32((place - before) / (after - before))
            voxels[place] = (1 - share) * voxels[before] + share * voxels[after]
