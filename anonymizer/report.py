"""What de-identification did: counts by attribute and rule, pixel boxes, residual risks. Never a value.

References
----------
PS3.15 §E.1.1; MIDI-B (Rutherford et al., 2025) on reports that can be audited.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, order=True)
class PixelBox:
    """A rectangle that was blacked out, in pixels from the upper left corner.

    Attributes
    ----------
    frames
        Frame numbers counted from 1: `all`, `7`, or a range `3-9`.
    source
        `ultrasound-region`, `device-catalogue` or `text`.
    """

    x: int
    y: int
    width: int
    height: int
    frames: str
    source: str

    def as_json(self) -> dict[str, Any]:
        """A JSON-able form."""
        return {
            "x": self.x,
            "y": self.y,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """One instance.

    Attributes
    ----------
    actions
        How often each rule was applied to each attribute, by (keyword, rule). The rule is an action of
        Table E.1-1, `K` where an option retained it, or a rule beyond the table by its short name. Private
        attributes count under `private`, unknown ones under `unknown`.
    boxes
        What was blacked out.
    pixels
        `none` (there are none), `unchanged` (looked at, nothing found), `redacted` or `not-checked`.
    risks
        Short names of what nobody looked at or what an option left in.
    """

    sop_class_uid: str
    actions: Counter[tuple[str, str]]
    boxes: tuple[PixelBox, ...] = ()
    pixels: str = "none"
    risks: tuple[str, ...] = ()


@dataclass(slots=True)
class StudyReport:
    """All instances of a study that were de-identified together.

    Attributes
    ----------
    profile
        Name and edition of the profile.
    options
        (code of CID 7050, meaning) of the profile and its options.
    actions
        Keyword to rule to how often.
    pixels
        Instances by what became of their pixels.
    boxes
        Rectangle to number of instances in which it was blacked out.
    risks
        Short name to number of instances.
    quarantined
        Reason to number of instances that were kept back.
    """

    profile: str
    options: tuple[tuple[str, str], ...]
    instances: int = 0
    actions: dict[str, Counter[str]] = field(default_factory=dict)
    pixels: Counter[str] = field(default_factory=Counter)
    boxes: Counter[PixelBox] = field(default_factory=Counter)
    risks: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, report: InstanceReport) -> None:
        """Count an instance that was passed on."""
        self.instances += 1
        for (keyword, rule), count in report.actions.items():
            self.actions.setdefault(keyword, Counter())[rule] += count
        self.pixels[report.pixels] += 1
        self.boxes.update(report.boxes)
        self.risks.update(report.risks)

    def add_all(self, reports: Iterable[InstanceReport]) -> None:
        """Count several instances."""
        for report in reports:
            self.add(report)

    def add_quarantined(self, reason: str) -> None:
        """Count an instance that was kept back."""
        self.quarantined[reason] += 1

    def by_rule(self) -> dict[str, int]:
        """How often each rule was applied, over all attributes."""
        total: Counter[str] = Counter()
        for rules in self.actions.values():
            total.update(rules)
        return dict(sorted(total.items()))

    def as_json(self) -> dict[str, Any]:
        """A JSON-able form, in a stable order."""
        return {
            "profile": self.profile,
            "options": [{"code": code, "meaning": meaning} for code, meaning in self.options],
            "instances": self.instances,
            "actions": {k: dict(sorted(rules.items())) for k, rules in sorted(self.actions.items())},
            "pixels": dict(sorted(self.pixels.items())),
            "boxes": [{**box.as_json(), "instances": count} for box, count in sorted(self.boxes.items())],
            "risks": dict(sorted(self.risks.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StudyReport:
        """Read what `as_json` made.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        boxes: Counter[PixelBox] = Counter()
        for entry in value["boxes"]:
            parts = {key: part for key, part in entry.items() if key != "instances"}
            boxes[PixelBox(**parts)] = int(entry["instances"])
        return cls(
            profile=value["profile"],
            options=tuple((option["code"], option["meaning"]) for option in value["options"]),
            instances=int(value["instances"]),
            actions={keyword: Counter(rules) for keyword, rules in value["actions"].items()},
            pixels=Counter(value["pixels"]),
            boxes=boxes,
            risks=Counter(value["risks"]),
            quarantined=Counter(value["quarantined"]),
        )
