"""A worklist on SQLite in memory's place, behind a real router, for the tests of UPS-RS."""

import itertools
import shutil
import threading

import pytest
import uvicorn
from dicomweb_node import Client, FakeMetrics, Served
from fastapi import FastAPI
from index_samples import SetClock
from sqlalchemy import event
from workitem_samples import WORKITEM, cancellation, completion, order, state

from dicom_node.domain import workitem_changes as changes
from dicom_node.domain.workitem import WorkitemState
from dicom_node.index.database import open_database
from dicom_node.index.worklist import SqlWorklist
from dicom_node.pipeline.worklist import EventSignal, WorklistService
from dicomweb.app import create_router

KEY = bytes(range(32))
JSON = "application/dicom+json"


class Audited:
    """Keeps what was recorded."""

    def __init__(self):
        self.events = []

    def record(self, event, **fields):
        self.events.append((event, fields))


class WorklistNode:
    """DICOMweb with a worklist on `engine`; `client` asks it without a server."""

    def __init__(self, engine, hosts=("node.test",)):
        self.clock, self.audit, self.metrics = SetClock(), Audited(), FakeMetrics()
        signal = EventSignal()
        self.store = SqlWorklist(engine, self.clock, KEY, signal.notify)
        self.service = WorklistService(
            self.store, self.clock, self.audit, self.metrics, signal, default_label="DEFAULT"
        )
        router = create_router(
            receiver=None,
            catalog=None,
            open_blob=None,
            metrics=self.metrics,
            max_upload_bytes=1,
            service_name="node",
            worklist=self.service,
            worklist_hosts=hosts,
        )
        self.app = FastAPI()
        self.app.include_router(router, prefix="/dicom-web")
        self._client = Client(self.app)

    def ask(self, method, path, model=None, *, accept=JSON, content_type=JSON, **options):
        """Send a data set; the response."""
        headers = {"Accept": accept, "Content-Type": content_type, **options.pop("headers", {})}
        if model is not None:
            options["json"] = model
        return self._client.request(method, f"/dicom-web{path}", headers=headers, **options)

    def create(self, uid=WORKITEM, **changes):
        """Order something; the response."""
        return self.ask("POST", f"/workitems?{uid}", order(**changes))

    def put_state(self, target, transaction="2.25.1", uid=WORKITEM, requester="/PERFORMER"):
        """Change a state; the response."""
        return self.ask("PUT", f"/workitems/{uid}/state{requester}", [state(target, transaction)])

    def in_state(self, target, uid=WORKITEM):
        """A new work item in a state."""
        assert self.create(uid).status_code == 201
        if target == "SCHEDULED":
            return
        assert self.put_state("IN PROGRESS", uid=uid).status_code == 200
        if target == "COMPLETED":
            assert self.ask("POST", f"/workitems/{uid}?2.25.1", completion()).status_code == 200
            assert self.put_state("COMPLETED", uid=uid).status_code == 200
        elif target == "CANCELED":
            self.service.store.change(uid, _canceled)

    def get(self, uid=WORKITEM):
        """The data set of a work item."""
        response = self.ask("GET", f"/workitems/{uid}")
        assert response.status_code == 200, response.text
        (model,) = response.json()
        return model

    def events(self, ae_title="WATCH"):
        """(type, information) of the events that are queued for a subscriber and not received yet."""
        queued = list(self.store.events(ae_title, self.store.undelivered(ae_title)))
        self.store.delivered([q.id for q in queued])
        return [(int(q.event.type), q.event.information) for q in queued]

    def states(self, ae_title="WATCH"):
        """The states that its state reports told."""
        return [info["00741000"]["Value"][0] for kind, info in self.events(ae_title) if kind == 1]

    def orders(self, count, **changes):
        """Create several; their UIDs."""
        uids = [f"2.25.{900 + n}" for n in itertools.islice(itertools.count(), count)]
        for uid in uids:
            assert self.create(uid, **changes).status_code == 201
        return uids


class ServedWorklist(Served):
    """The same behind a real server with WebSockets."""

    def __init__(self, app):
        super().__init__(app)
        self._server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)


@pytest.fixture
def worklist_engine(tmp_path, empty_database):
    """A database of its own."""
    shutil.copy(empty_database, tmp_path / "worklist.db")
    engine = open_database(f"sqlite:///{tmp_path / 'worklist.db'}")

    @event.listens_for(engine, "connect")
    def _need_not_survive(connection, _record):
        connection.execute("PRAGMA synchronous=OFF")

    yield engine
    engine.dispose()


@pytest.fixture
def worklist(worklist_engine):
    """A DICOMweb service with a worklist of its own."""
    return WorklistNode(worklist_engine)


def _canceled(item, _heard):
    updated = changes.update(item, cancellation(), item.transaction_uid, item.modified_at).item
    return changes.change_state(updated, WorkitemState.CANCELED, item.transaction_uid, item.modified_at)
