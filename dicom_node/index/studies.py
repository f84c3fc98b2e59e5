"""`ports.StudyIndex` over SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.study import Completion
from dicom_node.index import instance_ledger, ledger, lifecycle, outcomes, records
from dicom_node.index.database import drive, peeking, reading, transact
from dicom_node.index.group_commit import GroupCommit
from dicom_node.index.registration import Registration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from dicom_node.domain.deidentification import DeidentificationReport
    from dicom_node.domain.errors import NodeError
    from dicom_node.domain.instance import SourceInstance, StoreOutcome
    from dicom_node.domain.result import ResultEntry
    from dicom_node.domain.run import RoutingDecision, Run
    from dicom_node.domain.study import Slot, Stage, StudyRecord, StudyState
    from dicom_node.ports.operation import Clock


class SqlStudyIndex:
    """Studies, instances, runs, results and deliveries; safe for threads, and processes that share it.

    Every method may raise `StorageFailure` or `OutOfResources`.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._registration = Registration(engine.dialect)
        self._registrations: GroupCommit[SourceInstance, StoreOutcome] = GroupCommit(self._register)

    def open_slot(self, study_instance_uid: str) -> Slot:
        """See `ports.StudyIndex.open_slot`."""
        with peeking(self._engine) as connection:
            slot = lifecycle.slot_of(connection, study_instance_uid)
        if slot is not None:
            return slot
        now = self._clock.now()
        return transact(self._engine, lambda c: lifecycle.create_study(c, study_instance_uid, now))

    def find_source(self, sop_instance_uid: str) -> SourceInstance | None:
        """See `ports.StudyIndex.find_source`."""
        with peeking(self._engine) as connection:
            return ledger.find_source(connection, sop_instance_uid)

    def register(self, instance: SourceInstance) -> StoreOutcome:
        """See `ports.StudyIndex.register`; threads that call at once share one transaction."""
        return self._registrations.submit(instance)

    def due(self, last_received_before: datetime) -> Sequence[str]:
        """See `ports.StudyIndex.due`."""
        with peeking(self._engine) as connection:
            return lifecycle.due(connection, last_received_before)

    def begin_processing(self, study_id: str, why: Completion = Completion.CALL) -> int | None:
        """See `ports.StudyIndex.begin_processing`."""
        now = self._clock.now()
        return transact(self._engine, lambda c: lifecycle.begin_processing(c, study_id, why, now))

    def unfinished(self) -> Sequence[tuple[str, int]]:
        """See `ports.StudyIndex.unfinished`."""
        with peeking(self._engine) as connection:
            return lifecycle.unfinished(connection)

    def sources(self, study_id: str, version: int) -> Sequence[SourceInstance]:
        """See `ports.StudyIndex.sources`."""
        with peeking(self._engine) as connection:
            return ledger.sources(connection, study_id, version)

    def set_stage(self, study_id: str, version: int, stage: Stage) -> None:
        """See `ports.StudyIndex.set_stage`."""
        transact(self._engine, lambda c: lifecycle.set_stage(c, study_id, version, stage))

    def set_routing(self, study_id: str, version: int, decision: RoutingDecision) -> None:
        """See `ports.StudyIndex.set_routing`."""
        transact(self._engine, lambda c: outcomes.set_routing(c, study_id, version, decision))

    def routing(self, study_id: str, version: int) -> RoutingDecision | None:
        """See `ports.StudyIndex.routing`."""
        with peeking(self._engine) as connection:
            return outcomes.find_routing(connection, study_id, version)

    def set_deidentification(self, study_id: str, version: int, report: DeidentificationReport) -> None:
        """See `ports.StudyIndex.set_deidentification`; each instance's row says what became of it, too."""
        now = self._clock.now()

        def record(connection: Connection) -> None:
            outcomes.set_deidentification(connection, study_id, version, report)
            instance_ledger.record_deidentification(connection, study_id, version, now)

        transact(self._engine, record)

    def deidentification(self, study_id: str, version: int) -> DeidentificationReport | None:
        """See `ports.StudyIndex.deidentification`."""
        with peeking(self._engine) as connection:
            return outcomes.find_deidentification(connection, study_id, version)

    def set_runs(self, study_id: str, version: int, runs: Sequence[Run]) -> None:
        """See `ports.StudyIndex.set_runs`."""
        now = self._clock.now()

        def record(connection: Connection) -> None:
            outcomes.set_runs(connection, study_id, version, runs)
            instance_ledger.record_version(connection, study_id, version, processed_at=now)

        transact(self._engine, record)

    def set_results(self, study_id: str, version: int, results: Sequence[ResultEntry]) -> None:
        """See `ports.StudyIndex.set_results`."""
        transact(self._engine, lambda c: outcomes.set_results(c, study_id, version, results))

    def results(self, study_id: str, version: int) -> Sequence[ResultEntry]:
        """See `ports.StudyIndex.results`."""
        with peeking(self._engine) as connection:
            return outcomes.find_results(connection, study_id, version)

    def has_late(self, study_id: str, version: int) -> bool:
        """See `ports.StudyIndex.has_late`."""
        with peeking(self._engine) as connection:
            return lifecycle.has_late(connection, study_id, version)

    def finish(self, study_id: str, version: int, state: StudyState, reason: str | None) -> None:
        """See `ports.StudyIndex.finish`; nothing changes where the study went on to another version.

        Raises
        ------
        NotFound
        """
        now = self._clock.now()
        transact(self._engine, lambda c: lifecycle.finish(c, study_id, version, state, reason, now))

    def begin_purge(self, study_id: str, version: int) -> Slot | None:
        """See `ports.StudyIndex.begin_purge`; the same slot again after `purged`, too.

        Raises
        ------
        NotFound
        """
        now = self._clock.now()
        return transact(self._engine, lambda c: lifecycle.begin_purge(c, study_id, version, now))

    def purged(self, study_id: str, slot: Slot) -> None:
        """See `ports.StudyIndex.purged`.

        Raises
        ------
        NotFound
            If the index knows no such study, or `slot` is another study's.
        """
        now = self._clock.now()
        transact(self._engine, lambda c: lifecycle.purged(c, study_id, slot, now))

    def study(self, study_id: str) -> StudyRecord:
        """See `ports.StudyIndex.study`."""
        with reading(self._engine) as connection:
            return records.find_study(connection, study_id)

    def studies(
        self,
        *,
        state: StudyState | None = None,
        study_instance_uid: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[StudyRecord], str | None]:
        """See `ports.StudyIndex.studies`.

        Raises
        ------
        NotFound
            If the cursor is none that the node gave.
        """
        with reading(self._engine) as connection:
            return records.page_of_studies(
                connection, state=state, study_instance_uid=study_instance_uid, limit=limit, cursor=cursor
            )

    def count_by_state(self) -> dict[StudyState, int]:
        """See `ports.StudyIndex.count_by_state`."""
        with peeking(self._engine) as connection:
            return records.count_by_state(connection)

    def _register(self, batch: Sequence[SourceInstance]) -> Sequence[StoreOutcome | NodeError]:
        now = self._clock.now()
        return drive(self._engine, lambda cursor: self._registration.register(cursor, batch, now))
