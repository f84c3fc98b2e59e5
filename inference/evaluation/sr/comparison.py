"""What an evaluation on reports asks of each task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from inference.evaluation.sr.content import Passage


class Comparison(Protocol):
    """Collects answers of a package with what reports say of the same series."""

    @property
    def looked_for(self) -> str:
        """The codes that reports are searched for, for people."""

    def speaks(self, passages: Sequence[Passage]) -> bool:
        """Whether one report says anything that can be compared."""

    def check(self, passages: Sequence[Passage]) -> None:
        """Look at all that is said of one series before the package is run on it.

        Raises
        ------
        InferenceFailed
            If it holds no one known answer; the message says why.
        """

    def add(
        self, study: StudyInput, prediction: Prediction, passages: Sequence[Passage], patient: int
    ) -> tuple[str, ...]:
        """Take in an answer; returns why parts of what reports say were not used.

        Raises
        ------
        InferenceFailed
            If there is nothing to compare it with after all.
        """

    def report(self, seed: int) -> dict[str, Any]:
        """Task and figures, as plain numbers."""
