"""The index of studies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dicom_node.domain.study import Completion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dicom_node.domain.deidentification import DeidentificationReport
    from dicom_node.domain.instance import SourceInstance, StoreOutcome
    from dicom_node.domain.result import ResultEntry
    from dicom_node.domain.run import RoutingDecision, Run
    from dicom_node.domain.study import Slot, Stage, StudyRecord, StudyState


class StudyIndex(Protocol):
    """Studies, instances, runs, results and deliveries. Each call is one durable transaction."""

    def open_slot(self, study_instance_uid: str) -> Slot:
        """The slot that new instances of the study go to; makes the study where it is new."""

    def find_source(self, sop_instance_uid: str) -> SourceInstance | None:
        """The instance in the spool, or `None` where it was never here or is purged."""

    def register(self, instance: SourceInstance) -> StoreOutcome:
        """Insert the row of an instance whose bytes are durable, and its ledger entry.

        A study that had ended goes back to `receiving` with the next version; one in `processing`
        keeps its state and takes the instance into its next version.

        Raises
        ------
        SlotExpired
            If the study was purged since `open_slot`: write the bytes again to a new slot.
        """

    def due(self, last_received_before: datetime) -> Sequence[str]:
        """Ids of studies in `receiving` that have been quiet since then."""

    def begin_processing(self, study_id: str, why: Completion = Completion.CALL) -> int | None:
        """`receiving` to `processing`; return the version, or `None` where another was faster."""

    def unfinished(self) -> Sequence[tuple[str, int]]:
        """(study id, version) of all studies in `processing`."""

    def sources(self, study_id: str, version: int) -> Sequence[SourceInstance]:
        """The unpurged instances that this version takes in, ordered by series and SOP Instance UID."""

    def set_stage(self, study_id: str, version: int, stage: Stage) -> None:
        """Record where the pipeline is."""

    def set_routing(self, study_id: str, version: int, decision: RoutingDecision) -> None:
        """Record the routing decision with its reasons; replaces an earlier one of this version."""

    def routing(self, study_id: str, version: int) -> RoutingDecision | None:
        """The recorded decision."""

    def set_deidentification(self, study_id: str, version: int, report: DeidentificationReport) -> None:
        """Record what de-identification did in this version; replaces what is there."""

    def deidentification(self, study_id: str, version: int) -> DeidentificationReport | None:
        """The recorded report."""

    def set_runs(self, study_id: str, version: int, runs: Sequence[Run]) -> None:
        """Record the runs of this version; replaces what is there."""

    def set_results(self, study_id: str, version: int, results: Sequence[ResultEntry]) -> None:
        """Record the results of this version; replaces what is there."""

    def results(self, study_id: str, version: int) -> Sequence[ResultEntry]:
        """The results of this version."""

    def has_late(self, study_id: str, version: int) -> bool:
        """Whether instances came that wait for the next version."""

    def finish(self, study_id: str, version: int, state: StudyState, reason: str | None) -> None:
        """End the version; a study with late instances goes on to `receiving` with the next version."""

    def begin_purge(self, study_id: str, version: int) -> Slot | None:
        """Mark the slot's instances purged and open the next epoch; return the slot to delete.

        `None` where late instances wait that need the earlier ones. Called again after a crash it
        returns the same slot until `purged` was called.
        """

    def purged(self, study_id: str, slot: Slot) -> None:
        """Record that the slot's bytes and key are gone."""

    def study(self, study_id: str) -> StudyRecord:
        """One study with its runs, results and deliveries of the current version.

        Raises
        ------
        NotFound
        """

    def studies(
        self,
        *,
        state: StudyState | None = None,
        study_instance_uid: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[StudyRecord], str | None]:
        """A page of studies, newest first, and the cursor of the next page."""

    def count_by_state(self) -> dict[StudyState, int]:
        """How many studies stand in each state."""
