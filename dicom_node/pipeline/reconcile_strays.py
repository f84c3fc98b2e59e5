"""What belongs to nobody: slots, keys, identities and messages that no study or listener claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.notification import NotificationState
from dicom_node.domain.reconciliation import Discrepancy
from dicom_node.domain.reconciliation import DiscrepancyKind as Kind
from dicom_node.domain.study import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import timedelta

    from dicom_node.pipeline.reconcile_holdings import ReconciledStores
    from dicom_node.ports.notification import NotificationStore
    from dicom_node.ports.operation import Clock
    from dicom_node.ports.reconciliation import ReconciliationIndex
    from dicom_node.ports.stores import BlobStore

_BATCH = 500


class Strays:
    """Finds candidates in batches of subjects, each of which can be looked at again.

    Parameters
    ----------
    listeners
        Names of those who are told of events.
    grace
        Younger bytes and keys may be on their way into the index.
    """

    def __init__(
        self,
        index: ReconciliationIndex,
        stores: ReconciledStores,
        notifications: NotificationStore,
        clock: Clock,
        *,
        listeners: Collection[str],
        grace: timedelta,
    ) -> None:
        self._index = index
        self._notifications = notifications
        self._clock = clock
        self._listeners = frozenset(listeners)
        self._grace = grace
        self._stores: dict[str, BlobStore] = {
            "spool": stores.spool,
            "work": stores.work,
            "results": stores.results,
        }
        self._quarantine = stores.quarantine
        self._keys = stores.keys

    def batches(self) -> Iterator[list[str]]:
        """Subjects that seem to belong to nobody."""
        for name, store in self._stores.items():
            for batch in _batched(store.slots()):
                yield self._unclaimed(f"{name}:", batch, self._index.unknown_studies)
        for batch in _batched(self._quarantine.slots()):
            yield self._unclaimed("quarantine:", batch, self._index.unheld)
        for batch in _batched(
            slot for slot, since in self._keys.slots() if self._clock.now() - since > self._grace
        ):
            yield self._unclaimed("key:", batch, self._index.unknown_studies)
        yield [f"identity:{study_id}" for study_id in self._index.identities_without_study()]
        yield [
            f"listener:{name}"
            for (name, state), count in self._notifications.count().items()
            if state is NotificationState.PENDING and count and name not in self._listeners
        ]

    def look(self, subject: str) -> list[Discrepancy]:
        """Look at one of them anew."""
        what, _, name = subject.partition(":")
        if what == "identity":
            text = "an original identity is kept of a study that the index does not know"
            gone = name not in self._index.identities_without_study()
            return [] if gone else [Discrepancy(Kind.IDENTITY_WITHOUT_STUDY, name, subject, text)]
        if what == "listener":
            text = "messages wait for a listener that is not configured; add it again"
            return [Discrepancy(Kind.NOTIFICATION_TO_NOBODY, "", name, text)]
        study_id, _, number = name.partition("/")
        if what == "key":
            text = "a key is kept of a study that the index does not know; was an older database put back?"
            known = not self._index.unknown_studies([study_id])
            return [] if known else [Discrepancy(Kind.KEY_WITHOUT_STUDY, study_id, name, text)]
        if what == "quarantine":
            text = "bytes lie in the quarantine that no instance claims"
            if not self._index.unheld([study_id]) or not self._old(self._quarantine, name):
                return []
            return [Discrepancy(Kind.BYTES_WITHOUT_QUARANTINED, "", name, text)]
        text = "bytes lie there of a study that the index does not know; was an older database put back?"
        if not self._index.unknown_studies([study_id]) or not self._old(self._stores[what], name):
            return []
        return [Discrepancy(Kind.BYTES_WITHOUT_STUDY, study_id, f"{what}:{study_id}/{number}", text)]

    def _unclaimed(
        self, prefix: str, slots: list[Slot], unknown: Callable[[Collection[str]], Collection[str]]
    ) -> list[str]:
        found = unknown({slot.study_id for slot in slots})
        return [f"{prefix}{slot.study_id}/{slot.epoch}" for slot in slots if slot.study_id in found]

    def _old(self, store: BlobStore, name: str) -> bool:
        study_id, _, epoch = name.partition("/")
        blobs = store.listing(Slot(study_id, int(epoch)))
        now = self._clock.now()
        return bool(blobs) and all(now - blob.modified_at > self._grace for blob in blobs)


def _batched(slots: Iterable[Slot]) -> Iterator[list[Slot]]:
    batch: list[Slot] = []
    for slot in slots:
        batch.append(slot)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
