import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from dicom_node.domain.errors import NotFound, NotificationFailed
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.domain.notification import Event, EventKind, Listener, NotificationState
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.study import StudyState
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.notifications import SqlNotifications
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.channels import AvailabilityChannel, WebhookChannel
from dicom_node.pipeline.notify import Notifier, Outlet

ENDED = Event(EventKind.STUDY_ENDED, "study-1", 2, state=StudyState.DONE)
RESULTS = (
    ResultEntry(ResultKind.SR, "1.2", "2.25.5", "2.25.6"),
    ResultEntry(ResultKind.SR, "1.2", "2.25.5", "2.25.7"),
    ResultEntry(ResultKind.SEG, "1.3", "2.25.8", "2.25.9"),
)


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 2, tzinfo=UTC)

    def now(self):
        return self.time

    def wait(self, **time):
        self.time += timedelta(**time)


class Audit(list):
    def record(self, event, **fields):
        self.append((event, fields))


class FakeChannel:
    def __init__(self):
        self.failures = []
        self.taken = []

    def body(self, event, at):
        return json.dumps({"type": event.kind.value})

    def send(self, message, at):
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append((message.id, at))


class Index:
    def __init__(self, results=RESULTS):
        self._results = results

    def study(self, study_id):
        return SimpleNamespace(
            id=study_id,
            study_instance_uid="2.25.1",
            modalities=("MR",),
            body_part="BRAIN",
            received_instances=3,
            received_bytes=99,
        )

    def results(self, study_id, version):
        return self._results


@pytest.fixture
def desk(tmp_path):
    """One listener of everything, whose channel fails as it is told to; the longest wait is always drawn."""
    database = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    upgrade(database)
    channel, clock, audit = FakeChannel(), Clock(), Audit()
    listener = Listener("ris", frozenset(EventKind), max_age_s=3600)
    store = SqlNotifications(database)
    notifier = Notifier(
        [Outlet(listener, channel)], store, clock, audit, PrometheusMetrics(), draw=lambda bound: bound
    )
    yield SimpleNamespace(notifier=notifier, channel=channel, clock=clock, audit=audit, store=store)
    database.dispose()


def test_event_is_told_once_however_often_it_is_announced(desk):
    desk.notifier.announce(ENDED)
    desk.notifier.announce(ENDED)
    assert desk.notifier.send_due("ris") == 1
    desk.notifier.announce(ENDED)
    assert desk.notifier.send_due("ris") == 0
    assert [message_id for message_id, _ in desk.channel.taken] == [ENDED.id_for("ris")]


def test_wait_doubles_and_the_rest_waits_for_the_next_look(desk):
    for version in (1, 2):
        desk.notifier.announce(Event(EventKind.STUDY_ENDED, "study-1", version, state=StudyState.DONE))
    desk.channel.failures = [NotificationFailed("down")] * 3
    assert desk.notifier.send_due("ris") == 0
    assert len(desk.channel.failures) == 2
    assert desk.notifier.send_due("ris") == 0
    waits = sorted(m.next_at - desk.clock.now() for m in desk.notifier.page()[0])
    assert waits == [timedelta(seconds=5)] * 2
    desk.clock.wait(seconds=5)
    assert desk.notifier.send_due("ris") == 0
    waits = sorted(m.next_at - desk.clock.now() for m in desk.notifier.page()[0])
    assert waits == [timedelta(seconds=0), timedelta(seconds=10)]
    desk.clock.wait(seconds=10)
    assert desk.notifier.send_due("ris") == 2


def test_listener_may_ask_for_a_longer_wait(desk):
    desk.notifier.announce(ENDED)
    desk.channel.failures = [NotificationFailed("busy", 600.0)]
    desk.notifier.send_due("ris")
    ((message,), _) = desk.notifier.page()
    assert message.next_at - desk.clock.now() == timedelta(seconds=600)
    assert message.reason == "busy"


def test_message_is_given_up_at_its_age_and_a_person_may_retry(desk):
    desk.notifier.announce(ENDED)
    desk.channel.failures = [NotificationFailed("down")] * 50
    for _ in range(12):
        desk.notifier.send_due("ris")
        desk.clock.wait(minutes=10)
    ((message,), _) = desk.notifier.page(state=NotificationState.DEAD)
    assert message.reason == "down"
    assert [event for event, _ in desk.audit] == ["notification.given_up"]
    desk.channel.failures = []
    assert desk.notifier.send_due("ris") == 0
    assert desk.notifier.retry("local", listener="ris") == 1
    assert desk.notifier.send_due("ris") == 1
    assert desk.audit[-1][1]["by"] == "local"


def test_listener_that_wants_no_more_is_not_asked_again(desk):
    desk.notifier.announce(ENDED)
    desk.channel.failures = [NotificationFailed("gone", final=True)]
    desk.notifier.send_due("ris")
    desk.clock.wait(hours=0.5)
    assert desk.notifier.send_due("ris") == 0
    assert desk.store.count() == {("ris", NotificationState.DEAD): 1}


def test_fault_of_ours_is_recorded_without_what_it_was_about(desk):
    desk.notifier.announce(ENDED)
    desk.channel.failures = [ValueError("Doe^Jane")]
    desk.notifier.send_due("ris")
    ((message,), _) = desk.notifier.page()
    assert "Doe" not in message.reason


@pytest.mark.parametrize(
    ("of", "event", "told"),
    [
        (None, Event(EventKind.RESULTS_AVAILABLE, "s", 1), True),
        (None, Event(EventKind.RESULTS_AVAILABLE, "s", 1, "pacs"), False),
        ("pacs", Event(EventKind.RESULTS_AVAILABLE, "s", 1, "pacs"), True),
        ("pacs", Event(EventKind.RESULTS_AVAILABLE, "s", 1), False),
        (None, Event(EventKind.DELIVERY_FAILED, "s", 1, "pacs"), True),
        ("vna", Event(EventKind.DELIVERY_FAILED, "s", 1, "pacs"), False),
        ("vna", Event(EventKind.STUDY_ENDED, "s", 1), True),
    ],
)
def test_listener_is_told_of_what_concerns_it(of, event, told):
    assert Listener("ris", frozenset(EventKind), of=of).wants(event) is told


def test_listener_is_not_told_of_other_kinds():
    assert not Listener("ris", frozenset({EventKind.STUDY_ENDED})).wants(
        Event(EventKind.DELIVERY_FAILED, "s", 1)
    )


def test_webhook_says_what_there_is_and_where():
    body = json.loads(
        WebhookChannel(None, Index(), None, "https://node.example/").body(
            ENDED, datetime(2026, 1, 2, tzinfo=UTC)
        )
    )
    assert body["type"] == "study-ended"
    assert body["timestamp"] == "2026-01-02T00:00:00+00:00"
    data = body["data"]
    assert data["state"] == "done"
    assert data["study"]["version"] == 2
    assert data["results"] == {"count": 3, "kinds": {"SEG": 1, "SR": 2}}
    assert data["links"]["study"] == "https://node.example/api/studies/study-1"
    assert data["links"]["dicomweb"] == "https://node.example/dicom-web/studies/2.25.1"


class Vault:
    def __init__(self, uids):
        self.uids = uids

    def get(self, study_id):
        if self.uids is None:
            raise NotFound("forgotten")
        return OriginalIdentity({}, self.uids)


def delivered(study_id, version, destination):
    return {"2.25.6", "2.25.9"} if destination == "pacs" else set()


def told(vault, *, original, results=RESULTS, destination=None):
    calls = []
    sender = SimpleNamespace(tell=lambda *args: calls.append(args))
    channel = AvailabilityChannel(sender, Index(results), delivered, vault, original_identity=original)
    message = SimpleNamespace(id="msg_1", study_id="study-1", version=2, destination=destination)
    channel.send(message, datetime.now(UTC))
    return calls


def test_availability_names_the_study_as_the_listener_knows_it():
    vault = Vault({"2.25.1": "1.2.3"})
    assert told(vault, original=True) == [("msg_1", "1.2.3", RESULTS)]
    assert told(vault, original=False) == [("msg_1", "2.25.1", RESULTS)]


def test_availability_names_what_the_destination_has_got():
    ((_, _, results),) = told(Vault({}), original=False, destination="pacs")
    assert [entry.sop_instance_uid for entry in results] == ["2.25.6", "2.25.9"]
    with pytest.raises(NotificationFailed, match="expired"):
        told(Vault({}), original=False, destination="vna")


def test_webhook_counts_what_the_destination_has_got():
    event = Event(EventKind.RESULTS_AVAILABLE, "study-1", 2, "pacs")
    body = WebhookChannel(None, Index(), delivered).body(event, datetime(2026, 1, 2, tzinfo=UTC))
    assert json.loads(body)["data"]["results"] == {"count": 2, "kinds": {"SEG": 1, "SR": 1}}


@pytest.mark.parametrize(("uids", "results"), [(None, RESULTS), ({}, RESULTS), ({"2.25.1": "1.2.3"}, ())])
def test_availability_of_what_is_gone_is_not_told(uids, results):
    with pytest.raises(NotificationFailed) as failed:
        told(Vault(uids), original=True, results=results)
    assert failed.value.final
