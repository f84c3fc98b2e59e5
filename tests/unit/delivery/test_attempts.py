"""Attempts at destinations that take, refuse, break off and are not there."""

from dataclasses import replace

import pytest
from delivery_bench import SC, SEG, SR, Pacs

from dicom_node.domain.breaker import BreakerState
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import DeliveryFilter, Destination
from dicom_node.domain.errors import DeliveryFailed, DeliveryRefused
from dicom_node.domain.result import ResultKind
from dicom_node.domain.study import StudyState
from dicom_node.pipeline.deliver import attempt_delivery

PENDING, SENT, FAILED = DeliveryStatus.PENDING, DeliveryStatus.SENT, DeliveryStatus.FAILED


def pacs(name="pacs", **options):
    return Pacs(Destination(name, **{"backoff_s": 2.0} | options))


def test_results_go_out_with_what_they_refer_to_first(bench):
    taker = pacs()
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert taker.stored == [SEG, SR, SC]
    assert all(data.startswith(b"original ") for data in taker.loaded)
    delivery = bench.delivery(study_id)
    assert (delivery.status, delivery.attempts, delivery.sent, delivery.objects) == (SENT, 1, 3, 3)
    assert delivery.settled_at is not None


def test_pseudonymous_destination_gets_results_as_they_are(bench):
    taker = pacs(original_identity=False, kinds=frozenset({ResultKind.SEG}), transfer_syntax="1.2.3")
    bench.configure(taker)
    bench.prepare(bench.study())
    bench.run_all()
    assert taker.loaded == [b"2.25.9.2 2.25.1 as 1.2.3"]
    assert bench.restored == []


def test_own_uids_are_kept_for_a_retry_after_the_purge(bench):
    taker = pacs(max_attempts=1)
    taker.down = DeliveryFailed("pacs is not there")
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert bench.delivery(study_id).status is FAILED
    assert not bench.inputs_there
    taker.down = None
    assert bench.desk.retry(None, None, "somebody") == 1
    bench.run_all()
    assert bench.delivery(study_id).status is SENT
    assert set(bench.restored) == {frozenset({SR, SEG, SC})}


@pytest.mark.parametrize(
    ("options", "goes"),
    [
        ({}, True),
        ({"modality": frozenset({"CT", "MR"})}, True),
        ({"modality": frozenset({"CT"})}, False),
        ({"body_part": frozenset({"BRAIN"}), "model": frozenset({"model"})}, True),
        ({"body_part": frozenset({"KNEE"})}, False),
        ({"model": frozenset({"another"})}, False),
        ({"source": frozenset({"PEER"})}, True),
        ({"source": frozenset({"stow"})}, False),
        ({"states": frozenset({StudyState.REJECTED})}, False),
    ],
)
def test_filters_decide_which_studies_go(bench, options, goes):
    taker = pacs(when=DeliveryFilter(**options))
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert bool(taker.stored) is goes
    assert bench.index.study(study_id).state is StudyState.DONE


def test_rejected_study_with_a_report_goes_where_that_is_wanted(bench):
    wanting = pacs("wanting", when=DeliveryFilter(states=frozenset({StudyState.REJECTED})))
    other = pacs("other")
    bench.configure(wanting, other)
    study_id = bench.study(results={SR: (ResultKind.SR, SR)})
    bench.prepare(study_id, state=StudyState.REJECTED, reason="no route")
    bench.run_all()
    assert (wanting.stored, other.stored) == ([SR], [])
    study = bench.index.study(study_id)
    assert (study.state, study.reason) == (StudyState.REJECTED, "no route")
    assert study.purged_at is not None


def test_only_what_was_not_taken_is_sent_again(bench):
    taker = pacs()
    taker.answers[SR] = ("status A700 (out of resources)", True)
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    waiting = bench.delivery(study_id)
    assert (waiting.status, waiting.sent) == (PENDING, 2)
    assert waiting.reason == "1 of 3 objects not taken: status A700 (out of resources)"
    assert bench.store.breaker("pacs").state is BreakerState.CLOSED
    taker.answers.clear()
    bench.clock.advance(300)
    bench.run_all()
    assert taker.stored == [SEG, SC, SR]
    assert [item.attempts for item in bench.store.objects(waiting.key)] == [1, 2, 1]


def test_lasting_refusal_is_a_dead_letter_once_the_rest_is_there(bench):
    taker = pacs()
    taker.answers[SEG] = ("status 0122 (SOP Class not supported)", False)
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    dead = bench.delivery(study_id)
    assert (dead.status, dead.attempts, dead.sent) == (FAILED, 1, 2)
    assert dead.reason == "1 of 3 objects refused: status 0122 (SOP Class not supported)"
    assert bench.index.study(study_id).reason == "not delivered to pacs"
    assert bench.store.breaker("pacs").state is BreakerState.CLOSED


def test_destination_that_refuses_everything_for_good_is_not_tried_again(bench):
    taker = pacs()
    taker.down = DeliveryRefused("destination pacs: answered 403")
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    dead = bench.delivery(study_id)
    assert (dead.status, dead.attempts, dead.reason) == (FAILED, 1, "destination pacs: answered 403")
    assert {item.status for item in bench.store.objects(dead.key)} == {FAILED}
    assert bench.store.breaker("pacs").failures == 1


def test_delivery_that_never_gets_on_is_given_up_after_its_attempts(bench):
    taker = pacs(max_attempts=3, breaker_failures=99)
    taker.down = DeliveryFailed("pacs does not answer")
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    for _ in range(5):
        bench.run_all()
        bench.clock.advance(300)
    dead = bench.delivery(study_id)
    assert (dead.status, dead.attempts) == (FAILED, 3)
    assert dead.reason == "pacs does not answer (given up after 3 attempts)"


def test_delivery_that_gets_on_is_not_given_up(bench):
    results = {f"2.25.8.{n}": (ResultKind.SC, f"2.25.8.{n}") for n in range(6)}
    taker = pacs(max_attempts=2, breaker_failures=99)
    taker.breaks_after = 1
    bench.configure(taker)
    study_id = bench.study(results=results)
    bench.prepare(study_id)
    for _ in range(8):
        bench.run_all()
        bench.clock.advance(300)
    delivery = bench.delivery(study_id)
    assert (delivery.status, delivery.attempts) == (SENT, 6)
    assert taker.stored == list(results)


def test_delivery_is_given_up_for_its_age_though_no_attempt_was_made(bench):
    taker = pacs(max_age_s=100, breaker_failures=1, breaker_open_s=1000)
    taker.down = DeliveryFailed("pacs does not answer")
    bench.configure(taker)
    first, second = bench.study(1), bench.study(2)
    bench.prepare(first)
    bench.run_all()
    bench.prepare(second)
    bench.run_all()
    assert bench.delivery(second).attempts == 0
    bench.clock.advance(200)
    bench.run_all()
    assert [bench.delivery(study).status for study in (first, second)] == [FAILED, FAILED]
    assert bench.delivery(second).attempts == 0
    assert bench.delivery(second).reason.endswith("(given up for its age)")


def test_wait_that_the_destination_asks_for_is_kept(bench):
    taker = pacs()
    taker.down = DeliveryFailed("busy", 120)
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert (bench.delivery(study_id).next_at - bench.clock.now()).total_seconds() == 120


def test_destination_that_is_down_holds_nobody_else_up(bench):
    down, up = pacs("down"), pacs("up")
    down.down = DeliveryFailed("down does not answer")
    bench.configure(down, up)
    for number in range(1, 4):
        bench.prepare(bench.study(number))
    bench.run_all()
    assert len(up.stored) == 9


def test_results_that_are_gone_make_a_dead_letter(bench):
    taker = pacs()
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.blobs.clear()
    bench.run_all()
    assert bench.delivery(study_id).status is FAILED


def test_destination_that_is_no_longer_configured_is_a_clear_dead_letter(bench):
    bench.configure(pacs("old"))
    study_id = bench.study()
    bench.prepare(study_id)
    bench.configure(pacs("new"))
    bench.run_all()
    dead = bench.delivery(study_id, destination="old")
    assert dead.status is FAILED
    assert dead.reason.startswith("destination old is no longer configured")
    assert bench.index.study(study_id).state is StudyState.DONE


def test_newer_version_never_overtakes_the_older(bench):
    taker = pacs()
    taker.down = DeliveryFailed("away")
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    bench.results(study_id, 2, {"2.25.7.1": (ResultKind.SR, "2.25.7.1")})
    bench.prepare(study_id, version=2)
    taker.down = None
    bench.clock.advance(1)
    bench.run()
    assert "2.25.7.1" not in taker.stored
    bench.clock.advance(300)
    bench.run_all()
    assert taker.stored == [SEG, SR, SC, "2.25.7.1"]


def test_outcome_that_was_kept_before_a_crash_is_told_again_and_nothing_is_sent_twice(bench):
    taker = pacs()
    bench.configure(taker)
    bench.prepare(bench.study())
    arguments = next(each for each in bench.run() if each[0] != "close")
    attempt_delivery(bench.services, *arguments)
    assert taker.stored == [SEG, SR, SC]
    told = [args[0] for name, args, _ in bench.announcer.seen if name == "announce"]
    assert {(event.kind.value, event.destination) for event in told} == {("results-available", "pacs")}
    assert (len(told), len(set(told))) == (2, 1)


def test_attempt_that_a_kill_ended_after_its_last_object_is_not_made_again(bench):
    taker = pacs()
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.dispatcher.look()
    delivery = bench.delivery(study_id)
    sent = [
        replace(item, status=SENT, sent_at=bench.clock.now()) for item in bench.store.objects(delivery.key)
    ]
    bench.store.record_objects(delivery.key, sent)
    attempt_delivery(bench.services, study_id, 1, "pacs", delivery.number)
    after = bench.delivery(study_id)
    assert (after.status, after.settled_at) == (SENT, bench.clock.now())
    assert taker.stored == []


def test_attempts_that_fail_at_the_same_time_all_count(bench):
    first = pacs(concurrency=2)
    bench.configure(first)
    for number in (1, 2):
        bench.prepare(bench.study(number))
    bench.dispatcher.look()
    one, two = (arguments for arguments in bench.started if arguments[0] != "close")

    def fail_after_the_other(objects, told):
        first.send = lambda objects, told: _fail()
        attempt_delivery(bench.services, *two)
        _fail()

    def _fail():
        raise DeliveryFailed("away")

    first.send = fail_after_the_other
    attempt_delivery(bench.services, *one)
    assert bench.store.breaker("pacs").failures == 2
