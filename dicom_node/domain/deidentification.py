"""What de-identification did to a study: counts, never a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

#: What the node may do. It knows studies by pseudonymous UIDs, so `retain-uids` is for files alone.
DeidentificationOption = Literal[
    "clean-descriptors",
    "clean-graphics",
    "clean-pixel-data",
    "clean-recognizable-visual-features",
    "clean-structured-content",
    "retain-device-identity",
    "retain-institution-identity",
    "retain-longitudinal-full-dates",
    "retain-longitudinal-modified-dates",
    "retain-patient-characteristics",
    "retain-safe-private",
]


@dataclass(frozen=True, slots=True)
class CodedOption:
    """The profile or an option of it, by its code of CID 7050 (PS3.16)."""

    code: str
    meaning: str


@dataclass(frozen=True, slots=True)
class RedactedBox:
    """A rectangle that was blacked out, in pixels from the upper left corner.

    Attributes
    ----------
    frames
        Frame numbers counted from 1: `all`, `7`, or a range `3-9`.
    source
        How it was found: `ultrasound-region`, `device-catalogue` or `text`.
    instances
        In how many instances it was blacked out.
    """

    x: int
    y: int
    width: int
    height: int
    frames: str
    source: str
    instances: int


@dataclass(frozen=True, slots=True)
class DeidentificationReport:
    """All instances of a study that one run version de-identified.

    Attributes
    ----------
    profile
        Name and edition of the profile.
    instances
        How many passed.
    actions
        Attribute keyword to rule to how often: an action of Table E.1-1, `K`, or a rule beyond the table.
    pixels
        Instances by what became of their pixels: `none`, `unchanged`, `redacted`, `not-checked`.
    risks
        Short name of what nobody looked at, or what an option left in, to instances.
    quarantined
        Reason to instances that were kept back.
    """

    profile: str
    options: tuple[CodedOption, ...]
    instances: int
    actions: dict[str, dict[str, int]]
    pixels: dict[str, int]
    boxes: tuple[RedactedBox, ...]
    risks: dict[str, int]
    quarantined: dict[str, int]

    def by_rule(self) -> dict[str, int]:
        """How often each rule was applied, over all attributes."""
        total: dict[str, int] = {}
        for rules in self.actions.values():
            for rule, count in rules.items():
                total[rule] = total.get(rule, 0) + count
        return dict(sorted(total.items()))

    def as_json(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DeidentificationReport:
        """Read what `as_json` wrote."""
        return cls(
            profile=value["profile"],
            options=tuple(CodedOption(o["code"], o["meaning"]) for o in value["options"]),
            instances=value["instances"],
            actions={keyword: dict(rules) for keyword, rules in value["actions"].items()},
            pixels=dict(value["pixels"]),
            boxes=tuple(RedactedBox(**box) for box in value["boxes"]),
            risks=dict(value["risks"]),
            quarantined=dict(value["quarantined"]),
        )
