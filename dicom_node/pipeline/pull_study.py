"""One pull: what the archive counts, what has arrived, what is left."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, NotFound
from dicom_node.pipeline.pull_intake import StudyIntake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dicom_node.domain.pull import ArchivedInstance, Pull, PullWork
    from dicom_node.ports.archive import Archive, ArchiveOpener
    from dicom_node.ports.arrivals import Arrivals
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.operation import Clock
    from dicom_node.ports.pulls import PullStore

SOURCE = "pull"
#: Seconds between two records of the progress.
_SAVE_S = 1.0


class Cancelled(Exception):
    """Somebody cancelled the pull."""


class Interrupted(Exception):
    """The node stops, or another process has taken the pull over; it goes on there."""


@dataclass(frozen=True, slots=True)
class PullPorts:
    """What fetching needs.

    Attributes
    ----------
    archives
        By name.
    complete
        Takes a receiving study on to the pipeline at once, by the node's id.
    """

    store: PullStore
    archives: Mapping[str, ArchiveOpener]
    receiver: Receiver
    arrivals: Arrivals
    pseudonymizer: Pseudonymizer
    clock: Clock
    complete: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A study as the archive has it."""

    instances: Sequence[ArchivedInstance]
    count: int


class PullRun:
    """Fetches what one pull asks for; `pull` is its progress, for any thread to read.

    Parameters
    ----------
    owner
        Who has claimed the pull.
    """

    def __init__(self, pull: Pull, owner: str, ports: PullPorts) -> None:
        self.pull = replace(pull, expected=None, received=0, failed=0)
        self._owner = owner
        self._ports = ports
        open_archive = ports.archives.get(pull.source)
        self._archive = open_archive(self.wait) if open_archive is not None else None
        self._end = threading.Event()
        self._interrupted = False
        self._saved_at = 0.0
        self._reasons: dict[str, None] = {}

    def cancel(self) -> None:
        """End it after the instance that is under way."""
        self._end.set()

    def interrupt(self) -> None:
        """The same, to go on at the next start, or elsewhere."""
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

    def save(self, work: PullWork | None = None) -> None:
        """Record the progress.

        Raises
        ------
        Interrupted
            If another process has taken the pull over.
        """
        self._saved_at = time.monotonic()
        self.pull = replace(self.pull, updated_at=self._ports.clock.now())
        if not self._ports.store.update(self._owner, self.pull, work):
            raise Interrupted

    def shortfall(self) -> str | None:
        """Why not all arrived; `None` where all did."""
        why = "; ".join(self._reasons)
        return f"{self.pull.failed} instances did not arrive: {why}" if self.pull.failed else why or None

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
            raise NotFound(
                "the source is no longer configured; add it to dicomweb.sources, or to dimse.peers with"
                " `retrieve`, again"
            )
        work = self._ports.store.work(self.pull.id)
        studies = archive.find_studies(work.query)
        if not studies:
            raise NotFound("the archive holds no study that was asked for")
        complete = dict(work.complete)
        for arrived in complete.values():
            self._ports.complete(arrived)
        listed = {uid: self._list(archive, uid) for uid in studies if uid not in complete}
        self.pull = replace(self.pull, expected=sum(study.count for study in listed.values()))
        self.save()
        for uid, study in listed.items():
            study_id = self._fetch_study(archive, uid, study)
            if study_id is not None:
                # Before the study goes on: it may be purged by the time that a restart asks for it again.
                complete[uid] = study_id
                self.save(replace(work, complete=dict(complete)))
                self._ports.complete(study_id)
            self._ports.store.set_fetching(self._owner, self.pull.id, None)

    def _list(self, archive: Archive, uid: str) -> _Listed:
        self._check()
        instances = archive.instances(uid)
        # Not every archive lists instances; its own count says then when all are here.
        count = len(instances) if instances else archive.count(uid) or 0
        return _Listed(instances, count)

    def _fetch_study(self, archive: Archive, uid: str, listed: _Listed) -> str | None:
        """Fetch what is not here yet; the node's id of the study where all that is counted is safe."""
        ports = self._ports
        intake = StudyIntake(
            uid,
            listed.instances,
            listed.count,
            source=f"{SOURCE}:{self.pull.source}",
            receiver=ports.receiver,
            arrivals=ports.arrivals,
            pseudonymizer=ports.pseudonymizer,
            arrived=self._arrived,
            check=self._check,
        )
        ports.store.set_fetching(self._owner, self.pull.id, intake.study_instance_uid)
        intake.look()
        try:
            if intake.short or not listed.count:
                archive.retrieve(uid, list(intake.missing()), intake)
        except (ArchiveFailed, ArchiveRefused) as exc:
            self._reasons[str(exc)] = None
        intake.look()
        self._reasons.update(intake.reasons if intake.short else {})
        if intake.short and not self._reasons:
            self._reasons["the archive lists them and does not send them"] = None
        self.pull = replace(self.pull, failed=self.pull.failed + intake.short)
        self.save()
        return intake.study_id if listed.count and not intake.short else None

    def _arrived(self, study_id: str, count: int) -> None:
        known = self.pull.study_ids
        self.pull = replace(
            self.pull,
            received=self.pull.received + count,
            study_ids=known if study_id in known else (*known, study_id),
        )
        if time.monotonic() - self._saved_at >= _SAVE_S:
            self.save()
