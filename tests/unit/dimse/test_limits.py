"""What callers may take, counted in one place."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.app.limits_desk import AskedLimits, LimitsDesk
from dicom_node.dimse.limits import CountedLimits, PeerLimits, TotalLimits
from dicom_node.dimse.refusals import Refusals


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def limits(clock=None, *, total=TotalLimits(), **peers):  # noqa: B008 - frozen
    return CountedLimits(total, peers, clock or Time())


def callers(host="192.0.2.1"):
    port = 1024
    while True:
        port += 1
        yield host, port


def opened(counted, caller, peer="ct"):
    assert counted.connect(caller)
    return counted.admit(caller, peer)


def test_all_together_have_so_many_associations():
    counted, some = limits(total=TotalLimits(associations=2)), callers()
    first, second, third = (next(some) for _ in range(3))

    assert [opened(counted, caller) for caller in (first, second, third)] == [None, None, "total"]
    counted.release(third)
    counted.release(first)
    assert opened(counted, next(some)) is None
    assert counted.associations == 2


def test_a_peer_has_so_many_and_others_still_get_in():
    counted, some = limits(ct=PeerLimits(associations=1)), callers()

    assert opened(counted, next(some)) is None
    assert opened(counted, next(some)) == "peer"
    assert opened(counted, next(some), "mr") is None


def test_a_peer_opens_so_many_a_minute():
    clock, some = Time(), callers()
    counted = limits(clock, ct=PeerLimits(associations_per_minute=2))

    assert [opened(counted, next(some)) for _ in range(3)] == [None, None, "rate"]
    clock.now = 29
    assert opened(counted, next(some)) == "rate"
    clock.now = 30
    assert opened(counted, next(some)) is None


def test_instances_beyond_the_rate_wait():
    clock = Time()
    counted = limits(clock, ct=PeerLimits(instances_per_second=2))

    assert [counted.pause("ct") for _ in range(4)] == [0, 0, 0.5, 1.0]
    clock.now = 10
    assert counted.pause("ct") == 0
    assert counted.pause("mr") == 0
    assert (counted.is_paced("ct"), counted.is_paced("mr")) == (True, False)


def test_connections_that_ask_for_nothing_are_bounded_in_all_and_by_host():
    counted = limits(total=TotalLimits(waiting=3, waiting_per_host=2))
    scanner, other = callers("198.51.100.1"), callers("192.0.2.1")

    assert [counted.connect(next(scanner)) for _ in range(3)] == [True, True, False]
    caller = next(other)
    assert counted.connect(caller)
    assert not counted.connect(next(other))
    assert counted.admit(caller, "ct") is None  # it waits no longer
    assert counted.connect(next(other))


def test_a_rejected_connection_is_forgotten_when_it_ends():
    counted, some = limits(total=TotalLimits(associations=1, waiting=2)), callers()
    first, second = next(some), next(some)
    opened(counted, first)

    assert opened(counted, second) == "total"
    assert counted.open() == {"association": 1, "waiting": 1}
    counted.release(second)
    counted.release(second)
    assert (counted.waiting, counted.associations) == (0, 1)


@given(
    st.lists(
        st.tuples(st.sampled_from("cart"), st.integers(0, 3), st.integers(0, 3), st.sampled_from("pq")),
        max_size=60,
    )
)
def test_counts_come_back_to_nothing_whatever_happens(steps):
    counted = limits(
        total=TotalLimits(associations=3, waiting=4, waiting_per_host=2), p=PeerLimits(associations=2)
    )
    seen = set()
    for step, host, port, peer in steps:
        caller = (f"192.0.2.{host}", port)
        if step == "c" and caller not in seen and counted.connect(caller):
            seen.add(caller)
        elif step == "a" and caller in seen and caller not in counted._admitted:
            counted.admit(caller, peer)
        elif step in "rt":
            counted.release(caller)
            seen.discard(caller)
        by_host = Counter(host for host, _ in counted._waiting)
        assert counted.associations <= 3
        assert counted._waiting_by_host == by_host
        assert counted._admitted_by_peer == Counter(counted._admitted.values())
    for caller in seen:
        counted.release(caller)
    assert (counted.waiting, counted.associations) == (0, 0)
    assert not counted._waiting_by_host
    assert not counted._admitted_by_peer


def test_receivers_ask_the_process_that_accepts():
    counted = limits(ct=PeerLimits(associations=1, instances_per_second=1))
    desk = LimitsDesk(counted)
    asked = AskedLimits(lambda what, **facts: desk.answer(0, what, facts), counted)
    caller, second = ("192.0.2.1", 1), ("192.0.2.1", 2)
    counted.connect(caller)
    counted.connect(second)

    assert asked.connect(caller)
    assert [asked.admit(caller, "ct"), asked.admit(second, "ct")] == [None, "peer"]
    assert [asked.pause("ct"), asked.pause("ct")] == [0, 1]
    assert asked.is_paced("ct")
    asked.release(caller)
    assert counted.associations == 1  # the pool releases
    with pytest.raises(KeyError):
        desk.answer(0, "something else", {})


class Sink:
    """Metrics and audit that only collect."""

    def __init__(self):
        self.counts, self.entries = Counter(), []

    def count(self, name, amount=1, **labels):
        self.counts[labels["outcome"]] += amount

    def record(self, event, **fields):
        self.entries.append(fields)


def test_a_flood_of_refusals_is_counted_whole_and_told_once_a_minute():
    clock, sink = Time(), Sink()
    refusals = Refusals(sink, sink, clock)

    for _ in range(100):
        refusals.association("rejected-host", "198.51.100.1", "CT", security=True)
    refusals.association("rejected-host", "198.51.100.2", "CT", security=True)
    refusals.association("rejected-limit", "198.51.100.1", "CT", security=False)
    clock.now = 61
    refusals.association("rejected-host", "198.51.100.1", "CT", security=True)

    assert sink.counts == {"rejected-host": 102, "rejected-limit": 1}
    assert [(entry["host"], entry["count"]) for entry in sink.entries] == [
        ("198.51.100.1", 1),
        ("198.51.100.2", 1),
        ("198.51.100.1", 100),
    ]


def test_many_hosts_do_not_fill_the_memory():
    sink = Sink()
    refusals = Refusals(sink, None, Time())

    for number in range(5000):
        refusals.connection(f"host-{number}")

    assert len(refusals._seen) <= 1000
    assert sink.counts["rejected-waiting"] == 5000
