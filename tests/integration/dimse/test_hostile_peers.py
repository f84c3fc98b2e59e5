"""Peers that misbehave, drop, reset, abort and stall: their association ends, and nothing else does.

After each, the node serves the next peer, who sends the same instance again: it is there once. No thread,
no descriptor and no temporary file is left.
"""

import contextlib
import threading
from pathlib import Path

import pytest
from hostile_attacks import ATTACKS
from hostile_peers import EXITS, HostilePeer, come_to, conversation, places, wait_for_the_end
from processes import eventually

from dicom_node.dimse.upper_layer import EventDrivenDul

pytestmark = pytest.mark.integration

TIMEOUT_S = 1.5


def sockets():
    """How many this process has open; the index keeps files open as it needs them."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            found += str(link.readlink()).startswith("socket:")
    return found


def serving():
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("AcceptorThread") or isinstance(thread, EventDrivenDul)
    ]


@pytest.fixture(scope="module")
def crowd(module_start_node):
    """A node that all attacks meet; what they sent must be there once in the end."""
    node = module_start_node(timeout_s=TIMEOUT_S, max_associations=60)
    store(HostilePeer(node.port, node.ae_title))
    return node


@pytest.fixture
def attacked(crowd):
    """A function that makes a hostile peer; afterwards the node must be as it was."""
    assert eventually(lambda: not serving(), 10)
    before = len(crowd.stored), sockets()
    peers = []

    def connect(rows=64):
        peers.append(HostilePeer(crowd.port, crowd.ae_title, rows))
        return peers[-1]

    yield connect

    for peer in peers:
        peer.close()
    # Before that the node may refuse more connections of one host.
    eventually(lambda: not serving(), 10, "the end of all threads that served")
    for peer in peers:
        again = HostilePeer(crowd.port, crowd.ae_title)
        again.instance, again.encoded = peer.instance, peer.encoded
        store(again)
        assert sum(data.endswith(peer.encoded) for data in crowd.stored) == 1
    eventually(lambda: not serving(), 10, "the end of all threads that served")
    assert len(crowd.stored) == before[0] + len(peers)
    assert len(crowd.files) == len(crowd.stored)
    eventually(lambda: sockets() <= before[1], 10, "the end of all connections")


def store(peer):
    peer.associate()
    peer.send(peer.command(), *peer.data())
    assert peer.status() == 0x0000
    peer.close()


# The thousand connections take long, and meet a whole node in tests/faults.
@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - {"a thousand connections"}))
def test_attack_ends_its_association_and_nothing_else(attacked, name):
    ATTACKS[name](attacked())


@pytest.mark.parametrize("way", EXITS)
def test_peer_that_goes_away_anywhere_harms_nobody(attacked, way):
    for place in places(way):
        peer = attacked()
        come_to(peer, place)
        EXITS[way](peer)


def test_peer_that_falls_silent_anywhere_is_given_up(attacked):
    peers = []
    for place in places():
        peers.append(attacked())
        come_to(peers[-1], place)
    for peer in peers:
        wait_for_the_end(peer, 6 * TIMEOUT_S)


@pytest.mark.parametrize("associated", [False, True], ids=["before the association", "within a message"])
def test_peer_that_sends_a_byte_now_and_then_is_given_up(attacked, associated):
    peer = attacked()
    if associated:
        peer.associate()
    data = peer.command() if associated else conversation(peer)[0]
    given_up = threading.Event()

    def trickle():
        with contextlib.suppress(OSError):
            for number in range(200):
                peer.socket.sendall(data[number : number + 1])
                if given_up.wait(TIMEOUT_S / 5):
                    return

    sender = threading.Thread(target=trickle)
    sender.start()
    wait_for_the_end(peer, 8 * TIMEOUT_S)
    given_up.set()
    sender.join()


def test_instance_on_one_association_does_not_wait_for_those_that_stall(attacked):
    stalled = [attacked() for _ in range(5)]
    for peer in stalled:
        come_to(peer, "in the data set")
    store(attacked())
