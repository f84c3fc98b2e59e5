"""What a leak case is: files of one study, what must not come out, and what has to come out.

References
----------
MIDI-B (Rutherford et al., 2025): the names of the ten actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: The ten actions that MIDI-B scores.
ACTIONS = (
    "tag_retained",
    "text_notnull",
    "text_retained",
    "text_removed",
    "date_shifted",
    "uid_changed",
    "uid_consistent",
    "patid_consistent",
    "pixels_hidden",
    "pixels_retained",
)
Action = Literal[
    "tag_retained",
    "text_notnull",
    "text_retained",
    "text_removed",
    "date_shifted",
    "uid_changed",
    "uid_consistent",
    "patid_consistent",
    "pixels_hidden",
    "pixels_retained",
]
#: A keyword or tag, an item's index from 0, or (group, creator, element offset) of a private attribute.
Step = str | int | tuple[int, str, int]
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Secret:
    """A string that may stand nowhere: not in the files, not in their names, not in a log.

    Attributes
    ----------
    where
        Place of the plant, for the finding.
    kept_by
        Options under which the standard lets it stay.
    encodings
        Python encodings to look for in the raw bytes, besides those looked for always.
    """

    text: str
    where: str
    kept_by: frozenset[str] = frozenset()
    encodings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One action that is right for one value.

    Attributes
    ----------
    instance
        Index of the file in the case.
    path
        Where the value stood; for text actions everything at and under it counts.
    value
        The text that stays or goes, the original date, UID or patient ID, or the box `x,y,width,height`.
    needs
        Option without which the check says nothing.
    patient
        Which patient of the case: each has one date shift.
    optional
        The standard allows to remove the attribute: then there is nothing to check.
    """

    action: Action
    instance: int
    path: Path
    value: str = ""
    needs: str | None = None
    patient: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Files of one study with what is planted in them.

    Attributes
    ----------
    refusal
        `never`: item 6 of the profile keeps this kind of object. `allowed`: keeping it back is no fault.
        `expected`: it must be kept back.
    """

    id: str
    files: tuple[bytes, ...] = field(repr=False)
    secrets: tuple[Secret, ...] = field(repr=False)
    checks: tuple[Check, ...] = field(repr=False)
    refusal: Literal["never", "allowed", "expected"] = "never"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a de-identifier made of a case.

    Attributes
    ----------
    outputs
        A file per file of the case; `None` where it was kept back.
    reasons
        Why, per file; empty where there is an output.
    log
        Everything that it said: logs, streams, reports, names of files.
    """

    outputs: tuple[bytes | None, ...] = field(repr=False)
    reasons: tuple[str, ...]
    log: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that came out, without the secret itself."""

    case: str
    planted: str
    found: str
