"""Pull: fetch studies from an archive into the receive stage, and say when they are complete.

A pull is durable: what it asks for is kept sealed until it ends, and after a restart it goes on with what is
not in the spool yet. Nothing of it names a patient in a log, an error or an audit event.
"""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import InternalError, InvalidInstance, NodeError, NotFound
from dicom_node.domain.pull import PULL_ENDED, Pull, PullState, PullWork, StudyQuery
from dicom_node.pipeline.pull_study import Cancelled, Interrupted, PullRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dicom_node.ports.archive import ArchiveOpener, PullStore
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.operation import AuditLog, Clock
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)

#: Pulls that run at a time; others wait.
AT_ONCE = 2
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_LONGEST_TEXT = 64


class PullService:
    """`ports.Pulls` with threads of its own.

    Parameters
    ----------
    archives
        By name.
    complete
        Takes a receiving study on to the pipeline at once, by the node's id.
    """

    def __init__(
        self,
        store: PullStore,
        archives: Mapping[str, ArchiveOpener],
        receiver: Receiver,
        index: StudyIndex,
        pseudonymizer: Pseudonymizer,
        clock: Clock,
        audit: AuditLog,
        complete: Callable[[str], object],
    ) -> None:
        self._store = store
        self._archives = dict(archives)
        self._receiver = receiver
        self._index = index
        self._pseudonymizer = pseudonymizer
        self._clock = clock
        self._audit = audit
        self._complete = complete
        self._guard = threading.Lock()
        self._work = threading.Condition(self._guard)
        self._queue: list[str] = []
        self._running: dict[str, PullRun] = {}
        self._stopping = False
        self._threads: list[threading.Thread] = []

    @property
    def sources(self) -> tuple[str, ...]:
        """See `ports.Pulls.sources`."""
        return tuple(self._archives)

    def request(self, source_name: str, study_instance_uid: str) -> str:
        """See `ports.Pulls.request`."""
        return self.request_query(source_name, StudyQuery(study_instance_uid=study_instance_uid))

    def request_query(self, source_name: str, query: StudyQuery) -> str:
        """See `ports.Pulls.request_query`."""
        if source_name not in self._archives:
            known = ", ".join(self._archives) or "none"
            raise NotFound(f"no such source is configured (dicomweb.sources); known: {known}")
        _check(query)
        now = self._clock.now()
        pull = Pull(uuid.uuid4().hex, source_name, PullState.QUEUED, now, now)
        self._store.add(pull, PullWork(query))
        self._audit.record("pull.requested", pull_id=pull.id, source=source_name)
        with self._work:
            self._queue.append(pull.id)
            self._work.notify()
        return pull.id

    def state(self, pull_id: str) -> Pull:
        """See `ports.Pulls.state`."""
        with self._guard:
            run = self._running.get(pull_id)
        return run.pull if run is not None else self._store.get(pull_id)

    def newest(self, limit: int = 100) -> Sequence[Pull]:
        """See `ports.Pulls.newest`."""
        with self._guard:
            running = {pull_id: run.pull for pull_id, run in self._running.items()}
        return [running.get(pull.id, pull) for pull in self._store.newest(limit)]

    def cancel(self, pull_id: str) -> Pull:
        """See `ports.Pulls.cancel`."""
        with self._guard:
            run = self._running.get(pull_id)
            if run is not None:
                run.cancel()
            elif pull_id in self._queue:
                self._queue.remove(pull_id)
        pull = self.state(pull_id)
        if run is None and pull.state not in PULL_ENDED:
            pull = replace(pull, state=PullState.CANCELLED, updated_at=self._clock.now())
            self._store.update(pull)
            self._ended(pull)
        return pull

    def holds(self, study_id: str) -> bool:
        """Whether instances of a study are being fetched: it is not complete, however quiet it is."""
        with self._guard:
            return any(study_id in run.studies for run in self._running.values())

    def start(self) -> None:
        """Go on with what an earlier process left, then wait for requests."""
        with self._guard:
            self._queue = [pull.id for pull in self._store.unfinished()]
            if self._queue:
                log.info("pull.resumed", count=len(self._queue))
        self._threads = [
            threading.Thread(target=self._serve, name=f"pull-{n}", daemon=True) for n in range(AT_ONCE)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop fetching; what is under way goes on at the next start."""
        with self._work:
            self._stopping = True
            for run in self._running.values():
                run.interrupt()
            self._work.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def _serve(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: self._queue or self._stopping)
                if self._stopping:
                    return
                pull_id = self._queue.pop(0)
            try:
                self._fetch(pull_id)
            except NodeError as exc:
                log.warning("pull.failed", code=exc.code)
            except Exception as exc:  # noqa: BLE001  one bad pull must not end all pulls
                log.error("pull.failed", reason=str(InternalError.of(exc)))

    def _fetch(self, pull_id: str) -> None:
        pull = self._store.get(pull_id)
        run = PullRun(
            replace(pull, state=PullState.RUNNING),
            self._store,
            self._archives.get(pull.source),
            self._receiver,
            self._index,
            self._pseudonymizer,
            self._clock,
            self._complete,
        )
        with self._guard:
            if self._stopping:
                return
            self._running[pull_id] = run
        try:
            run.save()
            run.fetch()
            state, reason = (PullState.FAILED, run.shortfall()) if run.pull.failed else (PullState.DONE, None)
        except Interrupted:
            with self._guard:
                del self._running[pull_id]
            return
        except Cancelled:
            state, reason = PullState.CANCELLED, None
        except NodeError as exc:
            state, reason = PullState.FAILED, str(exc)
        except Exception as exc:  # noqa: BLE001  the pull ends, and says where
            state, reason = PullState.FAILED, str(InternalError.of(exc))
        ended = replace(run.pull, state=state, reason=reason, updated_at=self._clock.now())
        try:
            self._store.update(ended)
            self._ended(ended)
        finally:
            with self._guard:
                del self._running[pull_id]

    def _ended(self, pull: Pull) -> None:
        self._audit.record(
            "pull.ended",
            pull_id=pull.id,
            source=pull.source,
            state=pull.state.value,
            received=pull.received,
            failed=pull.failed,
        )
        log.info("pull.ended", source=pull.source, status=pull.state.value, count=pull.received)


def _check(query: StudyQuery) -> None:
    if query.empty:
        raise InvalidInstance(
            "a pull must say what: study_instance_uid, accession_number, patient_id, or since (a date)"
        )
    uid = query.study_instance_uid
    if uid is not None and (len(uid) > _LONGEST_TEXT or not _UID.fullmatch(uid)):
        raise InvalidInstance("the Study Instance UID is malformed: digits and dots, at most 64 characters")
    for text in (query.accession_number, query.patient_id):
        if text is not None and (
            not 1 <= len(text) <= _LONGEST_TEXT or not text.isprintable() or set(text) & set("*?\\")
        ):
            raise InvalidInstance(
                "accession_number and patient_id are exact: 1 to 64 characters, no *, ? or \\"
            )
