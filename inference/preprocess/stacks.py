"""Which frames of a series make the volume: copies, localisers and other echoes, phases or times left out."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING

from inference.preprocess.choice import ASPECTS, choose_volume
from inference.preprocess.frames import value_of
from inference.preprocess.geometry import SAME_PLACE_MM, plane_of, same_orientation
from inference.preprocess.stored import read_stored
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference.preprocess.frames import Frame
    from inference.preprocess.geometry import Plane

#: A series is one stack with strays where its largest stack has so many times the slices of all others.
_MAIN_SHARE = 4


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame and where it lies."""

    frame: Frame
    plane: Plane


def choose_frames(
    frames: Iterable[Frame], sequences: Sequence[str]
) -> tuple[list[PlacedFrame], tuple[str, ...]]:
    """The frames of one volume, in any order, and what was left out.

    Parameters
    ----------
    sequences
        MR sequence types that are wanted; see `inference.preprocess.choice.choose_volume`.

    Raises
    ------
    VolumeRefused
        Rule `missing-geometry`, `mixed-orientation`, `duplicate-positions` or `several-volumes`.
    """
    notes: list[str] = []
    placed = [PlacedFrame(frame, plane_of(frame)) for frame in frames]
    placed = _without_localisers(placed, notes)
    placed = _main_orientation(placed, notes)
    if any(len(here) > 1 for here in _by_place(placed)):
        placed = _without_copies(placed, notes)
        chosen, text = choose_volume([[one.frame for one in here] for here in _by_place(placed)], sequences)
        if text:
            kept = {id(frame) for frame in chosen}
            placed = [one for one in placed if id(one.frame) in kept]
            notes.append(text)
    return placed, tuple(notes)


def _without_localisers(placed: list[PlacedFrame], notes: list[str]) -> list[PlacedFrame]:
    scans = [one for one in placed if "LOCALIZER" not in one.frame.image_type()]
    if not scans or len(scans) == len(placed):
        return placed
    notes.append(f"{len(placed) - len(scans)} localiser images were left out")
    return scans


def _main_orientation(placed: list[PlacedFrame], notes: list[str]) -> list[PlacedFrame]:
    groups: list[list[PlacedFrame]] = []
    for one in placed:
        fitting = next((group for group in groups if same_orientation(group[0].plane, one.plane)), None)
        if fitting is None:
            groups.append([one])
        else:
            fitting.append(one)
    if len(groups) == 1:
        return placed
    main = max(groups, key=len)
    strays = len(placed) - len(main)
    if len(main) < _MAIN_SHARE * strays:
        raise VolumeRefused(
            "mixed-orientation",
            "the slices have different orientations (a localiser, say, or several stacks)",
        )
    notes.append(f"{strays} images of another orientation were left out")
    return main


def _by_place(placed: Sequence[PlacedFrame]) -> list[list[PlacedFrame]]:
    """Frames that stand at the same distance along the normal, ascending."""
    places: list[list[PlacedFrame]] = []
    first = 0.0
    for distance, one in sorted(((one.plane.distance, one) for one in placed), key=itemgetter(0)):
        if places and distance - first < SAME_PLACE_MM:
            places[-1].append(one)
        else:
            places.append([one])
            first = distance
    return places


def _without_copies(placed: list[PlacedFrame], notes: list[str]) -> list[PlacedFrame]:
    """Of frames with the same place, pixels and attributes only the first; `placed` in its own order."""
    dropped: set[int] = set()
    for here in _by_place(placed):
        seen: set[tuple[object, ...]] = set()
        for one in here if len(here) > 1 else ():
            key = _likeness(one.frame)
            if key in seen:
                dropped.add(id(one))
            seen.add(key)
    if not dropped:
        return placed
    notes.append(f"{len(dropped)} identical copies of slices were left out")
    return [one for one in placed if id(one) not in dropped]


def _likeness(frame: Frame) -> tuple[object, ...]:
    scale = [frame.get(keyword) for keyword in ("RescaleSlope", "RescaleIntercept")]
    return (_digest(frame), *map(str, scale), *(aspect.of(frame) for aspect in ASPECTS))


def _digest(frame: Frame) -> bytes:
    encoded = value_of(frame.ds, "PixelData")
    if isinstance(encoded, bytes) and not frame.multi_frame:
        return sha256(encoded).digest()
    return sha256(read_stored(frame).tobytes()).digest()
