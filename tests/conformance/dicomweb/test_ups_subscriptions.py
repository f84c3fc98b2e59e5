"""UPS-RS: cancellation requests, subscriptions and their events (PS3.18 §11.8, §11.10 to §11.13)."""

import pytest
from workitem_samples import TRANSACTION, WORKITEM, code, completion, model
from worklist_node import worklist, worklist_engine

__all__ = ["worklist", "worklist_engine"]

ALL, SOME = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
STATE, CANCEL, PROGRESS, ASSIGNED = 1, 2, 3, 5


def subscribe(worklist, uid=WORKITEM, query="", ae_title="WATCH"):
    response = worklist.ask("POST", f"/workitems/{uid}/subscribers/{ae_title}{query}")
    assert response.status_code == 201, response.text
    return response


def unsubscribe(worklist, uid=WORKITEM, ae_title="WATCH"):
    return worklist.ask("DELETE", f"/workitems/{uid}/subscribers/{ae_title}").status_code


def cancel(worklist, body=None, requester="/ORDERER", uid=WORKITEM):
    return worklist.ask("POST", f"/workitems/{uid}/cancelrequest{requester}", body)


class TestCancellationRequests:
    @pytest.mark.clause("11.8.2")
    def test_work_item_that_nobody_claimed_is_canceled_with_what_was_said(self, worklist):
        """PS3.4 §CC.2.2.3: first to IN PROGRESS, then to CANCELED; the Final State requirements are met."""
        worklist.in_state("SCHEDULED")
        subscribe(worklist)
        worklist.events()
        request = model(
            ReasonForCancellation="patient went home",
            ProcedureStepDiscontinuationReasonCodeSequence=code("110500", "DCM", "Doctor canceled procedure"),
            ContactURI="tel:+1-555",
            ContactDisplayName="Desk",
        )
        assert cancel(worklist, request).status_code == 202
        (progress,) = worklist.get()["00741002"]["Value"]
        assert progress["00741238"]["Value"] == ["patient went home"]
        assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110500"]
        assert progress["00741008"]["Value"][0]["0074100A"]["Value"] == ["tel:+1-555"]
        assert progress["00404052"]["Value"]
        (asked, first, last) = worklist.events()
        assert (asked[0], asked[1]["00741236"]["Value"]) == (CANCEL, ["ORDERER"])
        assert asked[1]["00741238"]["Value"] == ["patient went home"]
        assert [e["00741000"]["Value"] for _, e in (first, last)] == [["IN PROGRESS"], ["CANCELED"]]
        assert last[1]["0074100E"]["Value"][0]["00080100"]["Value"] == ["110500"]

    @pytest.mark.clause("11.8.1.4")
    def test_request_without_a_body_gives_an_unspecified_reason(self, worklist):
        """§11.8.1.4: the payload is optional; PS3.4 Table CC.2.5-3: a reason code is not."""
        worklist.in_state("SCHEDULED")
        assert cancel(worklist, requester="").status_code == 202
        (progress,) = worklist.get()["00741002"]["Value"]
        assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110513"]

    @pytest.mark.clause("11.8.3.1")
    def test_performer_that_listens_is_asked(self, worklist):
        """§11.8.3.1: 202, the state has not changed; PS3.4 Table CC.2.4-1, UPS Cancel Requested."""
        worklist.in_state("IN PROGRESS")
        subscribe(worklist, ae_title="PERFORMER")
        worklist.events("PERFORMER")
        assert cancel(worklist, model(ReasonForCancellation="stop")).status_code == 202
        ((kind, said),) = worklist.events("PERFORMER")
        assert (kind, said["00741236"]["Value"], said["00741238"]["Value"]) == (CANCEL, ["ORDERER"], ["stop"])
        assert worklist.get()["00741000"]["Value"] == ["IN PROGRESS"]

    @pytest.mark.clause("11.8.3.1")
    @pytest.mark.parametrize(
        ("state", "status", "warning"),
        [
            ("IN PROGRESS", 409, "The performer cannot be contacted."),
            ("COMPLETED", 409, "The UPS is already COMPLETED."),
            ("CANCELED", 202, "The UPS is already in the requested state of CANCELED."),
        ],
    )
    def test_request_that_cannot_be_met_says_why(self, worklist, state, status, warning):
        """§11.8.3.1, §11.8.3.2; PS3.4 Table CC.2.2-2 (C311, C312, B304)."""
        worklist.in_state(state)
        response = cancel(worklist)
        assert (response.status_code, response.headers["Warning"]) == (status, f"299 node: {warning}")
        assert worklist.get()["00741000"]["Value"] == [state]


class TestSubscribing:
    @pytest.mark.clause("11.10.3.2")
    def test_subscription_names_the_notification_connection(self, worklist):
        """§11.10.3.2: Content-Location with the WebSocket protocol."""
        worklist.create()
        response = subscribe(worklist)
        assert response.headers["Content-Location"] == "ws://node.test/dicom-web/subscribers/WATCH"

    @pytest.mark.clause("11.10.2")
    def test_subscriber_is_told_the_current_state(self, worklist):
        """PS3.4 §CC.2.4.3: a State Report when the subscription is made."""
        worklist.in_state("IN PROGRESS")
        subscribe(worklist)
        ((kind, said),) = worklist.events()
        assert kind == STATE
        assert (said["00741000"]["Value"], said["00404041"]["Value"]) == (["IN PROGRESS"], ["READY"])

    @pytest.mark.clause("11.10.3.1")
    def test_what_cannot_be_subscribed_to_is_refused(self, worklist):
        """§11.10.3.1: 404 for an unknown work item, 400 for what cannot be read."""
        worklist.create()

        def status(path):
            return worklist.ask("POST", f"/workitems/{path}").status_code

        assert status("2.25.404/subscribers/WATCH") == 404
        assert status(f"{WORKITEM}/subscribers/THIS-TITLE-IS-TOO-LONG") == 400
        assert status(f"{WORKITEM}/subscribers/WATCH?deletionlock=perhaps") == 400
        assert status(f"{WORKITEM}/subscribers/WATCH?filter=PatientID=1") == 400
        assert status(f"{SOME}/subscribers/WATCH") == 400
        assert status(f"{SOME}/subscribers/WATCH?filter=PatientBirthDate=soon") == 400
        assert status("no-uid/subscribers/WATCH") == 400

    @pytest.mark.clause("11.10.2")
    @pytest.mark.parametrize(("lock", "initial"), [("true", 2), ("false", 0)])
    def test_subscription_to_the_worklist_covers_what_is_there_and_what_comes(self, worklist, lock, initial):
        """PS3.4 Table CC.2.3-2 and §CC.2.4.3: initial reports with a lock only; new work items at once."""
        worklist.orders(2)
        subscribe(worklist, ALL, f"?deletionlock={lock}")
        assert len(worklist.events()) == initial
        worklist.create("2.25.3")
        assert worklist.states() == ["SCHEDULED"]
        assert worklist.put_state("IN PROGRESS", uid="2.25.900").status_code == 200
        assert worklist.states() == ["IN PROGRESS"]

    @pytest.mark.clause("11.10.1.2")
    @pytest.mark.parametrize(
        "query",
        [
            "filter=PatientID=CANARY-ID,ScheduledWorkitemCodeSequence.CodeValue=110004",
            "filter=SOPInstanceUID=2.25.1,2.25.3",
            "PatientID=CANARY-ID&00404018.00080100=110004",
        ],
    )
    def test_filtered_subscription_covers_what_matches_only(self, worklist, query):
        """§11.10.1.2: existing and future work items that match."""
        worklist.create("2.25.1")
        worklist.create("2.25.2", PatientID="OTHER")
        subscribe(worklist, SOME, f"?deletionlock=true&{query}")
        assert len(worklist.events()) == 1
        worklist.create("2.25.3")
        worklist.create("2.25.4", PatientID="OTHER")
        assert len(worklist.events()) == 1

    @pytest.mark.clause("11.10.2")
    def test_subscription_to_a_work_item_comes_before_one_to_the_worklist(self, worklist):
        """PS3.4 §CC.2.3: "instance specific instructions take precedence"; the lock of each is kept."""
        worklist.in_state("COMPLETED")
        subscribe(worklist, query="?deletionlock=true")
        subscribe(worklist, ALL, "?deletionlock=false")
        later = worklist.clock.now()
        assert worklist.store.expire(later, later) == 0

    @pytest.mark.clause("11.10.1.2")
    def test_deletion_lock_keeps_an_ended_work_item(self, worklist):
        """PS3.4 §CC.2.1.3: not deleted until all deletion locks have been removed."""
        worklist.in_state("COMPLETED")
        subscribe(worklist, query="?deletionlock=true")
        subscribe(worklist, query="?deletionlock=false", ae_title="OTHER")
        later = worklist.clock.now()
        assert worklist.store.expire(later, later) == 0
        assert unsubscribe(worklist) == 200
        assert worklist.store.expire(later, later) == 1


class TestUnsubscribing:
    @pytest.mark.clause("11.11.2")
    def test_who_unsubscribed_hears_no_more(self, worklist):
        """§11.11.2; §11.11.3.1: 404 where there is no subscription."""
        worklist.create()
        subscribe(worklist)
        worklist.events()
        assert unsubscribe(worklist) == 200
        assert unsubscribe(worklist) == 404
        worklist.put_state("IN PROGRESS")
        assert worklist.events() == []

    @pytest.mark.clause("11.11.2")
    @pytest.mark.parametrize(("uid", "query"), [(ALL, ""), (SOME, "?filter=PatientID=*ID")])
    def test_unsubscribing_from_the_worklist_ends_all(self, worklist, uid, query):
        """PS3.4 Table CC.2.3-2: Unsubscribe Globally."""
        worklist.create()
        subscribe(worklist, uid, query)
        assert unsubscribe(worklist, uid) == 200
        worklist.put_state("IN PROGRESS")
        worklist.create("2.25.2")
        assert worklist.events() == []
        assert unsubscribe(worklist, uid) == 404

    @pytest.mark.clause("11.12.2")
    @pytest.mark.parametrize(("uid", "query"), [(ALL, ""), (SOME, "?filter=PatientID=*ID")])
    def test_suspended_subscription_keeps_what_it_has(self, worklist, uid, query):
        """§11.12.2: no new work items; existing subscriptions stay."""
        worklist.create()
        subscribe(worklist, uid, query)
        path = f"/workitems/{uid}/subscribers/WATCH/suspend"
        assert worklist.ask("POST", path).status_code == 200
        assert worklist.ask("POST", path).status_code == 404
        worklist.create("2.25.2")
        assert worklist.events() == []
        worklist.put_state("IN PROGRESS")
        assert worklist.states() == ["IN PROGRESS"]
        assert worklist.ask("POST", f"/workitems/{WORKITEM}/subscribers/WATCH/suspend").status_code == 400


class TestEvents:
    """PS3.4 §CC.2.4.3 and Table CC.2.4-1."""

    @pytest.fixture
    def watched(self, worklist):
        worklist.in_state("IN PROGRESS")
        subscribe(worklist)
        worklist.events()
        return worklist

    def update(self, watched, changes):
        response = watched.ask("POST", f"/workitems/{WORKITEM}?{TRANSACTION}", changes)
        assert response.status_code == 200, response.text
        return watched.events()

    @pytest.mark.clause("11.13")
    def test_progress_is_reported(self, watched):
        """UPS Progress Report: progress, its description, whom to call."""
        step = model(
            ProcedureStepProgress=40,
            ProcedureStepProgressDescription="segmenting",
            ProcedureStepCommunicationsURISequence=model(ContactURI="tel:1", ContactDisplayName="Desk"),
        )
        ((kind, said),) = self.update(watched, model(ProcedureStepProgressInformationSequence=step))
        assert kind == PROGRESS
        (told,) = said["00741002"]["Value"]
        assert (told["00741004"]["Value"], told["00741006"]["Value"]) == ([40], ["segmenting"])
        assert self.update(watched, model(ProcedureStepProgressInformationSequence=step)) == []

    @pytest.mark.clause("11.13")
    def test_change_of_input_readiness_is_a_state_report(self, watched):
        """UPS State Report on a change of Input Readiness State."""
        ((kind, said),) = self.update(watched, model(InputReadinessState="INCOMPLETE"))
        assert kind == STATE
        assert (said["00741000"]["Value"], said["00404041"]["Value"]) == (["IN PROGRESS"], ["INCOMPLETE"])

    @pytest.mark.clause("11.13")
    def test_assignment_is_told_on_creation_and_on_change(self, watched):
        """UPS Assigned: stations and human performers."""
        subscribe(watched, ALL, ae_title="ALL")
        watched.create("2.25.2", ScheduledStationNameCodeSequence=code("HERE"))
        kinds = [kind for kind, _ in watched.events("ALL")]
        assert kinds == [STATE, ASSIGNED]
        human = model(
            HumanPerformerCodeSequence=code("7"),
            HumanPerformerName={"Alphabetic": "Doe^J"},
            HumanPerformerOrganization="Clinic",
        )
        ((kind, said),) = self.update(watched, model(ScheduledHumanPerformersSequence=human))
        assert kind == ASSIGNED
        assert said["00404009"]["Value"][0]["00080100"]["Value"] == ["7"]
        assert said["00404036"]["Value"] == ["Clinic"]

    @pytest.mark.clause("11.13")
    def test_end_is_told_once_and_changes_of_no_interest_are_not(self, watched):
        """UPS State Report on each change of state."""
        assert self.update(watched, model(ProcedureStepLabel="Other")) == []
        assert self.update(watched, completion()) == []
        watched.put_state("COMPLETED")
        watched.put_state("COMPLETED")
        assert watched.states() == ["COMPLETED"]
