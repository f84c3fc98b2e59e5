"""The node as a performer: what it takes on, when, and what it says at the end."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from performer_bench import ORIGINAL, PSEUDONYM, RUN, STATION, Bench, result
from workitem_samples import TRANSACTION, WORKITEM, code, model
from worklist_node import worklist, worklist_engine

from dicom_node.domain.delivery import Delivery, DeliveryStatus
from dicom_node.domain.errors import StorageFailure
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import Stage, StudyState
from dicom_node.domain.workitem import THIS_NODE, WorkitemState, first, items
from dicom_node.pipeline.worklist_output import OutputAddress

__all__ = ["worklist", "worklist_engine"]


@pytest.fixture
def bench(worklist):
    return Bench(worklist)


class TestAddressing:
    def test_work_item_for_another_station_or_person_or_code_is_left_alone(self, bench):
        bench.set(StudyState.PROCESSING)
        for uid, changes in (
            ("2.25.1", {"ScheduledStationNameCodeSequence": code("OTHER")}),
            ("2.25.2", {"ScheduledWorkitemCodeSequence": code("X")}),
            ("2.25.3", {"ScheduledWorkitemCodeSequence": None}),
            (
                "2.25.4",
                {
                    "ScheduledHumanPerformersSequence": model(
                        HumanPerformerCodeSequence=code("7"),
                        HumanPerformerName={"Alphabetic": "Doe"},
                        HumanPerformerOrganization="Clinic",
                    )
                },
            ),
        ):
            bench.worklist.create(uid, StudyInstanceUID=ORIGINAL, **changes)
        assert bench.performer.tick() == 0
        for number in range(1, 5):
            assert bench.worklist.store.get(f"2.25.{number}").state is WorkitemState.SCHEDULED

    def test_work_item_that_is_assigned_to_the_node_later_is_taken(self, bench):
        bench.set(StudyState.PROCESSING)
        bench.order(ScheduledWorkitemCodeSequence=None)
        assert bench.tick(2) is WorkitemState.SCHEDULED
        change = model(ScheduledStationNameCodeSequence=[STATION])
        assert bench.worklist.ask("POST", f"/workitems/{WORKITEM}", change).status_code == 200
        assert bench.tick() is WorkitemState.IN_PROGRESS

    def test_code_that_the_node_does_not_perform_is_refused_where_it_is_named(self, bench):
        bench.order(ScheduledStationNameCodeSequence=[STATION], ScheduledWorkitemCodeSequence=code("X"))
        assert bench.tick() is WorkitemState.CANCELED
        assert bench.why[0] == "110530"

    def test_work_item_begins_when_it_is_ready_and_its_time_has_come(self, bench):
        bench.set(StudyState.PROCESSING)
        later = (bench.worklist.clock.now() + timedelta(minutes=1)).strftime("%Y%m%d%H%M%S+0000")
        bench.order(InputReadinessState="INCOMPLETE", ScheduledProcedureStepStartDateTime=later)
        assert bench.tick() is WorkitemState.SCHEDULED
        bench.worklist.ask("POST", f"/workitems/{WORKITEM}", model(InputReadinessState="READY"))
        assert bench.tick() is WorkitemState.SCHEDULED
        bench.worklist.clock.time += timedelta(minutes=1)
        assert bench.tick() is WorkitemState.IN_PROGRESS

    def test_times_without_an_offset_are_in_the_zone_of_the_work_item(self, bench):
        bench.set(StudyState.PROCESSING)
        soon = (bench.worklist.clock.now() + timedelta(hours=2)).strftime("%Y%m%d%H%M%S")
        bench.order(ScheduledProcedureStepStartDateTime=soon, TimezoneOffsetFromUTC="+0300")
        assert bench.tick() is WorkitemState.IN_PROGRESS

    def test_fault_in_one_work_item_holds_up_no_other(self, bench, capsys):
        bench.worklist.create("2.25.1", StudyInstanceUID="9.9.9")
        bench.set(StudyState.PROCESSING)
        bench.order()
        known = bench.node.uid
        bench.node.uid = lambda uid: 1 // 0 if uid == "9.9.9" else known(uid)
        assert bench.tick() is WorkitemState.IN_PROGRESS
        assert "9.9.9" not in capsys.readouterr().err

    def test_expired_work_item_is_canceled(self, bench):
        bench.order(ScheduledProcedureStepExpirationDateTime="20260101")
        assert bench.tick() is WorkitemState.CANCELED
        assert bench.why[0] == "110533"

    @pytest.mark.parametrize(
        "changes",
        [
            {"InputInformationSequence": None, "StudyInstanceUID": None},
            {"InputInformationSequence": [model(StudyInstanceUID=uid) for uid in ("1.2.3.4", "1.2.3.5")]},
            {"InputInformationSequence": model(StudyInstanceUID="../x"), "StudyInstanceUID": None},
        ],
    )
    def test_work_item_for_no_study_or_several_is_refused(self, bench, changes):
        bench.order(**changes)
        assert bench.tick() is WorkitemState.CANCELED
        code_value, reason = bench.why
        assert code_value == "110530"
        assert "one" in reason


class TestInput:
    def test_study_is_taken_at_once_where_every_listed_instance_is_here(self, bench):
        bench.order("1.2.3.4.1", "1.2.3.4.2")
        bench.set(StudyState.RECEIVING)
        bench.node.instances = {bench.node.uid("1.2.3.4.1")}
        assert bench.tick() is WorkitemState.SCHEDULED
        bench.node.instances.add(bench.node.uid("1.2.3.4.2"))
        assert bench.tick() is WorkitemState.IN_PROGRESS
        assert bench.node.completed == ["study-1"]
        assert bench.item.run.version == 1

    def test_study_without_a_list_is_waited_for_until_it_is_quiet(self, bench):
        bench.order()
        bench.set(StudyState.RECEIVING)
        assert bench.tick() is WorkitemState.SCHEDULED
        bench.set(StudyState.PROCESSING)
        assert bench.tick() is WorkitemState.IN_PROGRESS
        assert bench.node.completed == []

    def test_study_that_was_purged_before_the_order_must_come_again(self, bench):
        bench.end(results=(result(1),))
        bench.order()
        assert bench.tick() is WorkitemState.SCHEDULED
        bench.set(StudyState.PROCESSING, version=2)
        assert bench.tick() is WorkitemState.IN_PROGRESS

    def test_study_that_ends_while_it_is_ordered_answers(self, bench):
        bench.order()
        bench.end(results=(result(1),), runs=(RUN,))
        assert bench.tick() is WorkitemState.COMPLETED

    def test_study_is_known_by_the_uid_of_the_nodes_own_dicomweb_too(self, bench):
        bench.set(StudyState.PROCESSING)
        bench.order(InputInformationSequence=model(StudyInstanceUID=PSEUDONYM))
        assert bench.tick() is WorkitemState.IN_PROGRESS

    @pytest.mark.parametrize(
        ("retrieval", "source"),
        [
            ({"WADORSRetrievalSequence": model(RetrieveURL="http://pacs/dicom-web")}, "pacs"),
            ({"DICOMRetrievalSequence": model(RetrieveAETitle="ARCHIVE")}, "archive"),
        ],
    )
    def test_study_that_is_not_here_is_asked_for_once(self, bench, retrieval, source):
        bench.order(InputInformationSequence=model(StudyInstanceUID=ORIGINAL, **retrieval))
        bench.tick(3)
        bench.restart()
        bench.tick(2)
        assert bench.node.pulled == [(source, ORIGINAL)]
        bench.set(StudyState.PROCESSING)
        assert bench.tick() is WorkitemState.IN_PROGRESS

    def test_source_that_fails_is_asked_again_after_a_while(self, bench):
        bench.node.pull_fails = 1
        named = model(RetrieveURL="http://pacs/dicom-web")
        bench.order(InputInformationSequence=model(StudyInstanceUID=ORIGINAL, WADORSRetrievalSequence=named))
        bench.tick(2)
        assert bench.node.pulled == []
        bench.worklist.clock.time += timedelta(minutes=1)
        bench.tick(2)
        assert bench.node.pulled == [("pacs", ORIGINAL)]

    def test_study_that_is_being_fetched_is_not_taken_in_the_middle(self, bench):
        named = model(RetrieveURL="http://pacs/dicom-web")
        references = model(ReferencedSOPInstanceUID="1.2.3.4.1")
        bench.order(
            InputInformationSequence=model(
                StudyInstanceUID=ORIGINAL, ReferencedSOPSequence=references, WADORSRetrievalSequence=named
            )
        )
        bench.tick()
        bench.set(StudyState.RECEIVING)
        bench.node.instances = {bench.node.uid("1.2.3.4.1")}
        assert bench.tick() is WorkitemState.SCHEDULED
        bench.set(StudyState.PROCESSING)
        assert bench.tick() is WorkitemState.IN_PROGRESS

    def test_unknown_source_is_never_asked(self, bench):
        named = model(RetrieveURL="http://evil.example/dicom-web")
        bench.order(InputInformationSequence=model(StudyInstanceUID=ORIGINAL, WADORSRetrievalSequence=named))
        assert bench.tick(2) is WorkitemState.SCHEDULED
        assert bench.node.pulled == []


class TestRun:
    @pytest.fixture
    def running(self, bench):
        bench.order()
        bench.set(StudyState.PROCESSING)
        bench.tick()
        return bench

    def test_progress_follows_the_stages_and_only_grows(self, running):
        seen = []
        for stage in (None, *Stage):
            running.set(StudyState.PROCESSING, stage=stage)
            running.tick(2)
            seen.append((first(running.item.progress, "00741004"), first(running.item.progress, "00741006")))
        assert [percent for percent, _ in seen] == sorted({percent for percent, _ in seen})
        assert [text for _, text in seen][1:] == [stage.value for stage in Stage]

    def test_results_complete_it(self, running):
        results = (result(1), result(2), result(1, "2.25.88"))
        running.end(results=results, runs=(RUN,), reason="one object kept back")
        assert running.tick() is WorkitemState.COMPLETED
        performed = running.performed
        assert first(performed, "00400254") == RUN.label
        assert first(performed, "00400280") == "one object kept back"
        assert first(items(performed, "00404028")[0], "00080100") == "NODE"
        assert first(items(performed, "00404019")[0], "00080100") == "110004"
        assert first(performed, "00404050") < first(performed, "00404051")
        outputs = items(performed, "00404033")
        assert [first(o, "0020000E") for o in outputs] == ["2.25.77", "2.25.88"]
        assert [len(items(o, "00081199")) for o in outputs] == [2, 1]
        assert {first(o, "0020000D") for o in outputs} == {PSEUDONYM}
        (shown, _) = items(items(running.worklist.get(), "00741216")[0], "00404033")
        url = first(items(shown, "0040E025")[0], "00081190")
        assert url == f"http://node.test/dicom-web/studies/{PSEUDONYM}/series/2.25.77"

    def test_model_that_cannot_tell_completes_it_without_outputs(self, running):
        rejected = replace(RUN, status=RunStatus.REJECTED, label=None)
        running.end(StudyState.REJECTED, runs=(rejected,), reason="brain: too few slices")
        assert running.tick() is WorkitemState.COMPLETED
        assert first(running.performed, "00400254") == "Unable to determine"
        assert first(running.performed, "00400280") == "brain: too few slices"
        assert running.performed["00404033"] == {"vr": "SQ"}

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (StudyState.REJECTED, "110522"),
            (StudyState.QUARANTINED, "110521"),
            (StudyState.FAILED, "110501"),
        ],
    )
    def test_end_without_an_answer_cancels_it_with_the_reason(self, running, state, expected):
        running.end(state, reason="why it ended")
        assert running.tick() is WorkitemState.CANCELED
        assert running.why == (expected, "why it ended")
        assert first(running.item.progress, "00404052")

    def test_late_instances_make_it_follow_the_next_version(self, running):
        running.set(StudyState.RECEIVING, version=2)
        assert running.tick() is WorkitemState.IN_PROGRESS
        running.set(StudyState.PROCESSING, version=2)
        assert running.tick() is WorkitemState.IN_PROGRESS
        assert running.item.run.version == 2
        running.end(version=2, results=(result(1),), runs=(RUN,))
        assert running.tick() is WorkitemState.COMPLETED

    def test_cancellation_is_refused_once_it_runs(self, running):
        response = running.worklist.ask("POST", f"/workitems/{WORKITEM}/cancelrequest/ORDERER")
        assert (response.status_code, response.headers["Warning"]) == (
            409,
            "299 node: Performer chooses not to cancel.",
        )
        assert (
            "workitem.cancel_requested",
            {"workitem": WORKITEM, "by": "ORDERER"},
        ) in running.worklist.audit.events

    def test_claimed_work_item_goes_on_after_a_restart_at_every_step(self, bench):
        bench.order("1.2.3.4.1")
        bench.set(StudyState.RECEIVING, received_instances=1)
        bench.node.instances = {bench.node.uid("1.2.3.4.1")}
        fail = bench.node.complete

        def die(_study_id):
            raise StorageFailure("the power went")

        bench.node.complete = die
        bench.restart()
        assert bench.tick() is WorkitemState.IN_PROGRESS
        assert bench.item.run is None
        bench.node.complete = fail
        bench.restart()
        assert bench.tick() is WorkitemState.IN_PROGRESS
        assert bench.item.run.version == 1
        bench.restart()
        bench.end(results=(result(1),), runs=(RUN,))
        assert bench.tick(2) is WorkitemState.COMPLETED

    def test_nobody_else_can_end_what_the_node_claimed(self, running):
        assert running.worklist.put_state("COMPLETED", TRANSACTION).status_code == 400
        assert running.item.performer == THIS_NODE


class TestOutputs:
    def outputs(self, worklist, deliveries, identity=True):
        bench = Bench(
            worklist,
            pacs=OutputAddress(original_identity=True, ae_title="PACS"),
            cloud=OutputAddress(original_identity=True, url="https://cloud.example/dicom-web/"),
            research=OutputAddress(original_identity=False, url="http://research.example/dw"),
        )
        if not identity:
            bench.node.identity = None
        bench.order()
        bench.end(results=(result(1),), runs=(RUN,), deliveries=tuple(deliveries))
        assert bench.tick() is WorkitemState.COMPLETED
        return [
            SimpleNamespace(
                study=first(o, "0020000D"),
                ae_title=first((items(o, "0040E021") or [{}])[0], "00080054"),
                url=first((items(o, "0040E025") or [{}])[0], "00081190"),
            )
            for o in items(bench.performed, "00404033")
        ]

    def test_results_are_named_at_each_destination_that_took_them(self, worklist):
        sent = [Delivery(name, DeliveryStatus.SENT) for name in ("pacs", "cloud", "research")]
        here, pacs, cloud, research = self.outputs(worklist, sent)
        assert (here.study, here.url) == (PSEUDONYM, f"studies/{PSEUDONYM}/series/2.25.77")
        assert (pacs.study, pacs.ae_title) == (ORIGINAL, "PACS")
        assert cloud.url == f"https://cloud.example/dicom-web/studies/{ORIGINAL}/series/2.25.77"
        assert research.url == f"http://research.example/dw/studies/{PSEUDONYM}/series/2.25.77"

    def test_destination_that_did_not_take_them_is_not_named(self, worklist):
        failed = [Delivery("pacs", DeliveryStatus.FAILED), Delivery("gone", DeliveryStatus.SENT)]
        assert len(self.outputs(worklist, failed)) == 1

    def test_identity_that_is_forgotten_is_not_guessed(self, worklist):
        assert len(self.outputs(worklist, [Delivery("pacs", DeliveryStatus.SENT)], identity=False)) == 1
