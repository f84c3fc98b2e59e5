"""The ledger: what became of each instance and each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.domain.instance import StoreOutcome
    from dicom_node.domain.ledger import (
        GateVerdict,
        InstanceEntry,
        MadeResult,
        RefusalCount,
        StudyLedger,
    )
    from dicom_node.domain.result import ResultEntry


class Ledger(Protocol):
    """What the stages record beside the index, and what people read. Each call is one durable transaction."""

    def made(self, study_id: str, version: int, results: Sequence[ResultEntry]) -> None:
        """Record the objects that a version made; replaces what is there."""

    def checked(self, study_id: str, version: int, verdicts: Sequence[GateVerdict]) -> None:
        """Record what the output gate said of them."""

    def expired(self, study_id: str) -> None:
        """Record that all results of a study are gone."""

    def count_arrivals(
        self,
        repeats: Mapping[str, Mapping[StoreOutcome, int]],
        refusals: Mapping[tuple[str, str], int],
    ) -> None:
        """Add to the counts of instances that came again (by study), and were refused (by source, code)."""

    def summary(self, study_id: str) -> StudyLedger:
        """A study in counts.

        Raises
        ------
        NotFound
        """

    def instances(
        self, study_id: str, *, limit: int = 1000, cursor: str | None = None
    ) -> tuple[Sequence[InstanceEntry], str | None]:
        """A page of instances in the order of arrival, and the cursor of the next page.

        Raises
        ------
        NotFound
            If the cursor is none that was given.
        """

    def results(
        self, study_id: str, *, limit: int = 1000, cursor: str | None = None
    ) -> tuple[Sequence[MadeResult], str | None]:
        """A page of objects by version and position, likewise."""

    def refusals(self, limit: int = 1000) -> Sequence[RefusalCount]:
        """What was refused, the latest first."""
