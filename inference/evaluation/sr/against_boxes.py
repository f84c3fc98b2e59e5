"""Boxes against what reports draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from inference.evaluation.detection import BoxedCase, intersection_over_union, judge_boxes
from inference.evaluation.sr.boxes import drawn_findings
from inference.evaluation.sr.codes import among, told
from inference.evaluation.sr.grid import read_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from inference.contract.package import ModelManifest
    from inference.evaluation.sr.boxes import DrawnFinding
    from inference.evaluation.sr.content import Passage

#: Two findings that overlap by this much are one that several people drew.
_DRAWN_TWICE = 0.5


class BoxComparison:
    """`Comparison` of a detector: its boxes with those round what reports draw.

    Parameters
    ----------
    overlap
        Least intersection over union of a hit.

    Raises
    ------
    ConfigurationError
        If the package is no detector.
    """

    def __init__(self, manifest: ModelManifest, overlap: float) -> None:
        if not manifest.detections:
            raise ConfigurationError(f"{manifest.name} has no boxes to compare with reports")
        self._codes = tuple(one.code for one in manifest.detections)
        self._labels = tuple(one.label for one in manifest.detections)
        self._overlap = overlap
        self._cases: list[BoxedCase] = []

    @property
    def looked_for(self) -> str:
        """The categories' codes."""
        each = ", ".join(told(code) for code in self._codes)
        return (
            f"measurement groups whose finding is {each}, with a region; or this finding evaluated as absent"
        )

    def speaks(self, passages: Sequence[Passage]) -> bool:
        """Whether a report names a category, or draws something that has no name where there is one only."""
        if any(among(finding, self._codes) for passage in passages for finding in passage.findings):
            return True
        drawn = any(passage.group and passage.regions and not passage.findings for passage in passages)
        return drawn and len(self._codes) == 1

    def check(self, passages: Sequence[Passage]) -> None:
        """Leave all to `add`: boxes need the slices that the package was given."""
        del passages

    def add(
        self, study: StudyInput, prediction: Prediction, passages: Sequence[Passage], patient: int
    ) -> tuple[str, ...]:
        """Take in the boxes of a series."""
        drawn = drawn_findings(passages, self._codes, read_grid(study, prediction))
        if drawn is None:
            raise InferenceFailed("the reports neither draw a finding of the package nor call it absent")
        once = _once(drawn)
        found = [(self._codes.index(one.code), one.score, one.box) for one in prediction.detections]
        self._cases.append(BoxedCase(patient, tuple(found), tuple((one.category, one.box) for one in once)))
        twice = "a finding that several groups draw is counted once"
        return (twice,) * (len(drawn) - len(once))

    def report(self, seed: int) -> dict[str, Any]:
        """Misses, false boxes and the FROC curve of each category."""
        figures = judge_boxes(self._cases, self._labels, overlap=self._overlap, seed=seed)
        return {"task": "detection", "figures": figures}


def _once(drawn: Sequence[DrawnFinding]) -> list[DrawnFinding]:
    kept: list[DrawnFinding] = []
    for one in drawn:
        alike = [
            max(intersection_over_union(one.box, other.box), intersection_over_union(other.box, one.box))
            for other in kept
            if other.category == one.category
        ]
        if not alike or max(alike) < _DRAWN_TWICE:
            kept.append(one)
    return kept
