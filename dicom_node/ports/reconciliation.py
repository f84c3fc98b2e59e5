"""Comparing what is recorded with what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dicom_node.domain.reconciliation import ReconciliationReport, StudyFacts


class ReconciliationIndex(Protocol):
    """The database as the reconciler reads it."""

    def study_ids(self, after: str | None, limit: int) -> Sequence[str]:
        """A page of studies, ordered by id."""

    def facts(self, study_id: str) -> StudyFacts | None:
        """All that is recorded of one study; `None` where it is unknown."""

    def unknown_studies(self, study_ids: Collection[str]) -> Collection[str]:
        """Those of these ids that no study has."""

    def unheld(self, item_ids: Collection[str]) -> Collection[str]:
        """Those of these ids that no instance in quarantine has whose bytes must be there."""

    def identities_without_study(self) -> Sequence[str]:
        """Ids of identities in the vault whose study is unknown."""

    def add(self, report: ReconciliationReport) -> None:
        """Keep a report; a few of the latest stay."""

    def latest(self) -> ReconciliationReport | None:
        """The newest report."""


class WorkflowProbe(Protocol):
    """Looks whether the workflow engine has a study version."""

    def __call__(self, study_id: str, version: int) -> bool:
        """Whether a workflow of this version waits or runs."""
