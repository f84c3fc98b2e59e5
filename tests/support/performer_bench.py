"""The node as a performer on a bench: a real worklist, and a node that does as it is told."""

from dataclasses import replace
from datetime import UTC, datetime

from workitem_samples import WORKITEM, model

from dicom_node.domain.errors import DeliveryFailed, NotFound
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import Run, RunStatus
from dicom_node.domain.study import StudyRecord, StudyState
from dicom_node.domain.workitem import coded, first, items
from dicom_node.pipeline.worklist_performer import Performer, PerformerRules

ORIGINAL, PSEUDONYM = "1.2.3.4", "2.25.10001234"
STATION = coded("NODE", "99TEST", "The node")
RUN = Run("brain", "1", "2.25.5", RunStatus.DONE, label="Intracranial volume 1500 mL")


def study(state=StudyState.RECEIVING, **more):
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    record = StudyRecord(
        id="study-1",
        study_instance_uid=PSEUDONYM,
        state=state,
        stage=None,
        version=1,
        epoch=0,
        modalities=("MR",),
        body_part=None,
        received_instances=2,
        received_bytes=1,
        created_at=now,
        last_received_at=now,
        ended_at=None,
        purged_at=None,
        reason=None,
    )
    return replace(record, **more)


def result(number, series="2.25.77"):
    return ResultEntry(ResultKind.SEG, "1.2.840.10008.5.1.4.1.1.66.4", series, f"{series}.{number}")


class Node:
    """The rest of the node, as the performer sees it; `study` is the one that it holds."""

    def __init__(self):
        self.study_here = None
        self.instances = set()
        self.completed = []
        self.pulled = []
        self.pull_fails = 0
        self.identity = OriginalIdentity({}, {PSEUDONYM: ORIGINAL})

    # ports.StudyIndex
    def studies(self, *, study_instance_uid, limit):
        here = self.study_here
        return ([here] if here and here.study_instance_uid == study_instance_uid else []), None

    def study(self, study_id):
        assert study_id == "study-1"
        return self.study_here

    def find_source(self, uid):
        return uid if uid in self.instances else None

    # ports.Pseudonymizer
    def uid(self, original):
        return {ORIGINAL: PSEUDONYM}.get(original, f"2.25.1000{original.replace('.', '')}")

    def derived_uid(self, *parts):
        return f"2.25.{len(parts[0])}{parts[1].replace('.', '')}"

    # ports.Vault
    def get(self, _study_id):
        if self.identity is None:
            raise NotFound("forgotten")
        return self.identity

    # ports.InputSource
    def source_for(self, url, ae_title):
        return {"http://pacs/dicom-web": "pacs", "ARCHIVE": "archive"}.get(url or ae_title)

    def request(self, source, uid):
        if self.pull_fails:
            self.pull_fails -= 1
            raise DeliveryFailed("the archive does not answer")
        self.pulled.append((source, uid))

    def complete(self, study_id):
        self.completed.append(study_id)
        self.study_here = replace(self.study_here, state=StudyState.PROCESSING)


class Bench:
    """A performer over a worklist."""

    def __init__(self, worklist, **addresses):
        self.worklist = worklist
        self.node = Node()
        self.rules = PerformerRules(STATION, (coded("110004", "DCM", "CAD"),), addresses)
        self.restart()

    def restart(self):
        self.performer = Performer(
            self.worklist.service,
            self.rules,
            index=self.node,
            vault=self.node,
            pseudonymizer=self.node,
            clock=self.worklist.clock,
            complete=self.node.complete,
            source=self.node,
        )

    def order(self, *instances, **changes):
        references = [model(ReferencedSOPInstanceUID=uid) for uid in instances]
        given = {
            "StudyInstanceUID": ORIGINAL,
            "InputInformationSequence": model(StudyInstanceUID=ORIGINAL, ReferencedSOPSequence=references),
        }
        response = self.worklist.create(**given | changes)
        assert response.status_code == 201, response.text

    def set(self, state, **more):
        self.node.study_here = study(state, **more)

    def end(self, state=StudyState.DONE, **more):
        self.set(state, ended_at=self.worklist.clock.now(), purged_at=self.worklist.clock.now(), **more)

    def tick(self, times=1):
        for _ in range(times):
            self.performer.tick()
        return self.item.state

    @property
    def item(self):
        return self.worklist.store.get(WORKITEM)

    @property
    def performed(self):
        return items(self.item.attributes, "00741216")[0]

    @property
    def why(self):
        progress = self.item.progress
        return first(items(progress, "0074100E")[0], "00080100"), first(progress, "00741238")
