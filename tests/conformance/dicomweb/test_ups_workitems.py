"""UPS-RS: creating, retrieving, updating and moving work items (PS3.18 §11.4 to §11.7)."""

import pytest
from dicomweb_node import parts_of
from workitem_samples import TRANSACTION, WORKITEM, cancellation, code, completion, model, order, performed
from worklist_node import worklist, worklist_engine

from dicom_node.domain.workitem_rules import RULES
from dicomweb.native_model import to_xml

__all__ = ["worklist", "worklist_engine"]

UPDATE_INCONSISTENT = (
    "299 node: The submitted request is inconsistent with the current state of the Workitem."
)
STATE_INCONSISTENT = "299 node: The submitted request is inconsistent with the state of the UPS Instance."
XML = 'multipart/related; type="application/dicom+xml"'


def update(node, changes, transaction=TRANSACTION, uid=WORKITEM):
    return node.ask("POST", f"/workitems/{uid}" + (f"?{transaction}" if transaction else ""), changes)


@pytest.mark.clause("11.4.2")
def test_created_work_item_is_scheduled_and_its_location_is_told(worklist):
    """§11.4.2, §11.4.3.2: 201 with Location."""
    response = worklist.create()
    assert response.status_code == 201
    assert response.headers["Location"] == f"http://node.test/dicom-web/workitems/{WORKITEM}"
    assert response.content == b""
    assert "Warning" not in response.headers
    assert worklist.get()["00741000"]["Value"] == ["SCHEDULED"]
    assert worklist.ask("GET", f"/workitems/{WORKITEM}").status_code == 200


@pytest.mark.clause("11.4.1.1")
@pytest.mark.parametrize(
    "query", [f"?{WORKITEM}", f"?workitem={WORKITEM}", f"?AffectedSOPInstanceUID={WORKITEM}"]
)
def test_query_names_the_work_item(worklist, query):
    """§11.4.1.1: the Target Resource /workitems?{workitem}."""
    response = worklist.ask("POST", f"/workitems{query}", order())
    assert response.headers["Location"].endswith(f"/workitems/{WORKITEM}")


@pytest.mark.clause("11.4.1.1")
def test_data_set_names_the_work_item_where_the_query_does_not(worklist):
    """§11.4.1.1: "If the Target Resource is the Worklist, the payload shall contain the Workitem UID"."""
    response = worklist.ask("POST", "/workitems", order(SOPInstanceUID="2.25.77"))
    assert response.headers["Location"].endswith("/workitems/2.25.77")
    assert worklist.ask("POST", "/workitems?2.25.1", order(SOPInstanceUID="2.25.2")).status_code == 400
    made = worklist.ask("POST", "/workitems", order()).headers["Location"].rpartition("/")[2]
    assert made.startswith("2.25.")
    assert worklist.get(made)["00080018"]["Value"] == [made]


@pytest.mark.clause("11.4.3.1")
@pytest.mark.parametrize("keyword", [rule.keyword for rule in RULES if rule.create in {"0", "1", "2"}])
def test_attribute_of_type_1_or_2_that_is_missing_is_named(worklist, keyword):
    """§11.4.3.1 and PS3.4 Table CC.2.5-3: 400 where the N-CREATE requirements are not met."""
    response = worklist.create(**{keyword: ...})
    assert response.status_code == 400
    assert keyword in response.json()["detail"]
    assert "CANARY" not in response.text


@pytest.mark.clause("11.4.3.1")
@pytest.mark.parametrize(
    "keyword", [r.keyword for r in RULES if r.create == "1" and r.keyword != "ProcedureStepState"]
)
def test_attribute_of_type_1_without_a_value_is_refused(worklist, keyword):
    """PS3.4 §5.4.2.1: type 1 permits no zero length."""
    response = worklist.create(**{keyword: None})
    assert response.status_code == 400
    assert keyword in response.json()["detail"]


@pytest.mark.clause("11.4.3.1")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, "ProcedureStepState"),
        ({"TransactionUID": "2.25.3"}, "TransactionUID"),
        ({"UnifiedProcedureStepPerformedProcedureSequence": performed()}, "PerformedProcedureSequence"),
        ({"ProcedureStepProgressInformationSequence": model(ProcedureStepProgress=5)}, "ProgressInformation"),
        ({"ScheduledProcedureStepPriority": "URGENT"}, "HIGH, MEDIUM, LOW"),
        ({"InputReadinessState": "PERHAPS"}, "INCOMPLETE, UNAVAILABLE, READY"),
        ({"ScheduledProcedureStepStartDateTime": "tomorrow"}, "ScheduledProcedureStepStartDateTime"),
        ({"StudyInstanceUID": "1.02"}, "StudyInstanceUID"),
        ({"ScheduledWorkitemCodeSequence": model(CodeValue="1")}, "CodingSchemeDesignator"),
        ({"ScheduledWorkitemCodeSequence": [code("1"), code("2")]}, "more than one item"),
        (
            {"ScheduledHumanPerformersSequence": model(HumanPerformerName={"Alphabetic": "A"})},
            "HumanPerformerCode",
        ),
        (
            {"ReferencedRequestSequence": model(AccessionNumber="CANARY")},
            "ReferencedRequestSequence.StudyInstance",
        ),
        ({"SOPClassUID": "1.2.3"}, "SOPClassUID"),
    ],
)
def test_value_that_the_rules_forbid_is_refused_by_name(worklist, changes, named):
    """PS3.4 Table CC.2.5-3, PS3.3 §C.30: what must be empty, enumerated, coded or well formed."""
    response = worklist.create(**changes)
    assert response.status_code == 400
    assert named in response.json()["detail"]
    assert "CANARY" not in response.text


@pytest.mark.clause("11.4.3.1")
def test_work_item_that_exists_is_a_conflict(worklist):
    """§11.4.3.1: 409."""
    worklist.create()
    assert worklist.create(PatientID="OTHER").status_code == 409
    assert worklist.get()["00100020"]["Value"] == ["CANARY-ID"]


@pytest.mark.clause("11.4.3.2")
def test_worklist_label_that_is_filled_in_is_told_as_a_modification(worklist):
    """§11.4.3.2: the Warning header; PS3.4 Table CC.2.5-3: Worklist Label 2/1."""
    response = worklist.create(WorklistLabel=None)
    assert response.status_code == 201
    assert response.headers["Warning"] == "299 node: The Workitem was created with modifications."
    assert worklist.get()["00741202"]["Value"] == ["DEFAULT"]


@pytest.mark.clause("11.1.3")
def test_json_array_object_and_xml_are_taken_and_given(worklist):
    """§11.1.3: application/dicom+json is the default, multipart application/dicom+xml required."""
    xml = to_xml(order())
    multipart = b"--b\r\nContent-Type: application/dicom+xml\r\n\r\n" + xml + b"\r\n--b--\r\n"
    for uid, body, kind in (
        ("2.25.1", xml, "application/dicom+xml"),
        ("2.25.2", multipart, f"{XML}; boundary=b"),
    ):
        response = worklist.ask("POST", f"/workitems?{uid}", content=body, content_type=kind)
        assert response.status_code == 201, response.text
    assert worklist.ask("POST", "/workitems?2.25.3", [order()]).status_code == 201
    given = [worklist.get(uid) for uid in ("2.25.1", "2.25.2", "2.25.3")]
    assert len({repr({**g, "00080018": 0, "00404010": 0}) for g in given}) == 1
    ((headers, part),) = parts_of(worklist.ask("GET", "/workitems/2.25.1", accept=XML))
    assert headers["content-type"] == "application/dicom+xml"
    assert b'<DicomAttribute tag="00741000" vr="CS" keyword="ProcedureStepState">' in part
    single = worklist.ask("GET", "/workitems/2.25.1", accept="application/dicom+xml")
    assert single.content == part
    assert worklist.ask("GET", "/workitems/2.25.1", accept="image/png").status_code == 406


@pytest.mark.clause("11.4.1.3")
def test_body_of_another_type_size_or_shape_is_refused(worklist):
    """§11.4.1.3, §8.5: 415, 413, 400."""

    def post(body, kind="application/dicom+json"):
        return worklist.ask("POST", "/workitems?2.25.1", content=body, content_type=kind).status_code

    assert post(b"{}", "text/plain") == 415
    assert post(b"[" + b" " * (2 << 20) + b"]") == 413
    assert post(b"[{}, {}]") == 400
    assert post(b"{]") == 400
    assert post(b'[{"00100010": {"vr": "LO", "Value": ["x"]}}]') == 400
    assert post(b'[{"7FE00010": {"vr": "OW", "BulkDataURI": "x"}}]') == 400


@pytest.mark.clause("11.5.2")
@pytest.mark.parametrize("state", ["SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"])
def test_transaction_uid_is_never_told(worklist, state):
    """§11.5.2, §11.5.3.3: the Transaction UID is an access lock."""
    worklist.in_state(state)
    assert worklist.get()["00741000"]["Value"] == [state]
    assert "00081195" not in worklist.get()
    everything = worklist.ask("GET", "/workitems?includefield=all")
    assert TRANSACTION not in everything.text.replace(WORKITEM, "")
    assert worklist.ask("GET", f"/workitems?TransactionUID={TRANSACTION}").status_code == 400


@pytest.mark.clause("11.5.3.1")
def test_unknown_work_item_is_404_and_a_deleted_one_410(worklist):
    """§11.5.3.1, §11.6.3.1, §11.7.3.1."""
    worklist.in_state("COMPLETED")
    later = worklist.clock.now()
    assert worklist.store.expire(later, later) == 1
    for uid, status in (("2.25.404", 404), (WORKITEM, 410)):
        assert worklist.ask("GET", f"/workitems/{uid}").status_code == status
        assert update(worklist, completion(), uid=uid).status_code == status
        assert worklist.put_state("IN PROGRESS", uid=uid).status_code == status
        assert worklist.ask("POST", f"/workitems/{uid}/cancelrequest/AE").status_code == status
    assert worklist.create().status_code == 409


@pytest.mark.clause("11.6.2")
def test_owner_updates_a_claimed_work_item(worklist):
    """§11.6.2: attributes are replaced; the modification time is the node's."""
    worklist.in_state("IN PROGRESS")
    before = worklist.get()["00404010"]
    response = update(worklist, model(ProcedureStepLabel="Another"))
    assert (response.status_code, response.content) == (200, b"")
    assert worklist.get()["00741204"]["Value"] == ["Another"]
    assert worklist.get()["00404010"] != before
    assert worklist.get()["00100020"]["Value"] == ["CANARY-ID"]


@pytest.mark.clause("11.6.1.2")
def test_transaction_uid_of_an_update_may_stand_in_query_or_data_set(worklist):
    """§11.6.1.2 and PS3.4 §CC.2.6.2: the access lock comes with the request."""
    worklist.in_state("IN PROGRESS")
    path = f"/workitems/{WORKITEM}"
    change = model(ProcedureStepLabel="A")
    assert worklist.ask("POST", f"{path}?transaction-uid={TRANSACTION}", change).status_code == 200
    assert (
        worklist.ask("POST", path, model(ProcedureStepLabel="B", TransactionUID=TRANSACTION)).status_code
        == 200
    )
    both = model(ProcedureStepLabel="C", TransactionUID="2.25.2")
    assert worklist.ask("POST", f"{path}?{TRANSACTION}", both).status_code == 400
    assert worklist.get()["00741204"]["Value"] == ["B"]


@pytest.mark.clause("11.6.3.1")
@pytest.mark.parametrize(
    ("state", "transaction", "status", "warning"),
    [
        ("SCHEDULED", None, 200, None),
        ("SCHEDULED", TRANSACTION, 409, "299 node: The target URI did not reference a claimed Workitem."),
        ("IN PROGRESS", None, 400, UPDATE_INCONSISTENT),
        ("IN PROGRESS", "2.25.2", 400, UPDATE_INCONSISTENT),
        ("COMPLETED", TRANSACTION, 400, UPDATE_INCONSISTENT),
        ("CANCELED", TRANSACTION, 400, UPDATE_INCONSISTENT),
    ],
)
def test_update_by_state_and_transaction_uid(worklist, state, transaction, status, warning):
    """§11.6.3.1, §11.6.3.2; PS3.4 §CC.2.6.3."""
    worklist.in_state(state)
    before = worklist.get()
    response = update(worklist, model(ProcedureStepLabel="Another"), transaction)
    assert (response.status_code, response.headers.get("Warning")) == (status, warning)
    assert (worklist.get() == before) is (status != 200)


@pytest.mark.clause("11.6.1.4")
@pytest.mark.parametrize(
    "changes",
    [
        {"PatientName": {"Alphabetic": "OTHER"}},
        {"PatientID": "OTHER"},
        {"ReferencedRequestSequence": None},
        {"ProcedureStepState": "COMPLETED"},
        {"SOPInstanceUID": "2.25.5"},
        {"ProcedureStepLabel": None},
        {"InputReadinessState": "PERHAPS"},
        {"ProcedureStepProgressInformationSequence": model(ProcedureStepProgress=101)},
    ],
)
def test_update_that_the_table_forbids_changes_nothing(worklist, changes):
    """§11.6.1.4 and the N-SET column of PS3.4 Table CC.2.5-3; the whole update is refused."""
    worklist.in_state("IN PROGRESS")
    before = worklist.get()
    response = update(worklist, model(WorklistLabel="Changed", **changes))
    assert response.status_code == 400
    assert worklist.get() == before


@pytest.mark.clause("11.6.3.2")
def test_attribute_whose_update_is_undefined_is_left_alone_with_a_warning(worklist):
    """§11.6.3.2: "Requested optional Attributes are not supported."."""
    worklist.in_state("IN PROGRESS")
    response = update(worklist, model(ProcedureStepLabel="New", IssuerOfPatientID="X"))
    assert response.status_code == 200
    assert response.headers["Warning"] == "299 node: Requested optional Attributes are not supported."
    assert worklist.get()["00741204"]["Value"] == ["New"]
    assert "Value" not in worklist.get()["00100021"]


#: PS3.4 Table CC.1.1-2: state, asked for, with the right Transaction UID or not: status and Warning.
INCORRECT = "299 node: The Transaction UID is incorrect."
TRANSITIONS = [
    ("SCHEDULED", "IN PROGRESS", True, 200, None),
    ("SCHEDULED", "COMPLETED", True, 409, STATE_INCONSISTENT),
    ("SCHEDULED", "CANCELED", True, 409, STATE_INCONSISTENT),
    ("SCHEDULED", "SCHEDULED", True, 400, STATE_INCONSISTENT),
    ("IN PROGRESS", "IN PROGRESS", True, 409, STATE_INCONSISTENT),
    ("IN PROGRESS", "IN PROGRESS", False, 400, INCORRECT),
    ("IN PROGRESS", "COMPLETED", True, 409, STATE_INCONSISTENT),
    ("IN PROGRESS", "COMPLETED", False, 400, INCORRECT),
    ("IN PROGRESS", "CANCELED", True, 409, STATE_INCONSISTENT),
    ("IN PROGRESS", "CANCELED", False, 400, INCORRECT),
    ("COMPLETED", "IN PROGRESS", True, 409, STATE_INCONSISTENT),
    (
        "COMPLETED",
        "COMPLETED",
        True,
        200,
        "299 node: The UPS is already in the requested state of COMPLETED.",
    ),
    ("COMPLETED", "COMPLETED", False, 400, INCORRECT),
    ("COMPLETED", "CANCELED", True, 409, STATE_INCONSISTENT),
    ("CANCELED", "IN PROGRESS", True, 409, STATE_INCONSISTENT),
    ("CANCELED", "COMPLETED", True, 409, STATE_INCONSISTENT),
    ("CANCELED", "CANCELED", True, 200, "299 node: The UPS is already in the requested state of CANCELED."),
    ("CANCELED", "CANCELED", False, 400, INCORRECT),
]


@pytest.mark.clause("11.7.3.1")
@pytest.mark.parametrize(("state", "target", "right", "status", "warning"), TRANSITIONS)
def test_table_of_state_transitions(worklist, state, target, right, status, warning):
    """§11.7.3.1, §11.7.3.2 and PS3.4 Table CC.1.1-2."""
    worklist.in_state(state)
    response = worklist.put_state(target, TRANSACTION if right else "2.25.2")
    assert (response.status_code, response.headers.get("Warning")) == (status, warning)
    after = target if status == 200 else state
    assert worklist.get()["00741000"]["Value"] == [after]


@pytest.mark.clause("11.7.1.4")
def test_state_without_transaction_uid_or_of_another_name_is_refused(worklist):
    """§11.7.1.4, §11.7.3.2."""
    worklist.in_state("SCHEDULED")
    response = worklist.put_state("IN PROGRESS", None)
    assert (response.status_code, response.headers["Warning"]) == (
        400,
        "299 node: The Transaction UID is missing.",
    )
    assert worklist.put_state("CANCELLED").status_code == 400
    assert worklist.put_state("IN PROGRESS", requester="").status_code == 200
    assert worklist.put_state("IN PROGRESS", requester="/THIS-AE-TITLE-IS-TOO-LONG").status_code == 400


@pytest.mark.clause("11.7.2")
@pytest.mark.parametrize(
    ("target", "said", "missing"),
    [
        (
            "COMPLETED",
            model(UnifiedProcedureStepPerformedProcedureSequence=performed(**{lacking: ...})),
            lacking,
        )
        for lacking in (
            "PerformedStationNameCodeSequence",
            "PerformedProcedureStepStartDateTime",
            "PerformedProcedureStepEndDateTime",
            "PerformedWorkitemCodeSequence",
            "OutputInformationSequence",
        )
    ]
    + [
        (
            "CANCELED",
            model(ProcedureStepProgressInformationSequence=model(ReasonForCancellation="x")),
            "ProcedureStepDiscontinuationReasonCodeSequence",
        )
    ],
)
def test_final_state_whose_requirements_are_not_met_is_refused_by_name(worklist, target, said, missing):
    """PS3.4 §CC.2.1.3: the Final State column of Table CC.2.5-3."""
    worklist.in_state("IN PROGRESS")
    assert update(worklist, said).status_code == 200
    response = worklist.put_state(target)
    assert response.status_code == 409
    assert missing in response.json()["detail"]


@pytest.mark.clause("11.7.2")
def test_performer_completes_and_another_cancels(worklist):
    """§11.7.2; PS3.4 Table CC.2.5-3: the cancellation time is filled in."""
    worklist.in_state("IN PROGRESS")
    assert update(worklist, completion()).status_code == 200
    assert worklist.put_state("COMPLETED").status_code == 200
    worklist.in_state("IN PROGRESS", "2.25.2")
    assert update(worklist, cancellation(), uid="2.25.2").status_code == 200
    assert worklist.put_state("CANCELED", uid="2.25.2").status_code == 200
    (progress,) = worklist.get("2.25.2")["00741002"]["Value"]
    assert progress["00404052"]["Value"]
