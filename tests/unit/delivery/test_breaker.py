"""The circuit breaker: alone, and before a destination that fails."""

from datetime import UTC, datetime, timedelta

from delivery_bench import Pacs

from dicom_node.domain.breaker import MAX_OPEN_S, Breaker, BreakerState
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed

NOW = datetime(2026, 5, 4, tzinfo=UTC)
CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


def failing(breaker, times=1, limit=3):
    for _ in range(times):
        breaker = breaker.failed(NOW, "away", limit=limit, open_s=30)
    return breaker


def wait(breaker):
    return (breaker.probe_at - NOW).total_seconds()


def test_it_opens_after_failures_in_a_row_only():
    breaker = failing(Breaker("pacs"), 2)
    assert (breaker.state, breaker.failures) == (CLOSED, 2)
    assert failing(breaker.passed(), 2).state is CLOSED
    opened = failing(breaker)
    assert (opened.state, opened.failures, opened.opened_at, wait(opened)) == (OPEN, 3, NOW, 30)


def test_each_probe_that_fails_doubles_the_wait_up_to_a_limit():
    breaker = failing(Breaker("pacs"), 3)
    waits = []
    for _ in range(40):
        breaker = failing(breaker)
        waits.append(wait(breaker))
    assert waits[:3] == [60, 120, 240]
    assert waits[-1] == MAX_OPEN_S
    assert breaker.opened_at == NOW


def test_half_open_lets_one_delivery_out_whose_outcome_decides():
    half = failing(Breaker("pacs"), 3).probed()
    assert (half.state, half.allowance(8)) == (HALF_OPEN, 1)
    assert half.passed() == Breaker("pacs")
    again = failing(half)
    assert (again.state, wait(again)) == (OPEN, 60)
    assert again.allowance(8) == 0
    assert Breaker("pacs").allowance(8) == 8


def test_person_can_hurry_the_probe():
    later = NOW + timedelta(seconds=5)
    assert failing(Breaker("pacs"), 3).hurried(later).probe_at == later
    assert Breaker("pacs").hurried(later) == Breaker("pacs")
    assert Breaker("pacs").probed() == Breaker("pacs")


def test_attempts_are_not_burnt_while_it_is_open(bench):
    taker = Pacs(Destination("pacs", breaker_failures=2, breaker_open_s=60, backoff_s=1))
    taker.down = DeliveryFailed("pacs does not answer")
    bench.configure(taker)
    studies = [bench.study(number) for number in range(1, 6)]
    for study_id in studies:
        bench.prepare(study_id)
    bench.run_all()
    for _ in range(20):
        bench.clock.advance(2)
        bench.run_all()
    assert sum(bench.delivery(study_id).attempts for study_id in studies) == 2
    breaker = bench.store.breaker("pacs")
    assert (breaker.state, breaker.reason) == (OPEN, "pacs does not answer")


def settle_probe(bench, taker, probes):
    """Look, and wait until the probe is over."""
    bench.dispatcher.look()
    bench.dispatcher.stop()
    bench.configure(taker)
    assert taker.probes == probes


def test_probe_lets_one_out_and_its_success_all(bench):
    taker = Pacs(Destination("pacs", breaker_failures=2, breaker_open_s=60, backoff_s=1, concurrency=4))
    taker.down = DeliveryFailed("pacs does not answer")
    bench.configure(taker)
    studies = [bench.study(number) for number in range(1, 6)]
    for study_id in studies:
        bench.prepare(study_id)
    bench.run_all()
    bench.clock.advance(61)
    settle_probe(bench, taker, 1)
    assert bench.store.breaker("pacs").state is OPEN
    taker.down = None
    bench.clock.advance(400)
    settle_probe(bench, taker, 2)
    assert bench.store.breaker("pacs").state is HALF_OPEN
    assert len([each for each in bench.run() if each[0] != "close"]) == 1
    bench.run_all()
    assert {bench.delivery(study_id).status for study_id in studies} == {DeliveryStatus.SENT}
    assert bench.store.breakers() == []


def test_delivery_that_waited_for_its_turn_when_it_opened_goes_back_unburnt(bench):
    taker = Pacs(Destination("pacs", breaker_failures=1, concurrency=3))
    taker.down = DeliveryFailed("pacs does not answer")
    bench.configure(taker)
    studies = [bench.study(number) for number in range(1, 4)]
    for study_id in studies:
        bench.prepare(study_id)
    assert len([each for each in bench.run() if each[0] != "close"]) == 3
    assert sorted(bench.delivery(study_id).attempts for study_id in studies) == [0, 0, 1]
    assert bench.store.dispatched(bench.clock.now()) == []
