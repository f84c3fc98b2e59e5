"""One pull: what the archive counts, what has arrived, what is left."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import (
    ArchiveFailed,
    ArchiveRefused,
    NotFound,
    OutOfResources,
    PermanentError,
    TransientError,
)
from dicom_node.domain.instance import IncomingInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from dicom_node.domain.pull import ArchivedInstance, Pull
    from dicom_node.ports.archive import Archive, ArchiveOpener, PullStore
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.operation import Clock
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)

SOURCE = "pull"
#: Seconds between two records of the progress.
_SAVE_S = 1.0


class Cancelled(Exception):
    """Somebody cancelled the pull."""


class Interrupted(Exception):
    """The node stops; the pull goes on at its next start."""


class PullRun:
    """Fetches what one pull asks for; `pull` is its progress, for any thread to read."""

    def __init__(
        self,
        pull: Pull,
        store: PullStore,
        open_archive: ArchiveOpener | None,
        receiver: Receiver,
        index: StudyIndex,
        pseudonymizer: Pseudonymizer,
        clock: Clock,
        complete: Callable[[str], object],
    ) -> None:
        self.pull = replace(pull, expected=None, received=0, failed=0)
        #: The node's ids of studies whose instances are being fetched.
        self.studies: frozenset[str] = frozenset()
        self._store = store
        self._archive = open_archive(self.wait) if open_archive is not None else None
        self._receiver = receiver
        self._index = index
        self._pseudonymizer = pseudonymizer
        self._clock = clock
        self._complete = complete
        self._end = threading.Event()
        self._interrupted = False
        self._saved_at = 0.0
        self._reasons: dict[str, None] = {}

    def cancel(self) -> None:
        """End it after the instance that is under way."""
        self._end.set()

    def interrupt(self) -> None:
        """The same, to go on at the next start."""
        self._interrupted = True
        self._end.set()

    def wait(self, seconds: float) -> None:
        """Pause.

        Raises
        ------
        Cancelled, Interrupted
        """
        self._end.wait(seconds)
        self._check()

    def _check(self) -> None:
        if self._end.is_set():
            raise Interrupted if self._interrupted else Cancelled

    def save(self) -> None:
        """Record the progress."""
        self._saved_at = time.monotonic()
        self.pull = replace(self.pull, updated_at=self._clock.now())
        self._store.update(self.pull)

    def shortfall(self) -> str:
        """Why not all arrived."""
        return f"{self.pull.failed} instances did not arrive: " + "; ".join(self._reasons)

    def fetch(self) -> None:
        """Fetch all studies that are asked for, and complete each that arrived whole.

        Raises
        ------
        Cancelled, Interrupted
        ArchiveFailed, ArchiveRefused, NotFound
            If the archive cannot be searched, or holds nothing of it.
        OutOfResources
            If the node's disk is full.
        """
        archive = self._archive
        if archive is None:
            raise NotFound("the source is no longer configured; add it to dicomweb.sources again")
        work = self._store.work(self.pull.id)
        studies = archive.find_studies(work.query)
        if not studies:
            raise NotFound("the archive holds no study that was asked for")
        complete = dict(work.complete)
        for arrived in complete.values():
            self._complete(arrived)
        listed = {uid: archive.instances(uid) for uid in studies if uid not in complete}
        self._check()
        self.pull = replace(self.pull, expected=sum(map(len, listed.values())))
        for uid, instances in listed.items():
            study_id = self._fetch_study(archive, instances)
            if study_id is not None:
                # Before the study goes on: it may be purged by the time that a restart asks for it again.
                complete[uid] = study_id
                self._store.update(self.pull, replace(work, complete=dict(complete)))
                self._complete(study_id)
            self.studies = frozenset()

    def _fetch_study(self, archive: Archive, instances: Sequence[ArchivedInstance]) -> str | None:
        """Fetch what is not here yet; the node's id of the study where all that is listed is safe."""
        left: dict[str, ArchivedInstance] = {}
        refused: set[str] = set()
        study_id = None
        for instance in instances:
            here = self._index.find_source(self._pseudonymizer.uid(instance.sop_instance_uid))
            if here is None:
                left[instance.sop_instance_uid] = instance
            else:
                study_id = here.study_id
                self._arrived(study_id)

        def missing() -> list[ArchivedInstance]:
            return [item for uid, item in left.items() if uid not in refused]

        try:
            for uid, stream in archive.retrieve(list(left.values()), missing) if left else ():
                with stream:
                    study_id = self._take(uid, stream, left, refused) or study_id
                self._check()
        except (ArchiveFailed, ArchiveRefused) as exc:
            self._reasons[str(exc)] = None
        if left and not self._reasons:
            self._reasons["the archive lists them and does not send them"] = None
        self.pull = replace(self.pull, failed=self.pull.failed + len(left))
        self.save()
        return study_id if not left else None

    def _take(
        self, uid: str, stream: BinaryIO, left: dict[str, ArchivedInstance], refused: set[str]
    ) -> str | None:
        """Store one instance; the node's id of its study, or `None` where it was refused."""
        try:
            receipt = self._receiver.receive(IncomingInstance(stream, f"{SOURCE}:{self.pull.source}"))
        except OutOfResources:
            raise
        except (PermanentError, TransientError) as exc:
            self._reasons[str(exc)] = None
            if isinstance(exc, PermanentError):
                refused.add(uid)
            return None
        if left.pop(uid, None) is not None:
            self._arrived(receipt.study_id)
        return receipt.study_id

    def _arrived(self, study_id: str) -> None:
        known = self.pull.study_ids
        self.studies = frozenset({study_id})
        self.pull = replace(
            self.pull,
            received=self.pull.received + 1,
            study_ids=known if study_id in known else (*known, study_id),
        )
        if time.monotonic() - self._saved_at >= _SAVE_S:
            self.save()
