"""Results do not stay for ever: after `retention.results_days` they go, with the identity behind them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.study import ENDED, Slot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

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
        _forget_left_over(services, page, limit)
        for study in page:
            if _is_expired(services, study) and study.ended_at is not None and study.ended_at < limit:
                _expire(services, study)
                expired += 1
        if cursor is None:
            return expired


def _is_expired(services: Services, study: StudyRecord) -> bool:
    if study.state not in ENDED or study.purged_at is None or not study.results:
        return False
    # What is on its way still, after a person's retry say, gets there or is given up first.
    page, _ = services.deliveries.page(study_id=study.id, limit=1000)
    return all(record.settled_at is not None for record in page)


def _forget_left_over(services: Services, page: Sequence[StudyRecord], limit: datetime) -> None:
    """Forget who it was where there were no results that anybody could want under the original identity."""
    over = [
        study.id
        for study in page
        if study.state in ENDED
        and study.purged_at is not None
        and not study.results
        and study.ended_at is not None
        and study.ended_at < limit
    ]
    for study_id in services.vault.kept(over) - services.quarantine.count_held(over).keys():
        services.vault.forget(study_id)
        services.audit.record("study.identity_forgotten", study_id=study_id)


def _expire(services: Services, study: StudyRecord) -> None:
    # Without results and identity a dead letter cannot be retried.
    dead, _ = services.deliveries.page(status=DeliveryStatus.FAILED, study_id=study.id, limit=1000)
    services.deliveries.discard(
        [record.key for record in dead], services.clock.now(), "the results are no longer kept"
    )
    services.catalog.withdraw_results(study.id, before_version=study.version + 1)
    for version in range(1, study.version + 1):
        services.stores.results.delete_slot(Slot(study.id, version))
    services.vault.forget(study.id)
    services.ledger.expired(study.id)
    services.audit.record("study.results_expired", study_id=study.id, version=study.version)
