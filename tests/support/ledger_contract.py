"""What every `ports.Ledger` over a database must do. Subclasses' modules give the fixture `engine`."""

from dataclasses import replace

import pytest
from index_samples import STUDY, instance
from quarantine_contract import kept_back
from sqlalchemy import insert, update

from dicom_node.domain.deidentification import DeidentificationReport
from dicom_node.domain.delivery import DeliveryObject, DeliveryStatus
from dicom_node.domain.destination import Closing
from dicom_node.domain.errors import NotFound
from dicom_node.domain.instance import StoreOutcome
from dicom_node.domain.ledger import GateVerdict, InstanceCounts, InstanceOutcome, InstanceRun, ResultCounts
from dicom_node.domain.quarantine import Decision
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import Run, RunStatus
from dicom_node.domain.study import StudyState
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.quarantine import SqlQuarantine
from dicom_node.index.study_ledger import SqlLedger
from dicom_node.index.tables.outcomes import results as results_table
from dicom_node.index.tables.studies import instances, studies

PASSED, KEPT = InstanceOutcome.DEIDENTIFIED, InstanceOutcome.QUARANTINED
RESULTS = tuple(
    ResultEntry(kind, "1.2.3", "2.25.9", f"2.25.9.{n}", 1, f"results:x/1/{n}.dcm", "brain", "1.0")
    for n, kind in enumerate((ResultKind.SR, ResultKind.SEG, ResultKind.SC), start=1)
)


def report(passed):
    return DeidentificationReport("basic", (), passed, {}, {}, (), {}, {})


def verdicts(kept_back=()):
    return [
        GateVerdict(r.sop_instance_uid, "no reference" if n in kept_back else None, 100 + n, f"{n}" * 64)
        for n, r in enumerate(RESULTS, start=1)
    ]


class LedgerContract:
    @pytest.fixture
    def ledger(self, engine, clock):
        return SqlLedger(engine, clock)

    @pytest.fixture
    def processed(self, engine, clock, index, slot, ledger):
        """A study of three instances, one kept back, with three results, one kept back, as the stages go."""
        sources = [instance(slot, n) for n in (1, 2, 3)]
        for source in sources:
            index.register(source)
        index.begin_processing(slot.study_id)
        SqlQuarantine(engine, clock).hold(kept_back(sources[2]))
        index.set_deidentification(slot.study_id, 1, report(2))
        index.set_runs(slot.study_id, 1, [Run("brain", "1.0", f"{STUDY}.1", RunStatus.DONE)])
        ledger.made(slot.study_id, 1, RESULTS)
        ledger.checked(slot.study_id, 1, verdicts(kept_back={3}))
        index.set_results(slot.study_id, 1, RESULTS[:2])
        index.finish(slot.study_id, 1, StudyState.DONE, None)
        return slot.study_id

    def test_counts_add_up_and_say_so(self, ledger, processed):
        found = ledger.summary(processed)
        assert found.instances == InstanceCounts(received=3, deidentified=2, quarantined=1)
        assert found.results == ResultCounts(made=3, passed=2, kept_back=1)
        assert found.discrepancies == ()
        (version,) = found.versions
        assert (version.instances, version.state, version.completed_by) == (3, StudyState.DONE, "call")
        times = [version.completed_at, version.deidentified_at, version.processed_at, version.ended_at]
        assert times == sorted(times)

    def test_each_instance_tells_its_way(self, ledger, processed):
        found, following = ledger.instances(processed)
        assert following is None
        assert [(e.outcome, e.rule) for e in found] == [
            (PASSED, None),
            (PASSED, None),
            (KEPT, "burned-in-annotation"),
        ]
        assert found[0].runs == (InstanceRun("brain", "1.0", RunStatus.DONE),)
        assert found[2].runs == ()
        assert found[0].source == "dimse:SENDER"
        assert found[0].received_at < found[0].outcome_at

    def test_pages_leave_nothing_out_and_show_nothing_twice(self, ledger, processed):
        for read, name in ((ledger.instances, "sop_instance_uid"), (ledger.results, "sop_instance_uid")):
            seen, cursor = [], None
            while True:
                page, cursor = read(processed, limit=2, cursor=cursor)
                seen += [getattr(entry, name) for entry in page]
                if cursor is None:
                    break
            assert len(seen) == len(set(seen)) == 3

    @pytest.mark.parametrize("cursor", ["", "x", "-1", "1.x", "1" * 30, "٣"])
    def test_cursor_that_was_not_given_is_not_found(self, ledger, processed, cursor):
        for read in (ledger.instances, ledger.results):
            with pytest.raises(NotFound):
                read(processed, cursor=cursor)

    def test_each_result_tells_its_way(self, engine, ledger, processed, clock):
        store = SqlDeliveries(engine)
        closing = Closing(processed, 1, StudyState.DONE, None, frozenset(), clock.now())
        objects = (DeliveryObject(0, "2.25.9.1"), DeliveryObject(1, "2.25.9.2"))
        store.open(closing, {"pacs": objects, "vna": objects[:1]})
        found, _ = ledger.results(processed)
        assert [(r.model, r.passed, r.problem) for r in found] == [
            ("brain", True, None),
            ("brain", True, None),
            ("brain", False, "no reference"),
        ]
        assert found[0].made_at < found[0].checked_at
        assert (found[0].size, found[0].sha256) == (101, "1" * 64)
        assert [d.destination for d in found[0].deliveries] == ["pacs", "vna"]
        assert found[0].deliveries[0].status is DeliveryStatus.PENDING
        pacs, vna = ledger.summary(processed).deliveries
        assert (pacs.objects, pacs.waiting, pacs.left_out) == (2, 2, 0)
        assert (vna.objects, vna.waiting, vna.left_out) == (1, 1, 1)

    def test_purged_instances_stay_in_the_ledger(self, index, ledger, processed):
        index.purged(processed, index.begin_purge(processed, 1))
        found = ledger.summary(processed)
        assert found.instances == InstanceCounts(received=3, deidentified=2, quarantined=1, purged=3)
        assert found.discrepancies == ()
        assert all(entry.purged_at for entry in ledger.instances(processed)[0])

    def test_instance_that_comes_again_after_the_purge_is_counted_once(self, index, ledger, processed, slot):
        index.purged(processed, index.begin_purge(processed, 1))
        again = instance(index.open_slot(STUDY), 1)
        assert index.register(again) is StoreOutcome.STORED
        found = ledger.summary(processed)
        assert found.instances == InstanceCounts(3, deidentified=1, quarantined=1, waiting=1, purged=2)
        assert [v.instances for v in found.versions] == [3, 1]
        assert found.discrepancies == ()
        assert len(ledger.instances(processed)[0]) == 4

    def test_released_instance_is_counted_once(self, engine, clock, index, ledger, processed, slot):
        held = replace(instance(slot, 3), spool_ref=f"spool:{slot.study_id}/0/again.dcm")
        SqlQuarantine(engine, clock).release("q1", held, Decision("local", "nothing-identifies"))
        found = ledger.summary(processed)
        assert found.instances == InstanceCounts(received=3, deidentified=2, waiting=1)
        index.begin_processing(processed)
        index.set_deidentification(processed, 2, report(3))
        found = ledger.summary(processed)
        assert found.instances == InstanceCounts(received=3, deidentified=3)
        assert found.discrepancies == ()

    def test_expired_results_stay_in_the_ledger(self, index, ledger, processed):
        ledger.expired(processed)
        found = ledger.summary(processed)
        assert found.results == ResultCounts(made=3, passed=2, kept_back=1, expired=3)
        assert found.discrepancies == ()
        assert index.results(processed, 1) == []
        assert all(entry.expired_at for entry in ledger.results(processed)[0])

    def test_stage_that_is_repeated_changes_no_count(self, index, ledger, processed):
        before = ledger.summary(processed)
        ledger.made(processed, 1, RESULTS)
        assert ledger.summary(processed).results == ResultCounts(made=3, unchecked=3)
        ledger.checked(processed, 1, verdicts(kept_back={3}))
        index.set_deidentification(processed, 1, report(2))
        assert ledger.summary(processed).results == before.results
        assert ledger.summary(processed).instances == before.instances

    def test_sums_that_do_not_add_up_are_named(self, engine, ledger, processed, clock):
        store = SqlDeliveries(engine)
        closing = Closing(processed, 1, StudyState.DONE, None, frozenset(), clock.now())
        store.open(closing, {"pacs": tuple(DeliveryObject(n, f"2.25.9.{n}") for n in range(3))})
        with engine.begin() as connection:
            connection.execute(update(studies).values(received_instances=7))
            connection.execute(
                update(instances).where(instances.c.sop_instance_uid == f"{STUDY}.1.1").values(outcome=None)
            )
            row = {"study_id": processed, "version": 1, "position": 9, "kind": "SR", "ref": "x"}
            uids = {"sop_class_uid": "1", "series_instance_uid": "2", "sop_instance_uid": "3"}
            connection.execute(insert(results_table).values(row | uids))
        found = "\n".join(ledger.summary(processed).discrepancies)
        assert "7 instances were counted in, 3 are listed" in found
        assert "1 instances were not de-identified" in found
        assert "2 instances passed de-identification, 1 are listed as passed" in found
        assert "2 results passed the gate, the index lists 3" in found
        assert "3 objects are to go to pacs, 2 passed the gate" in found

    def test_unknown_study_is_not_found(self, ledger):
        with pytest.raises(NotFound):
            ledger.summary("nobody")

    def test_what_came_again_or_was_refused_is_counted(self, ledger, processed):
        again = {processed: {StoreOutcome.DUPLICATE: 2, StoreOutcome.CONFLICT: 1}}
        ledger.count_arrivals(again, {("dimse:CT", "out-of-resources"): 4})
        ledger.count_arrivals(again, {("dimse:CT", "out-of-resources"): 1, ("stow", "invalid-instance"): 2})
        found = ledger.summary(processed)
        assert (found.duplicates, found.conflicts) == (4, 2)
        counts = {(r.source, r.code): r.count for r in ledger.refusals()}
        assert counts == {("dimse:CT", "out-of-resources"): 5, ("stow", "invalid-instance"): 2}

    def test_senders_under_ever_new_names_share_a_row(self, ledger):
        for start in range(0, 1200, 400):
            ledger.count_arrivals(
                {}, {(f"dimse:AE{n}", "not-authorised"): 1 for n in range(start, start + 400)}
            )
        found = ledger.refusals(2000)
        assert len(found) == 1001
        assert sum(r.count for r in found) == 1200
