"""`ports.ReconciliationIndex` over SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, insert, or_, select

from dicom_node.domain.catalog import CatalogKind
from dicom_node.domain.quarantine import QuarantineState
from dicom_node.domain.reconciliation import (
    HeldFact,
    PublishedFact,
    PurgeFact,
    ReconciliationReport,
    ResultFact,
    SourceFact,
    StudyFacts,
)
from dicom_node.domain.study import StudyState
from dicom_node.index.database import peeking, reading, transact
from dicom_node.index.study_ledger import summary
from dicom_node.index.tables.catalog import catalog_instances
from dicom_node.index.tables.deliveries import closings, deliveries, result_deliveries
from dicom_node.index.tables.ledger import made_results, reconciliations, study_versions
from dicom_node.index.tables.outcomes import results
from dicom_node.index.tables.quarantine import quarantine
from dicom_node.index.tables.studies import instances, purges, studies
from dicom_node.index.tables.vault import vault

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Engine, Row, Select

#: Reports that stay.
_KEPT = 20


class SqlReconciliation:
    """What the database says, for one node or several that share it.

    Every method may raise `StorageFailure`, `add` `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def study_ids(self, after: str | None, limit: int) -> Sequence[str]:
        """See `ports.ReconciliationIndex.study_ids`."""
        query = select(studies.c.id).order_by(studies.c.id).limit(limit)
        if after is not None:
            query = query.where(studies.c.id > after)
        return self._column(query)

    def facts(self, study_id: str) -> StudyFacts | None:
        """See `ports.ReconciliationIndex.facts`; of one moment on SQLite, of a few on PostgreSQL."""
        with reading(self._engine) as connection:
            row = connection.execute(select(studies).where(studies.c.id == study_id)).first()
            return None if row is None else _facts(connection, row)

    def unknown_studies(self, study_ids: Collection[str]) -> Collection[str]:
        """See `ports.ReconciliationIndex.unknown_studies`."""
        return set(study_ids) - set(self._column(select(studies.c.id).where(studies.c.id.in_(study_ids))))

    def unheld(self, item_ids: Collection[str]) -> Collection[str]:
        """See `ports.ReconciliationIndex.unheld`."""
        # Decided ones keep their ref until their bytes are gone.
        held = select(quarantine.c.id).where(quarantine.c.id.in_(item_ids), quarantine.c.ref != "")
        return set(item_ids) - set(self._column(held))

    def identities_without_study(self) -> Sequence[str]:
        """See `ports.ReconciliationIndex.identities_without_study`."""
        known = exists().where(studies.c.id == vault.c.study_id)
        return self._column(select(vault.c.study_id).where(~known).order_by(vault.c.study_id))

    def add(self, report: ReconciliationReport) -> None:
        """See `ports.ReconciliationIndex.add`."""
        row = {"id": report.id, "created_at": report.ended_at, "report": json.dumps(report.as_json())}

        def keep(connection: Connection) -> None:
            connection.execute(insert(reconciliations).values(row))
            newest = (
                select(reconciliations.c.id)
                .order_by(reconciliations.c.created_at.desc(), reconciliations.c.id.desc())
                .limit(_KEPT)
            )
            kept = connection.execute(newest).scalars().all()
            connection.execute(delete(reconciliations).where(reconciliations.c.id.not_in(kept)))

        transact(self._engine, keep)

    def latest(self) -> ReconciliationReport | None:
        """See `ports.ReconciliationIndex.latest`."""
        query = (
            select(reconciliations.c.report)
            .order_by(reconciliations.c.created_at.desc(), reconciliations.c.id.desc())
            .limit(1)
        )
        with peeking(self._engine) as connection:
            text = connection.execute(query).scalar()
        return None if text is None else ReconciliationReport.from_json(json.loads(text))

    def _column(self, query: Select[Any]) -> Sequence[str]:
        with peeking(self._engine) as connection:
            return list(connection.execute(query).scalars())


def _facts(connection: Connection, study: Row[Any]) -> StudyFacts:
    study_id = study.id

    def all_of(query: Select[Any]) -> Sequence[Row[Any]]:
        return connection.execute(query).all()

    completed_at = connection.execute(
        select(study_versions.c.completed_at).where(
            study_versions.c.study_id == study_id, study_versions.c.version == study.version
        )
    ).scalar()
    closed = connection.execute(
        select(func.count())
        .select_from(closings)
        .where(closings.c.study_id == study_id, closings.c.version == study.version)
    ).scalar_one()
    made = all_of(select(made_results).where(made_results.c.study_id == study_id))
    there = {(row.version, row.sop_instance_uid): row.sha256 for row in made if row.expired_at is None}
    return StudyFacts(
        id=study_id,
        state=StudyState(study.state),
        version=study.version,
        epoch=study.epoch,
        last_received_at=study.last_received_at,
        completed_at=completed_at,
        ended_at=study.ended_at,
        closed=bool(closed),
        identity=bool(all_of(select(vault.c.study_id).where(vault.c.study_id == study_id))),
        sources=tuple(
            SourceFact(row.sop_instance_uid, row.spool_ref, row.sha256)
            for row in all_of(
                select(instances.c.sop_instance_uid, instances.c.spool_ref, instances.c.sha256).where(
                    instances.c.study_id == study_id, instances.c.purged_at.is_(None)
                )
            )
        ),
        purges=tuple(
            PurgeFact(row.epoch, row.begun_at, row.purged_at)
            for row in all_of(select(purges).where(purges.c.study_id == study_id))
        ),
        results=tuple(
            ResultFact(row.version, row.sop_instance_uid, row.ref)
            for row in all_of(select(results).where(results.c.study_id == study_id))
        ),
        published=tuple(
            PublishedFact(CatalogKind(row.kind), row.version, row.sop_instance_uid, row.ref)
            for row in all_of(
                select(
                    catalog_instances.c.kind,
                    catalog_instances.c.version,
                    catalog_instances.c.sop_instance_uid,
                    catalog_instances.c.ref,
                ).where(catalog_instances.c.study_id == study_id, catalog_instances.c.listed)
            )
        ),
        made=there,
        expired=frozenset({row.version for row in made} - {version for version, _ in there}),
        held=tuple(
            HeldFact(row.id, row.ref)
            for row in all_of(
                select(quarantine.c.id, quarantine.c.ref).where(
                    quarantine.c.study_id == study_id, quarantine.c.state == QuarantineState.HELD.value
                )
            )
        ),
        open_deliveries=tuple(
            (row.version, row.destination)
            for row in all_of(
                select(deliveries.c.version, deliveries.c.destination).where(
                    deliveries.c.study_id == study_id, deliveries.c.settled_at.is_(None)
                )
            )
        ),
        stray_deliveries=tuple((row.destination, row.sop_instance_uid) for row in all_of(_stray(study_id))),
        sums=summary(connection, study_id).discrepancies,
    )


def _stray(study_id: str) -> Select[Any]:
    passed = exists().where(
        and_(
            made_results.c.study_id == result_deliveries.c.study_id,
            made_results.c.version == result_deliveries.c.version,
            made_results.c.sop_instance_uid == result_deliveries.c.sop_instance_uid,
            or_(made_results.c.passed, made_results.c.passed.is_(None)),
        )
    )
    return select(result_deliveries.c.destination, result_deliveries.c.sop_instance_uid).where(
        result_deliveries.c.study_id == study_id, ~passed
    )
