"""Damaged PDU streams: whatever a peer sends, its association ends and nothing else does.

`make fuzz` draws many more.
"""

import socket
import struct
import threading
import time
import traceback

import pytest
from dimse_objects import FakePseudonymizer
from holding_node import holdings, study
from mutations import chance_of, mutate, seeds
from pdu_streams import answers, associate_request, echo, good_streams, release, stored_uids

from dicom_node.app.adapters import SystemClock
from dicom_node.dimse.admission import SERVICES, Admission
from dicom_node.dimse.commitment_scp import CommitmentScp
from dicom_node.dimse.scp import ServerTimeouts, StorageScp
from dicom_node.dimse.upper_layer import EventDrivenDul
from dicom_node.domain.commitment import CommitmentPolicy
from dicom_node.domain.errors import InternalError, InvalidInstance
from dicom_node.domain.instance import InstanceHeader, Receipt, StoreOutcome
from dicom_node.index.commitments import SqlCommitments
from dicom_node.index.source_classes import SqlInstanceLookup
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.commitment import CommitmentDesk

__all__ = ["holdings"]

EXAMPLES = 400
LIMIT_S = 10

# A node shows no library's warnings; here they would become errors inside of its threads.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Receiver:
    """Takes what names itself, at once."""

    def __init__(self):
        self.taken = []

    def receive(self, incoming):
        data = incoming.stream.read()
        if data.count(incoming.sop_instance_uid.encode()) < 2:  # in File Meta and in the data set
            raise InvalidInstance("it names another")
        self.taken.append(incoming.sop_instance_uid)
        header = InstanceHeader("1.2", "1.3", "1.4", "1.5", "1.2.840.10008.1.2.1", "CT")
        return Receipt(StoreOutcome.STORED, "study", "2.25.1", "2.25.2", "2.25.3", header)

    def check_capacity(self, size=0):
        pass


class Node:
    """A DIMSE server whose faults are seen."""

    def __init__(self, monkeypatch, **options):
        self.faults = []
        give_up, of = EventDrivenDul._give_up, InternalError.of

        def noted(dul):
            self.faults.append(traceback.format_exc())
            give_up(dul)

        def explained(exc):
            self.faults.append("".join(traceback.format_exception(exc)))
            return of(exc)

        monkeypatch.setattr(EventDrivenDul, "_give_up", noted)
        monkeypatch.setattr(InternalError, "of", explained)
        self.receiver = Receiver()
        self.scp = StorageScp(
            host="127.0.0.1",
            port=0,
            ae_title="NODE",
            receiver=self.receiver,
            metrics=PrometheusMetrics(),
            timeouts=ServerTimeouts.all(LIMIT_S),
            max_instance_bytes=1 << 20,
            **options,
        )
        self.scp.start()

    def talk(self, first, *others, ends=True):
        """What the node answers to a peer that sends PDUs and, where `ends`, no more.

        It waits for the answer to the first where that is whole: what comes earlier is refused.
        """
        heard = bytearray()
        with socket.create_connection(("127.0.0.1", self.scp.port), timeout=LIMIT_S) as peer:
            try:
                peer.sendall(first)
                if len(first) > 6 and int.from_bytes(first[2:6], "big") == len(first) - 6:
                    heard += peer.recv(65536)
                peer.sendall(b"".join(others))
                if ends:
                    peer.shutdown(socket.SHUT_WR)
                while (part := peer.recv(65536)) and not (ends is False and _is_over(part)):
                    heard += part
                heard += part
            except TimeoutError:
                raise AssertionError("the node neither answered nor closed") from None
            except OSError:  # the node closed while there was more to read
                pass
        return bytes(heard)


def _is_over(heard):
    # An A-RELEASE-RP or an A-ABORT; then a node waits for its peer to close (PS3.8 §9.2.3, state 13).
    return len(heard) >= 10 and heard[-10] in (0x06, 0x07) and heard[-8:-4] == b"\x00\x00\x00\x04"


@pytest.fixture
def node(monkeypatch):
    running = Node(monkeypatch)
    yield running
    running.scp.stop()


def associations():
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("AcceptorThread") or isinstance(thread, EventDrivenDul)
    ]


def wait_until_over():
    deadline = time.monotonic() + LIMIT_S
    while associations():
        assert time.monotonic() < deadline, f"still there: {associations()}"
        time.sleep(0.01)


def test_good_streams_are_answered(node):
    for stream in good_streams():
        pdus = answers(node.talk(*stream, ends=False))
        assert pdus[0][0] == 0x02, pdus
    assert len(node.receiver.taken) == 5
    assert node.faults == []


def survives(node, streams, examples):
    """Damage streams and send them; nobody but their own association may notice."""
    pieces = [pdu for stream in streams for pdu in stream]
    for seed in seeds(examples):
        chance = chance_of(seed)
        stream = list(chance.choice(streams))
        if chance.random() < 0.3:
            chance.shuffle(stream)
        at = chance.randrange(len(stream))
        stream[at] = mutate(chance, stream[at], pieces)
        taken = len(node.receiver.taken)

        pdus = answers(node.talk(*stream))

        stored = stored_uids(pdus)
        assert set(stored) <= set(node.receiver.taken[taken:]), seed
        assert len(stored) <= len(node.receiver.taken) - taken, seed
        assert node.faults == [], f"seed {seed}: {[pdu[:600].hex() for pdu in stream]}"
    wait_until_over()
    assert node.faults == []
    last = answers(node.talk(associate_request(), echo(), release(), ends=False))
    assert [kind for kind, _ in last] == [2, 4, 6]


def test_damaged_streams_end_their_association_and_nothing_else(node):
    survives(node, good_streams(), EXAMPLES)


def test_damaged_questions_end_their_association_and_nothing_else(monkeypatch, holdings):
    holdings.publish(*study(1), *study(2))
    desk = CommitmentDesk(
        SqlCommitments(holdings.database, SystemClock(), b"k" * 32),
        SqlInstanceLookup(holdings.database),
        FakePseudonymizer(),
        SystemClock(),
        holdings.audit,
        holdings.metrics,
        policy=CommitmentPolicy.RECEIVED,
    )
    services = (*holdings.services(), CommitmentScp(desk))
    node = Node(monkeypatch, services=services, admission=Admission("NODE", other_services=SERVICES))
    try:
        survives(node, good_streams()[3:5], EXAMPLES // 2)
    finally:
        node.scp.stop()


def test_a_peer_that_sends_on_without_waiting_for_answers_is_cut_off(node):
    pdus = answers(node.talk(associate_request(), echo() * 5000))
    assert len(pdus) < 5000
    assert pdus[-1][0] == 0x07


def test_a_message_without_end_is_cut_off(node):
    query = good_streams()[3][1]
    command = query[: 6 + int.from_bytes(query[2:6], "big")]
    part = struct.pack(">BxLLBB", 4, 16000 + 6, 16000 + 2, 5, 0) + bytes(16000)
    pdus = answers(node.talk(associate_request(), command + part * 1200))
    assert [kind for kind, _ in pdus][:2] == [0x02, 0x07]
