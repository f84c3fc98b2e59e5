"""What stores and keys hold of one study."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicom_node.domain.study import Slot
from dicom_node.pipeline.quarantine import slot_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from dicom_node.domain.reconciliation import StudyFacts
    from dicom_node.domain.stored import StoredBlob
    from dicom_node.ports.stores import BlobStore, DataKeys


@dataclass(frozen=True, slots=True)
class ReconciledStores:
    """Where bytes and keys lie."""

    spool: BlobStore
    work: BlobStore
    results: BlobStore
    quarantine: BlobStore
    keys: DataKeys
    quarantine_keys: DataKeys


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the stores hold of one study.

    Attributes
    ----------
    spool, work
        Blobs by epoch.
    results
        Blobs by version.
    keys
        Since when, by epoch that has a key.
    quarantine
        Refs of what is in quarantine and has a key.
    """

    spool: Mapping[int, Sequence[StoredBlob]] = field(default_factory=dict)
    work: Mapping[int, Sequence[StoredBlob]] = field(default_factory=dict)
    results: Mapping[int, Sequence[StoredBlob]] = field(default_factory=dict)
    keys: Mapping[int, datetime] = field(default_factory=dict)
    quarantine: frozenset[str] = frozenset()

    @property
    def blobs(self) -> int:
        """How many blobs there are."""
        by_slot = (*self.spool.values(), *self.work.values(), *self.results.values())
        return sum(map(len, by_slot)) + len(self.quarantine)


def holdings_of(facts: StudyFacts, stores: ReconciledStores) -> Holdings:
    """What lies there now: read after the facts, so that what goes meanwhile is gone from later facts."""
    epochs = [Slot(facts.id, epoch) for epoch in range(facts.epoch + 1)]
    versions = [Slot(facts.id, version) for version in range(1, facts.version + 1)]
    since = {slot.epoch: stores.keys.since(slot) for slot in epochs}
    return Holdings(
        spool={slot.epoch: stores.spool.listing(slot) for slot in epochs},
        work={slot.epoch: stores.work.listing(slot) for slot in epochs},
        results={slot.epoch: stores.results.listing(slot) for slot in versions},
        keys={epoch: at for epoch, at in since.items() if at is not None},
        quarantine=frozenset(
            blob.ref
            for held in facts.held
            if stores.quarantine_keys.since(slot_of(held.id)) is not None
            for blob in stores.quarantine.listing(slot_of(held.id))
        ),
    )
