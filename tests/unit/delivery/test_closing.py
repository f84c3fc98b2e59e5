"""When a version is ended and its inputs are purged, as its deliveries let it."""

from delivery_bench import SC, Pacs
from index_samples import STUDY, instance

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed
from dicom_node.domain.study import StudyState
from dicom_node.pipeline.deliver_plan import PATIENCE


def down(**options):
    taker = Pacs(Destination("pacs", **{"backoff_s": 1, "breaker_failures": 99} | options))
    taker.down = DeliveryFailed("pacs does not answer")
    return taker


def test_study_that_goes_nowhere_is_ended_at_once(bench):
    bench.configure()
    study_id = bench.study()
    bench.prepare(study_id, reason="1 of 2 instances quarantined")
    bench.run_all()
    study = bench.index.study(study_id)
    assert (study.state, study.reason) == (StudyState.DONE, "1 of 2 instances quarantined")
    assert study.purged_at is not None


def test_study_is_not_ended_before_its_deliveries_for_a_while(bench):
    bench.configure(down())
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert bench.index.study(study_id).state is StudyState.PROCESSING
    bench.clock.advance(PATIENCE.total_seconds())
    bench.run_all()
    study = bench.index.study(study_id)
    assert (study.state, study.purged_at) == (StudyState.DONE, None)
    ended = [kwargs for name, args, kwargs in bench.audit.seen if args == ("study.ended",)]
    assert len(ended) == 1


def test_late_instances_need_not_wait_for_a_destination_that_is_down(bench):
    taker = down()
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    bench.index.register(instance(bench.index.open_slot(STUDY), 9))
    bench.clock.advance(11)
    bench.run_all()
    study = bench.index.study(study_id)
    assert (study.state, study.version) == (StudyState.RECEIVING, 2)
    assert bench.delivery(study_id).status is DeliveryStatus.PENDING


def test_purge_waits_for_the_delivery_and_comes_with_it(bench):
    taker = down()
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    bench.clock.advance(PATIENCE.total_seconds())
    bench.run_all()
    assert bench.inputs_there
    taker.down = None
    bench.clock.advance(300)
    bench.run_all()
    assert not bench.inputs_there
    assert bench.index.study(study_id).purged_at is not None


def test_dead_letter_keeps_inputs_only_where_that_is_wanted(bench):
    for number, purge in ((1, True), (2, False)):
        taker = down(max_attempts=1)
        bench.configure(taker, purge_undelivered=purge)
        study_id = bench.study(number)
        bench.prepare(study_id)
        bench.run_all()
        study = bench.index.study(study_id)
        assert (study.state, study.reason) == (StudyState.DONE, "not delivered to pacs")
        assert (study.purged_at is not None) is purge
    bench.desk.discard(study_id, None, "somebody")
    bench.run_all()
    assert bench.index.study(study_id).purged_at is not None


def test_dead_letter_that_got_through_later_is_no_longer_told(bench):
    taker = down(max_attempts=1)
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id, reason="because")
    bench.run_all()
    assert bench.index.study(study_id).reason == "because; not delivered to pacs"
    ended = bench.index.study(study_id).ended_at
    taker.down = None
    bench.clock.advance(60)
    bench.desk.retry(study_id, None, "somebody")
    bench.run_all()
    study = bench.index.study(study_id)
    assert (study.reason, study.ended_at) == ("because", ended)


def test_inputs_that_stay_a_while_are_purged_when_their_time_has_come(bench):
    bench.configure(Pacs(Destination("pacs")), inputs_s=3600)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.run_all()
    assert bench.index.study(study_id).state is StudyState.DONE
    bench.clock.advance(3599)
    bench.run_all()
    assert bench.inputs_there
    bench.clock.advance(1)
    bench.run_all()
    assert not bench.inputs_there
    assert SC in bench.services.senders[0].stored


def test_what_got_lost_on_the_way_to_the_engine_is_taken_back(bench):
    taker = Pacs(Destination("pacs"))
    bench.configure(taker)
    study_id = bench.study()
    bench.prepare(study_id)
    bench.dispatcher.look()
    bench.started.clear()  # the process was killed before the engine knew of it
    bench.configure(taker)
    bench.clock.advance(11)
    bench.run_all()
    assert taker.stored == []
    bench.clock.advance(31)
    bench.run_all()
    assert bench.delivery(study_id).status is DeliveryStatus.SENT
    assert bench.index.study(study_id).state is StudyState.DONE
