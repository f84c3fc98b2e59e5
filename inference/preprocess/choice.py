"""Several volumes in one series (echoes, b-values, phases, times): told apart, and the right one chosen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.preprocess.frames import value_of
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.preprocess.frames import Frame

#: Words of Image Type and Frame Type that say which part of a complex signal it is (PS3.3 §C.8.3.1.1.1).
_PARTS = {"M": "M", "MAGNITUDE": "M", "P": "P", "PHASE": "P", "PHASE MAP": "P", "R": "R", "REAL": "R",
          "I": "I", "IMAGINARY": "I"}  # fmt: skip
_LATE_ECHO = frozenset({"T2", "FLAIR", "T2*", "SWI"})

Value = tuple[str, ...] | float | None


@dataclass(frozen=True, slots=True)
class Aspect:
    """Something by which frames at one place may differ.

    Attributes
    ----------
    name
        For people.
    keywords
        Attributes that tell it, the first one that a frame has.
    """

    name: str
    keywords: tuple[str, ...]

    def of(self, frame: Frame) -> Value:
        """The frame's value; `None` where it does not tell."""
        if not self.keywords:
            return frame.image_type()[2:]
        for keyword in self.keywords:
            found = frame.numbers(keyword)
            if found is not None:
                return float(found[0]) if found.size == 1 else tuple(f"{x:.4f}" for x in found)
        return None


KIND = Aspect("image type", ())
ECHO = Aspect("echo time", ("EffectiveEchoTime", "EchoTime", "EchoNumbers"))
B_VALUE = Aspect("b-value", ("DiffusionBValue",))
DIRECTION = Aspect("diffusion direction", ("DiffusionGradientOrientation",))
TIME = Aspect(
    "time",
    (
        "TemporalPositionIndex",
        "TemporalPositionIdentifier",
        "TemporalPositionTimeOffset",
        "NominalCardiacTriggerDelayTime",
        "TriggerTime",
        "NominalPercentageOfCardiacPhase",
        "FrameReferenceTime",
    ),
)
OTHERS = (
    Aspect("stack", ("StackID",)),
    Aspect("inversion time", ("InversionTime",)),
    Aspect("flip angle", ("FlipAngle",)),
    Aspect("tube voltage", ("KVP",)),
    Aspect("acquisition", ("AcquisitionNumber",)),
)
ASPECTS = (KIND, B_VALUE, DIRECTION, ECHO, TIME, *OTHERS)


def choose_volume(
    places: Sequence[Sequence[Frame]], sequences: Sequence[str] = ()
) -> tuple[list[Frame], str]:
    """Of the frames at each place the one that belongs to the volume that is wanted.

    Magnitude is taken before phase and complex parts; of b-values the lowest, or the highest for `DWI`; of
    echoes the first, or the last for `T2`, `FLAIR` and susceptibility; of the times of an MR series the
    first. Nothing else is chosen.

    Parameters
    ----------
    places
        Frames that stand at one place, for each place.
    sequences
        MR sequence types that are wanted.

    Returns
    -------
    tuple
        The frames, and what was chosen; empty where there was nothing to choose.

    Raises
    ------
    VolumeRefused
        Rule `duplicate-positions` where the frames of a place do not differ in anything known, or
        `several-volumes` where it is not for the node to say which one is right.
    """
    several = [list(place) for place in places]
    chosen: list[str] = []
    unsolved: list[str] = []
    for aspect in ASPECTS:
        if all(len(place) == 1 for place in several):
            break
        if not any(len({aspect.of(frame) for frame in place}) > 1 for place in several):
            continue
        word = _wanted(aspect, several, sequences)
        if word is None:
            unsolved.append(aspect.name)
            continue
        several = [_keep(aspect, place, word) for place in several]
        chosen.append(f"{aspect.name} ({word})")
    if any(len(place) != 1 for place in several):
        if unsolved:
            raise VolumeRefused(
                "several-volumes",
                f"the series holds several volumes that differ in {' and '.join(unsolved)}, and which one is"
                " right cannot be told: send them as series of their own",
            )
        raise VolumeRefused(
            "duplicate-positions",
            "several slices stand at the same position (echoes, phases or copies in one series)",
        )
    text = f"of several volumes one was chosen by {', '.join(chosen)}" if chosen else ""
    return [place[0] for place in several], text


def _wanted(aspect: Aspect, places: Sequence[Sequence[Frame]], sequences: Sequence[str]) -> str | None:
    """Which value of an aspect is wanted: `magnitude`, `lowest`, `highest`; `None` where nobody can say."""
    wanted = {name.upper() for name in sequences}
    if aspect is KIND:
        parts = [{_part(frame) for frame in place} for place in places]
        return "magnitude" if all("M" in part and len(part) > 1 for part in parts) else None
    if aspect is B_VALUE:
        return "highest" if "DWI" in wanted else "lowest"
    if aspect is ECHO:
        return "highest" if wanted and wanted <= _LATE_ECHO else "lowest"
    if aspect is TIME:
        modalities = Counter(value_of(frame.ds, "Modality") for place in places for frame in place)
        return "lowest" if set(modalities) == {"MR"} else None
    return None


def _part(frame: Frame) -> str:
    found = [_PARTS[word] for word in frame.image_type()[2:] if word in _PARTS]
    component = str(frame.get("ComplexImageComponent") or "").upper()
    return found[0] if found else _PARTS.get(component, "")


def _keep(aspect: Aspect, place: list[Frame], word: str) -> list[Frame]:
    if word == "magnitude":
        return [frame for frame in place if _part(frame) == "M"]
    known = [(value, frame) for frame in place if isinstance(value := aspect.of(frame), float)]
    if not known:
        return place
    values = [value for value, _ in known]
    best = min(values) if word == "lowest" else max(values)
    return [frame for value, frame in known if value == best]
