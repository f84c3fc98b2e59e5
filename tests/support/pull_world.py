"""Pulls over fakes: a store, an archive, a receiver and an index in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from dicom_node.app.adapters import SystemClock
from dicom_node.domain.errors import NotFound
from dicom_node.domain.pull import PULL_ENDED, ArchivedInstance, Pull, PullState, PullWork, StudyQuery
from dicom_node.pipeline.pull import PullService
from dicom_node.pipeline.pull_study import PullPorts

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dicom_node.ports.archive import Intake

STUDY = "1.2.840.5"


class MemoryPulls:
    """`ports.PullStore` in memory."""

    def __init__(self) -> None:
        self.pulls: dict[str, Pull] = {}
        self.works: dict[str, PullWork] = {}
        self.owners: dict[str, str] = {}
        self.asked_to_end: set[str] = set()
        self.fetching: dict[str, str | None] = {}

    def add(self, pull: Pull, work: PullWork) -> None:
        self.pulls[pull.id], self.works[pull.id] = pull, work

    def claim(self, owner: str, now: datetime, until: datetime) -> Pull | None:
        for pull in self.pulls.values():
            if pull.state not in PULL_ENDED and pull.id not in self.owners:
                self.owners[pull.id] = owner
                self.pulls[pull.id] = replace(pull, state=PullState.RUNNING)
                return self.pulls[pull.id]
        return None

    def renew(self, owner: str, until: datetime) -> dict[str, bool]:
        return {key: key in self.asked_to_end for key, value in self.owners.items() if value == owner}

    def let_go(self, owner: str) -> None:
        for key in [key for key, value in self.owners.items() if value == owner]:
            del self.owners[key]
            self.fetching.pop(key, None)

    def update(self, owner: str, pull: Pull, work: PullWork | None = None) -> bool:
        if self.owners.get(pull.id) != owner:
            return False
        self.pulls[pull.id] = pull
        if pull.state in PULL_ENDED:
            self.fetching[pull.id] = None
        if work is not None:
            self.works[pull.id] = work
        return True

    def set_fetching(self, owner: str, pull_id: str, study_instance_uid: str | None) -> None:
        self.fetching[pull_id] = study_instance_uid

    def is_fetching(self, study_id: str, now: datetime) -> bool:
        return study_id.replace("study-", "pseudo-") in self.fetching.values()

    def cancel(self, pull_id: str, now: datetime) -> bool:
        pull = self.get(pull_id)
        if pull.state in PULL_ENDED:
            return False
        if pull_id in self.owners:
            self.asked_to_end.add(pull_id)
            return False
        self.pulls[pull_id] = replace(pull, state=PullState.CANCELLED)
        return True

    def work(self, pull_id: str) -> PullWork:
        return self.works[pull_id]

    def get(self, pull_id: str) -> Pull:
        if pull_id not in self.pulls:
            raise NotFound("unknown")
        return self.pulls[pull_id]

    def newest(self, limit: int) -> list[Pull]:
        return list(self.pulls.values())[::-1][:limit]


@dataclass
class World:
    """Everything around the service.

    `withheld` never comes, `sent_elsewhere` comes through another process, and the archive `lists` its
    instances or only counts them; `errors` are raised by the receiver, by UID, each once; `before` is called
    before each instance is given.
    """

    studies: dict[str, list[str]] = field(default_factory=lambda: {STUDY: ["1", "2", "3"]})
    withheld: set[str] = field(default_factory=set)
    sent_elsewhere: set[str] = field(default_factory=set)
    lists: bool = True
    end: Exception | None = None
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    before: Callable[[str], object] = lambda _uid: None
    spool: dict[str, str] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    audited: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    store: MemoryPulls = field(default_factory=MemoryPulls)
    opened: int = 0

    def service(self) -> PullService:
        world: Any = self
        return PullService(
            PullPorts(
                store=self.store,
                archives={"pacs": self.open},
                receiver=world,
                arrivals=world,
                pseudonymizer=cast("Any", SimpleNamespace(uid=lambda original: f"pseudo-{original}")),
                clock=SystemClock(),
                complete=self.complete,
            ),
            world,
        )

    def open(self, wait: Callable[[float], object]) -> Any:
        self.opened += 1
        return SimpleNamespace(
            name="pacs",
            find_studies=self.find,
            instances=self.instances,
            count=self.count,
            retrieve=self.retrieve,
        )

    def complete(self, study_id: str) -> None:
        self.completed.append(study_id)

    def find(self, query: StudyQuery) -> list[str]:
        return [uid for uid in self.studies if query.study_instance_uid in (None, uid)]

    def instances(self, study: str) -> list[ArchivedInstance]:
        if not self.lists:
            return []
        return [ArchivedInstance(study, "1.2.840.6", uid) for uid in self.studies[study]]

    def count(self, study: str) -> int | None:
        return len(self.studies[study])

    def retrieve(self, study: str, wanted: Any, intake: Intake) -> None:
        for _ in range(2):
            uids = [item.sop_instance_uid for item in intake.missing()] if wanted else self.studies[study]
            for uid in uids:
                if uid in self.sent_elsewhere:
                    self.spool[f"pseudo-{uid}"] = f"study-{study}"
                    intake.look()
                elif uid not in self.withheld:
                    self.before(uid)
                    intake.take(uid, io.BytesIO(uid.encode()))
                    intake.check()
        if self.end is not None:
            raise self.end

    def receive(self, incoming: Any) -> Any:
        assert incoming.source == "pull:pacs"
        uid = incoming.stream.read().decode()
        for error in [self.errors[uid].pop(0)] if self.errors.get(uid) else []:
            raise error
        self.received.append(uid)
        study_id = "study-" + next(s for s, uids in self.studies.items() if uid in uids)
        self.spool[f"pseudo-{uid}"] = study_id
        return SimpleNamespace(study_id=study_id, sop_instance_uid=f"pseudo-{uid}")

    def present(self, study_instance_uid: str) -> dict[str, str]:
        study_id = study_instance_uid.replace("pseudo-", "study-")
        return {uid: of for uid, of in self.spool.items() if of == study_id}

    def record(self, event: str, **fields: Any) -> None:
        self.audited.append((event, fields))
