"""What a destination took is seen confirmed, or sent again."""

import pytest
from delivery_bench import SC, SEG, SR, Keeper, Pacs

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import Confirm, Destination
from dicom_node.domain.errors import DeliveryFailed
from dicom_node.pipeline.deliver import postpone

PENDING, SENT, CONFIRMED = DeliveryStatus.PENDING, DeliveryStatus.SENT, DeliveryStatus.CONFIRMED


@pytest.fixture
def world(bench):
    """A bench, a destination that is asked to confirm within 100 s, and who confirms."""
    taker = Pacs(
        Destination("pacs", confirm=Confirm.COMMITMENT, confirm_timeout_s=100, max_attempts=3, backoff_s=1)
    )
    keeper = Keeper()
    bench.configure(taker, confirmers={"pacs": keeper})
    return bench, taker, keeper


def test_delivery_is_confirmed_once_all_is_kept(world):
    bench, taker, keeper = world
    keeper.held = {SR, SEG}
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    waiting = bench.delivery(study_id)
    assert (waiting.status, waiting.confirmed, waiting.settled_at) == (SENT, 2, None)
    assert bench.inputs_there
    keeper.held.add(SC)
    bench.clock.advance(2)
    bench.run_all()
    done = bench.delivery(study_id)
    assert (done.status, done.confirmed, done.attempts) == (CONFIRMED, 3, 1)
    assert not bench.inputs_there
    assert keeper.begun == [[SEG, SR, SC]]
    assert set(keeper.tokens) == {"token-1"}
    assert taker.stored == [SEG, SR, SC]


def test_object_that_is_not_kept_is_sent_again_alone(world):
    bench, taker, keeper = world
    keeper.held, keeper.missing = {SR, SEG}, {SC: "no such object instance"}
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    again = bench.delivery(study_id)
    assert (again.status, again.reason) == (
        PENDING,
        "1 of 3 objects not confirmed: no such object instance",
    )
    keeper.held, keeper.missing = {SC}, {}
    bench.clock.advance(300)
    bench.run_all()
    assert bench.delivery(study_id).status is CONFIRMED
    assert taker.stored == [SEG, SR, SC, SC]
    assert keeper.begun == [[SEG, SR, SC], [SC]]


def test_what_no_word_comes_of_is_sent_again_after_the_timeout(world):
    bench, taker, keeper = world
    study_id = bench.study()
    bench.prepare(study_id)
    for _ in range(10):
        bench.run_all()
        bench.clock.advance(9)
    assert (bench.delivery(study_id).status, len(taker.stored)) == (SENT, 3)
    looks = len(keeper.tokens)
    bench.clock.advance(100)
    bench.run_all()
    assert looks < 10
    assert bench.delivery(study_id).status is PENDING
    bench.clock.advance(300)
    bench.run_all()
    assert len(taker.stored) == 6


def test_destination_that_never_confirms_ends_as_a_dead_letter(world):
    bench, taker, _keeper = world
    study_id = bench.study()
    bench.prepare(study_id)
    for _ in range(30):
        bench.run_all()
        bench.clock.advance(120)
    dead = bench.delivery(study_id)
    assert (dead.status, dead.attempts) == (DeliveryStatus.FAILED, 3)
    assert dead.reason.startswith("3 of 3 objects not confirmed: no word of it (given up after 3 attempts)")
    assert len(taker.stored) == 9


def test_one_that_cannot_be_asked_now_is_asked_later(world):
    bench, taker, keeper = world
    keeper.down = DeliveryFailed("pacs does not answer")
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    waiting = bench.delivery(study_id)
    assert (waiting.status, waiting.reason) == (SENT, "pacs does not answer")
    keeper.down, keeper.held = None, {SR, SEG, SC}
    bench.clock.advance(60)
    bench.run_all()
    assert bench.delivery(study_id).status is CONFIRMED
    assert len(taker.stored) == 3


def test_setting_that_went_away_meanwhile_ends_the_wait(world):
    bench, taker, _keeper = world
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    taker.destination = Destination("pacs")
    bench.configure(taker)
    bench.clock.advance(60)
    bench.run_all()
    delivery = bench.delivery(study_id)
    assert (delivery.status, delivery.settled_at) == (SENT, bench.clock.now())


def test_look_that_the_nodes_own_stores_prevented_is_made_later(world):
    bench, taker, keeper = world
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    bench.clock.advance(5)
    bench.dispatcher.look()
    number = bench.delivery(study_id).number
    postpone(bench.services, study_id, 1, "pacs", number, "storage-failure: the index did not answer")
    waiting = bench.delivery(study_id)
    assert (waiting.status, waiting.reason) == (SENT, "storage-failure: the index did not answer")
    keeper.held = {SR, SEG, SC}
    bench.clock.advance(60)
    bench.run_all()
    assert bench.delivery(study_id).status is CONFIRMED
    assert len(taker.stored) == 3
