"""What a person decides about deliveries."""

import pytest
from delivery_bench import SEG, SR, Pacs

from dicom_node.domain.breaker import BreakerState
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import Conflict, DeliveryFailed, NotFound
from dicom_node.domain.result import ResultKind

FAILED, SENT, DISCARDED = DeliveryStatus.FAILED, DeliveryStatus.SENT, DeliveryStatus.DISCARDED


def pacs(name="pacs", **options):
    return Pacs(Destination(name, **{"max_attempts": 1} | options))


@pytest.fixture
def dead(bench):
    """Dead letters of two studies at two destinations, which are there again; the study ids."""
    takers = pacs("one"), pacs("two")
    for taker in takers:
        taker.down = DeliveryFailed("not there")
    bench.configure(*takers)
    studies = [bench.study(number) for number in (1, 2)]
    for study_id in studies:
        bench.prepare(study_id)
    bench.run_all()
    assert bench.store.counts() == {"one": {FAILED: 2}, "two": {FAILED: 2}}
    for taker in takers:
        taker.down = None
    return studies


@pytest.mark.parametrize(
    ("study", "destination", "count"), [(None, None, 4), (0, None, 2), (None, "two", 2), (1, "one", 1)]
)
def test_all_or_some_are_retried(bench, dead, study, destination, count):
    study_id = None if study is None else dead[study]
    assert bench.desk.retry(study_id, destination, "somebody") == count
    bench.run_all()
    sent = sum(by_status.get(SENT, 0) for by_status in bench.desk.counts().values())
    assert sent == count
    (audited,) = [kwargs for _, args, kwargs in bench.audit.seen if args == ("deliveries.retried",)]
    assert (audited["person"], audited["count"]) == ("somebody", count)


def test_retry_does_not_wait_for_the_breaker(bench):
    taker = pacs(breaker_failures=1, breaker_open_s=600)
    taker.down = DeliveryFailed("not there")
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert bench.desk.breakers()["pacs"].state is BreakerState.OPEN
    bench.desk.retry(None, "pacs", "somebody")
    assert bench.store.breaker("pacs").probe_at == bench.clock.now()


def test_nothing_to_retry_or_discard_is_said(bench, dead):
    bench.desk.discard(dead[0], None, "somebody")
    with pytest.raises(NotFound):
        bench.desk.retry(dead[0], None, "somebody")
    with pytest.raises(NotFound):
        bench.desk.discard(None, "three", "somebody")


def test_discarded_delivery_is_never_sent(bench, dead):
    assert bench.desk.discard(None, "one", "somebody") == 2
    bench.clock.advance(9999)
    bench.run_all()
    assert bench.desk.counts() == {"one": {DISCARDED: 2}, "two": {FAILED: 2}}
    assert bench.services.senders[0].stored == []


def test_delivery_to_a_destination_that_is_gone_can_be_discarded_not_retried(bench, dead):
    bench.configure(pacs("two"))
    with pytest.raises(Conflict, match="one is no longer configured"):
        bench.desk.retry(None, "one", "somebody")
    assert bench.desk.discard(None, "one", "somebody") == 2


def test_older_version_is_not_retried_behind_a_newer(bench, dead):
    bench.inputs_there = True  # those of the newer version
    bench.results(dead[0], 2, {"2.25.7.1": (ResultKind.SR, "2.25.7.1")})
    bench.prepare(dead[0], version=2)
    bench.run_all()
    assert bench.delivery(dead[0], 2, "one").status is SENT
    with pytest.raises(Conflict, match="a newer version"):
        bench.desk.retry(dead[0], "one", "somebody")


def test_results_that_are_no_longer_kept_are_not_retried(bench, dead):
    bench.index.set_results(dead[0], 1, ())
    with pytest.raises(Conflict, match="no longer kept"):
        bench.desk.retry(dead[0], None, "somebody")
    assert bench.desk.retry(None, None, "somebody") == 2


def test_new_destination_gets_old_results_once(bench):
    bench.configure()
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert not bench.inputs_there
    taker = pacs("new", kinds=frozenset({ResultKind.SR, ResultKind.SEG}))
    bench.configure(taker)
    assert bench.desk.send(study_id, "new", "somebody").status is DeliveryStatus.PENDING
    bench.run_all()
    assert taker.stored == [SEG, SR]
    assert all(data.startswith(b"original") for data in taker.loaded)
    with pytest.raises(Conflict, match="already"):
        bench.desk.send(study_id, "new", "somebody")
    with pytest.raises(NotFound, match="no destination other"):
        bench.desk.send(study_id, "other", "somebody")
    with pytest.raises(NotFound):
        bench.desk.send("nobody", "new", "somebody")


def test_study_without_results_cannot_be_sent(bench):
    bench.configure(pacs(kinds=frozenset({ResultKind.PDF})))
    study_id = bench.study()
    with pytest.raises(Conflict, match="no results to deliver"):
        bench.desk.send(study_id, "pacs", "somebody")
    bench.prepare(study_id)
    bench.run_all()
    with pytest.raises(Conflict, match="of the kinds"):
        bench.desk.send(study_id, "pacs", "somebody")
