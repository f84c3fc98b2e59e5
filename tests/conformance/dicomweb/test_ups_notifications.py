"""UPS-RS: the notification connection and the event reports on it (PS3.18 §8.10.4, §8.10.5, §11.13)."""

import json

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from workitem_samples import TRANSACTION, WORKITEM, code, model
from worklist_node import ServedWorklist, worklist, worklist_engine

from dicom_node.domain.workitem_events import node_status

__all__ = ["worklist", "worklist_engine"]

WAIT_S = 20


class Peer:
    """A subscriber's program."""

    def __init__(self, url):
        self.url = url

    def open(self, ae_title="WATCH"):
        return connect(f"{self.url.replace('http', 'ws')}/subscribers/{ae_title}", proxy=None)


def heard(channel, count=1):
    """The next event reports."""
    return [json.loads(channel.recv(timeout=WAIT_S, decode=True)) for _ in range(count)]


@pytest.fixture
def peer(worklist):
    with ServedWorklist(worklist.app) as served:
        yield Peer(served.url)


@pytest.fixture
def watched(worklist):
    worklist.create()
    worklist.ask("POST", f"/workitems/{WORKITEM}/subscribers/WATCH")
    return worklist


def first(report, tag):
    return report[tag]["Value"][0]


@pytest.mark.clause("8.10.5.1.1")
def test_event_report_is_one_text_frame_of_dicom_json(watched, peer):
    """§8.10.5.1.1; §11.13: the attributes of PS3.7 Table 10.3-1 and of PS3.4 Table CC.2.4-1."""
    with peer.open() as channel:
        (report,) = heard(channel)
    assert first(report, "00000002") == "1.2.840.10008.5.1.4.34.6.1"
    assert first(report, "00000100") == 0x0100
    assert 0 <= first(report, "00000110") < 0x10000
    assert first(report, "00000800") != 0x0101
    assert first(report, "00001000") == WORKITEM
    assert first(report, "00001002") == 1
    assert (first(report, "00741000"), first(report, "00404041")) == ("SCHEDULED", "READY")
    assert all(attribute["vr"] for attribute in report.values())


@pytest.mark.clause("8.10.4.2")
def test_changes_come_in_their_order_while_the_connection_is_open(watched, peer):
    """§8.10.4.2: event reports of the subscriptions of this AE title."""
    with peer.open() as channel:
        heard(channel)
        watched.create("2.25.2")
        watched.put_state("IN PROGRESS")
        progress = model(ProcedureStepProgressInformationSequence=model(ProcedureStepProgress=50))
        watched.ask("POST", f"/workitems/{WORKITEM}?{TRANSACTION}", progress)
        watched.ask(
            "POST",
            f"/workitems/{WORKITEM}?{TRANSACTION}",
            model(ScheduledStationNameCodeSequence=code("ELSEWHERE")),
        )
        reports = heard(channel, 3)
    assert [first(report, "00001002") for report in reports] == [1, 3, 5]
    assert {first(report, "00001000") for report in reports} == {WORKITEM}


@pytest.mark.clause("8.10.4.2")
def test_connection_that_was_lost_goes_on_where_it_was(watched, peer):
    """§8.10.4.2: "If the connection is lost, the user agent can re-establish it"; nothing comes twice."""
    with peer.open() as channel:
        heard(channel)
        watched.put_state("IN PROGRESS")
        assert first(heard(channel)[0], "00741000") == "IN PROGRESS"
        watched.ask("POST", f"/workitems/{WORKITEM}?{TRANSACTION}", model(InputReadinessState="INCOMPLETE"))
        assert first(heard(channel)[0], "00404041") == "INCOMPLETE"
        watched.ask("POST", f"/workitems/{WORKITEM}?{TRANSACTION}", model(InputReadinessState="READY"))
        heard(channel)
    watched.ask("POST", f"/workitems/{WORKITEM}?{TRANSACTION}", model(InputReadinessState="UNAVAILABLE"))
    told = []
    with peer.open() as channel:
        while told[-1:] != ["UNAVAILABLE"]:
            told.append(first(heard(channel)[0], "00404041"))
    # What was sent last may come again: nobody knows whether the peer has read it.
    assert told in (["UNAVAILABLE"], ["READY", "UNAVAILABLE"])


@pytest.mark.clause("8.10.4.2")
def test_two_connections_of_one_subscriber_get_the_same(watched, peer):
    """§8.10.4.2: the connection belongs to the AE title; what comes while both are open is for both."""
    with peer.open() as one:
        heard(one)  # what was queued before
        with peer.open() as two:
            watched.put_state("IN PROGRESS")
            assert _until(one, "IN PROGRESS") == _until(two, "IN PROGRESS")


def _until(channel, wanted):
    """The first report of a state; others may come before."""
    while True:
        (report,) = heard(channel)
        if first(report, "00741000") == wanted:
            return report


@pytest.mark.clause("11.13")
def test_restart_of_the_node_is_told(watched, peer):
    """PS3.4 Table CC.2.4-1: SCP Status Change; subscriptions and work items are kept."""
    watched.store.announce(node_status("RESTARTED"))
    with peer.open() as channel:
        (_, report) = heard(channel, 2)
    assert first(report, "00001002") == 4
    told = [first(report, tag) for tag in ("00741242", "00741244", "00741246")]
    assert told == ["RESTARTED", "WARM START", "WARM START"]


@pytest.mark.clause("8.10.4.1")
@pytest.mark.parametrize("title", ["TITLE-THAT-IS-TOO-LONG", "%20"])
def test_connection_for_no_ae_title_is_refused(peer, title):
    """§11.10.1.1: {aetitle} is an Application Entity Title."""
    with pytest.raises(InvalidStatus) as refused, peer.open(title):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.clause("8.10.4.1")
def test_connection_and_resources_under_a_foreign_name_are_refused(worklist, peer):
    """Work items name patients: a page whose name points here must not read them."""
    worklist.create()
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    for path, headers in (
        ("workitems", {}),
        (f"workitems/{WORKITEM}", {}),
        ("subscribers/WATCH", {"Accept": "text/event-stream"}),
        ("subscribers/WATCH", upgrade),
    ):
        foreign = {"Host": "evil.example", **headers}
        assert httpx.get(f"{peer.url}/{path}", headers=foreign, trust_env=False).status_code == 403
    for host in ("127.0.0.1:8080", "[::1]:8080", "localhost", "node.test"):
        response = worklist.ask("GET", "/workitems", headers={"Host": host})
        assert response.status_code == 200


@pytest.mark.clause("8.10.4.1")
def test_same_events_come_as_server_sent_events(watched, peer):
    """Server-sent events are an addition to §8.10.4, for clients that have no WebSocket."""
    address = f"{peer.url}/subscribers/WATCH"
    with httpx.stream("GET", address, headers={"Accept": "text/event-stream"}, trust_env=False) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        data = next(line for line in lines if line.startswith("data: "))
        assert first(json.loads(data.removeprefix("data: ")), "00741000") == "SCHEDULED"
        watched.put_state("IN PROGRESS")
        data = next(line for line in lines if line.startswith("data: "))
        assert first(json.loads(data.removeprefix("data: ")), "00741000") == "IN PROGRESS"
    assert watched.ask("GET", "/subscribers/WATCH", accept="application/json").status_code == 406
    assert watched.ask("GET", "/subscribers/THIS-TITLE-IS-TOO-LONG", accept="*/*").status_code == 400
