"""Single images of a series: projections, captures, ultrasound, photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.preprocess.frames import frames_of, read_instance, value_of
from inference.preprocess.pixels import read_grey
from inference.preprocess.spacing import PixelSize, pixel_size
from inference.preprocess.stored import is_colour, read_rgb
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from inference.preprocess.frames import Frame


@dataclass(frozen=True, slots=True)
class SourceImages:
    """Images of one size, each for itself; they need have no place in the patient.

    Attributes
    ----------
    pixels
        float32 (images, rows, columns) in modality units, brighter is more; in colour
        (images, rows, columns, 3), red, green, blue, 0 to 255.
    sop_instance_uids
        The instance of each image; of a multi-frame instance its UID once.
    source_frames
        Frame numbers (from 1) where the images are frames of one multi-frame instance, else empty.
    pixel_size
        The first image's.
    notes
        What was left out, for people.
    """

    pixels: NDArray[np.float32]
    sop_instance_uids: tuple[str, ...]
    source_frames: tuple[int, ...]
    pixel_size: PixelSize
    notes: tuple[str, ...] = ()

    @property
    def colour(self) -> bool:
        """Whether pixels are red, green and blue."""
        return self.pixels.ndim == 4


def read_images(
    sop_instance_uids: Sequence[str],
    read: Callable[[str], bytes],
    *,
    max_voxels: int,
    colour: bool = False,
    max_images: int = 16,
    views: Sequence[str] = (),
    lateralities: Sequence[str] = (),
) -> SourceImages:
    """Decode images of a series, in the order of their Instance Numbers.

    Of a series of single images those that fit are taken, as far as they have the first one's size; of
    multi-frame instances the first one. What is more than `max_images` is thinned out evenly; where one is
    asked for of many frames, it is the Representative Frame or the middle one.

    Parameters
    ----------
    read
        Part 10 bytes of an instance.
    max_voxels
        More pixels together are refused before they are decoded.
    colour
        Whether colours are given as they are. Else an image in colour is refused, unless its three
        components are all the same.
    views, lateralities
        Values of View Position and of (Image) Laterality that are taken; empty takes all.

    Raises
    ------
    VolumeRefused
        Rule `unreadable`, `frames`, `view`, `pixels`, `rescale`, `colour` or `size`.
    """
    notes: list[str] = []
    fitting = _instances(sop_instance_uids, read, views, lateralities, notes)
    frames, numbers = _choose(fitting, max_images, notes)
    first = frames[0].ds
    rows, columns = _matrix(first)
    if len(frames) * rows * columns > max_voxels:
        raise VolumeRefused("size", f"the images have more than the {max_voxels} pixels that the model takes")
    in_colour = is_colour(first)
    planes = [_plane(frame, in_colour=in_colour, colour=colour) for frame in frames]
    if any(plane.shape[:2] != (rows, columns) for plane in planes):
        raise VolumeRefused("pixels", "an image has other pixels than its rows and columns say")
    return SourceImages(
        pixels=np.stack(planes),
        sop_instance_uids=tuple(dict.fromkeys(str(frame.ds.SOPInstanceUID) for frame in frames)),
        source_frames=numbers,
        pixel_size=pixel_size(frames[0]),
        notes=tuple(notes),
    )


def _instances(
    uids: Sequence[str],
    read: Callable[[str], bytes],
    views: Sequence[str],
    lateralities: Sequence[str],
    notes: list[str],
) -> list[Dataset]:
    found = [read_instance(read(uid)) for uid in uids]
    if not all(isinstance(value_of(ds, key), int) for ds in found for key in ("Rows", "Columns")):
        raise VolumeRefused("pixels", "an instance is no image")
    fitting = [ds for ds in found if _fits(ds, views, lateralities)]
    if not fitting:
        raise VolumeRefused("view", "no image of the series has a view or laterality that the model takes")
    if len(fitting) < len(found):
        notes.append(f"{len(found) - len(fitting)} images of other views were left out")
    fitting.sort(key=_instance_number)
    multi = [ds for ds in fitting if len(frames_of(ds)) > 1]
    chosen = multi[:1] or [
        ds for ds in fitting if _matrix(ds) == _matrix(fitting[0]) and is_colour(ds) == is_colour(fitting[0])
    ]
    if len(chosen) < len(fitting):
        notes.append(f"{len(fitting) - len(chosen)} images of another size or kind were left out")
    return chosen


def _choose(
    instances: Sequence[Dataset], max_images: int, notes: list[str]
) -> tuple[list[Frame], tuple[int, ...]]:
    frames = [frame for ds in instances for frame in frames_of(ds)]
    several = len(frames) > len(instances)
    chosen = frames
    if len(frames) > max_images:
        chosen = [frames[index] for index in _spread(frames, max_images)]
        notes.append(f"{len(chosen)} of {len(frames)} images were taken")
    return chosen, tuple(frame.number for frame in chosen) if several else ()


def _spread(frames: Sequence[Frame], count: int) -> list[int]:
    if count == 1:
        representative = frames[0].numbers("RepresentativeFrameNumber")
        if representative is not None and 1 <= representative[0] <= len(frames):
            return [int(representative[0]) - 1]
        return [len(frames) // 2 if len(frames) > 1 and frames[0].ds is frames[1].ds else 0]
    return [round(index * (len(frames) - 1) / (count - 1)) for index in range(count)]


def _plane(frame: Frame, *, in_colour: bool, colour: bool) -> NDArray[np.float32]:
    if not in_colour:
        return read_grey(frame)
    rgb = read_rgb(frame)
    if colour:
        return rgb.astype(np.float32)
    if not ((rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all()):
        raise VolumeRefused("colour", "the images are in colour, and the model takes grey ones")
    return rgb[..., 0].astype(np.float32)


def _fits(ds: Dataset, views: Sequence[str], lateralities: Sequence[str]) -> bool:
    if views and _text(ds, "ViewPosition") not in views:
        return False
    side = _text(ds, "ImageLaterality") or _text(ds, "Laterality")
    return not lateralities or side in lateralities


def _text(ds: Dataset, keyword: str) -> str:
    return str(value_of(ds, keyword) or "").strip().upper()


def _instance_number(ds: Dataset) -> int:
    try:
        return int(value_of(ds, "InstanceNumber") or 0)
    except (TypeError, ValueError):
        return 0


def _matrix(ds: Dataset) -> tuple[int, int]:
    return int(ds.Rows), int(ds.Columns)
