"""Pull: fetch studies from an archive into the receive stage, and say when they are complete.

A pull is durable: what it asks for is kept sealed until it ends, and after a restart it goes on with what is
not in the spool yet. Nothing of it names a patient in a log, an error or an audit event.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import InvalidInstance, NotFound
from dicom_node.domain.pull import Pull, PullState, PullWork, StudyQuery
from dicom_node.pipeline.pull_workers import PullWorkers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.pipeline.pull_study import PullPorts
    from dicom_node.ports.operation import AuditLog

log = structlog.get_logger(__name__)

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MODALITY = re.compile(r"[A-Z0-9_ ]{1,16}")
_LONGEST_TEXT = 64


class PullService:
    """`ports.Pulls`: takes requests in, and has threads of its own fetch what was asked for."""

    def __init__(self, ports: PullPorts, audit: AuditLog) -> None:
        self._ports = ports
        self._store = ports.store
        self._audit = audit
        self._workers = PullWorkers(ports, self._ended)

    @property
    def sources(self) -> tuple[str, ...]:
        """See `ports.Pulls.sources`."""
        return tuple(self._ports.archives)

    def request(self, source_name: str, study_instance_uid: str) -> str:
        """See `ports.Pulls.request`."""
        return self.request_query(source_name, StudyQuery(study_instance_uid=study_instance_uid))

    def request_query(self, source_name: str, query: StudyQuery) -> str:
        """See `ports.Pulls.request_query`."""
        if source_name not in self._ports.archives:
            known = ", ".join(self._ports.archives) or "none"
            raise NotFound(
                "no such source is configured (dicomweb.sources, or dimse.peers with `retrieve`);"
                f" known: {known}"
            )
        check_query(query)
        now = self._ports.clock.now()
        pull = Pull(uuid.uuid4().hex, source_name, PullState.QUEUED, now, now)
        self._store.add(pull, PullWork(query))
        self._audit.record("pull.requested", pull_id=pull.id, source=source_name)
        self._workers.notify()
        return pull.id

    def state(self, pull_id: str) -> Pull:
        """See `ports.Pulls.state`."""
        return self._workers.progress().get(pull_id) or self._store.get(pull_id)

    def newest(self, limit: int = 100) -> Sequence[Pull]:
        """See `ports.Pulls.newest`."""
        running = self._workers.progress()
        return [running.get(pull.id, pull) for pull in self._store.newest(limit)]

    def cancel(self, pull_id: str) -> Pull:
        """See `ports.Pulls.cancel`."""
        if self._store.cancel(pull_id, self._ports.clock.now()):
            self._ended(self._store.get(pull_id))
        self._workers.cancel(pull_id)
        return self.state(pull_id)

    def holds(self, study_id: str) -> bool:
        """Whether instances of a study are being fetched: it is not complete, however quiet it is."""
        return self._store.is_fetching(study_id, self._ports.clock.now())

    def start(self) -> None:
        """Go on with what an earlier process left, then wait for requests."""
        self._workers.start()

    def stop(self) -> None:
        """Stop fetching; what is under way goes on at the next start."""
        self._workers.stop()

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


def check_query(query: StudyQuery) -> None:
    """Refuse a query that names nothing, or that could mean more than it says.

    Raises
    ------
    InvalidInstance
    """
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
    if query.modality is not None and not _MODALITY.fullmatch(query.modality):
        raise InvalidInstance("modality is a code such as CT or MR")
