"""Purge stage: the input's files go, its key is destroyed, a receipt stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.pipeline.services import Services


def purge(services: Services, study_id: str, version: int) -> bool:
    """Purge the inputs of this version; `False` where late instances still need them.

    The key goes first: once it is destroyed, a file that a crash leaves behind cannot be read. Every step
    may run again.
    """
    slot = services.index.begin_purge(study_id, version)
    if slot is None:
        services.audit.record("study.purge_deferred", study_id=study_id, version=version)
        return False
    services.catalog.withdraw_sources(study_id)
    services.stores.keys.destroy(slot)
    files = services.stores.spool.delete_slot(slot) + services.stores.work.delete_slot(slot)
    services.audit.record(
        "study.purged",
        study_id=study_id,
        version=version,
        epoch=slot.epoch,
        files_deleted=files,
        key_destroyed=True,
    )
    services.index.purged(study_id, slot)
    services.metrics.count("studies_purged")
    return True
