"""Results do not stay for ever: after `retention.results_days` they go, with the identity behind them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dicom_node.domain.study import ENDED, Slot

if TYPE_CHECKING:
    from dicom_node.domain.study import StudyRecord
    from dicom_node.pipeline.services import Services


def expire_results(services: Services, days: int) -> int:
    """Remove results and identity of studies that ended more than `days` days ago; return how many.

    Studies whose inputs are not purged (failed, quarantined) stay: nothing is lost unseen.
    """
    limit = services.clock.now() - timedelta(days=days)
    expired = 0
    cursor: str | None = None
    while True:
        page, cursor = services.index.studies(limit=200, cursor=cursor)
        for study in page:
            if _is_expired(study) and study.ended_at is not None and study.ended_at < limit:
                _expire(services, study)
                expired += 1
        if cursor is None:
            return expired


def _is_expired(study: StudyRecord) -> bool:
    return study.state in ENDED and study.purged_at is not None and bool(study.results)


def _expire(services: Services, study: StudyRecord) -> None:
    services.catalog.withdraw_results(study.id, before_version=study.version + 1)
    for version in range(1, study.version + 1):
        services.stores.results.delete_slot(Slot(study.id, version))
    services.vault.forget(study.id)
    services.index.set_results(study.id, study.version, ())
    services.audit.record("study.results_expired", study_id=study.id, version=study.version)
