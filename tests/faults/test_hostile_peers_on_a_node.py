"""A running node with receiver processes among hostile peers: none dies, none grows, everybody is served."""

import contextlib

import psutil
import pytest
from hostile_attacks import ATTACKS
from hostile_peers import EXITS, HostilePeer, come_to, places, wait_for_the_end
from kept_instances import KeptInstances
from processes import eventually

pytestmark = pytest.mark.faults

TIMEOUT_S = 1.5


def receivers(node):
    found = psutil.Process(node.process.pid).children()
    return {p.pid: p for p in found if "dicom_node.app.receiver" in p.cmdline()}


def in_use(node):
    """(connections, threads) of the receivers."""
    connections = threads = 0
    for process in receivers(node).values():
        connections += sum(c.laddr.port == node.dimse_port for c in process.net_connections("tcp"))
        threads += process.num_threads()
    return connections, threads


def store(node, instance=None, encoded=None):
    """Store an instance as a good peer does; return its data set."""
    peer = HostilePeer(node.dimse_port, node.ae_title)
    if instance is not None:
        peer.instance, peer.encoded = instance, encoded
    peer.associate()
    peer.send(peer.command(), *peer.data())
    assert peer.status() == 0x0000
    peer.close()
    return peer.encoded


def test_no_attack_harms_a_node(start_node):
    node = start_node(
        completion={"quiet_s": 600},
        dimse={
            "receivers": 2,
            "timeout_s": TIMEOUT_S,
            "artim_s": TIMEOUT_S,
            "pdu_s": TIMEOUT_S,
            "max_associations": 100,
            # All peers here have one address.
            "max_waiting": 3000,
            "max_waiting_per_host": 3000,
        },
    )
    sent = [store(node) for _ in range(4)]
    before = receivers(node)
    eventually(lambda: in_use(node)[0] == 0, 30, "the end of the good associations")
    threads = in_use(node)[1]
    peers = []

    def attacker():
        peers.append(HostilePeer(node.dimse_port, node.ae_title))
        return peers[-1]

    stalled = []
    for place in places():
        stalled.append(attacker())
        come_to(stalled[-1], place)
    for attack in ATTACKS.values():
        attack(attacker())
    for way, leave in EXITS.items():
        for place in places(way):
            peer = attacker()
            come_to(peer, place)
            leave(peer)
    for peer in stalled:
        wait_for_the_end(peer, 6 * TIMEOUT_S)
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.close()
        sent.append(store(node, peer.instance, peer.encoded))

    assert receivers(node).keys() == before.keys()
    eventually(lambda: in_use(node) <= (0, threads + 2), 30, "the end of what served them")
    KeptInstances(node.data_dir).assert_once(sent)
    assert "Traceback" not in node.output
    assert "Canary" not in node.output
