"""UPS-RS: searching the worklist (PS3.18 §11.9)."""

import pytest
from dicomweb_node import parts_of
from workitem_samples import WORKITEM, code, model
from worklist_node import worklist, worklist_engine

from dicom_node.domain.workitem_rules import RULES

__all__ = ["worklist", "worklist_engine"]

XML = 'multipart/related; type="application/dicom+xml"'


def found(worklist, query):
    """UIDs that a search finds; none for 204."""
    response = worklist.ask("GET", f"/workitems?{query}")
    if response.status_code == 204:
        assert response.content == b""
        return []
    assert response.status_code in {200, 206}, response.text
    return [row["00080018"]["Value"][0] for row in response.json()]


@pytest.fixture
def filled(worklist):
    """Two work items that differ in everything a key may ask for."""
    worklist.create("2.25.1")
    worklist.create(
        "2.25.2",
        PatientName={"Alphabetic": "Muster^Erika", "Ideographic": "山田^太郎"},
        PatientID="OTHER",
        PatientBirthDate="19700203",
        ScheduledProcedureStepPriority="HIGH",
        ScheduledProcedureStepStartDateTime="20270630101500+0100",
        InputReadinessState="INCOMPLETE",
        ScheduledWorkitemCodeSequence=code("110001", "DCM", "Image Processing"),
        ScheduledStationNameCodeSequence=[code("A"), code("B")],
        InputInformationSequence=model(StudyInstanceUID="1.2.3.4", TypeOfInstances="DICOM"),
        ReferencedRequestSequence=model(
            StudyInstanceUID="1.2.3.4",
            AccessionNumber="ACC-2",
            IssuerOfAccessionNumberSequence=None,
            OrderPlacerIdentifierSequence=None,
            OrderFillerIdentifierSequence=None,
            RequestedProcedureID="RP",
            RequestedProcedureDescription=None,
            RequestedProcedureCodeSequence=None,
        ),
    )
    return worklist


@pytest.mark.clause("11.9.1.2")
@pytest.mark.parametrize(
    "query",
    [
        "SOPInstanceUID=2.25.2",
        "00080018=2.25.2",
        "SOPInstanceUID=2.25.2,2.25.3",
        "PatientID=OTHER",
        "PatientID=OTH*",
        "00100010=muster*",
        "PatientName=MUSTER^ERIKA",
        "PatientName=山田*",
        "PatientName=erica&fuzzymatching=true",
        "PatientBirthDate=19690101-19701231",
        "ScheduledProcedureStepPriority=HIGH",
        "ScheduledProcedureStepStartDateTime=2027-",
        "ScheduledProcedureStepStartDateTime=202706300915%2B0000",
        "InputReadinessState=INCOMPLETE",
        "ScheduledWorkitemCodeSequence.CodeValue=110001",
        "ScheduledWorkitemCodeSequence.CodeValue=110001&ScheduledWorkitemCodeSequence.CodingSchemeDesignator=DCM",
        "00404025.00080100=B",
        "InputInformationSequence.StudyInstanceUID=1.2.3.4",
        "ReferencedRequestSequence.AccessionNumber=ACC-?",
        "ProcedureStepState=SCHEDULED&ScheduledProcedureStepPriority=HIGH",
        "AdmissionID=&PatientID=OTHER",
    ],
)
def test_matching_key_finds_the_one_that_matches(filled, query):
    """§11.9.1.2, §8.3.4.1; PS3.4 Table CC.2.5-3, Match Key."""
    assert found(filled, query) == ["2.25.2"]


@pytest.mark.clause("11.9.3.1")
def test_search_without_a_match_is_204_and_without_a_key_finds_all(filled):
    """§11.9.3.1: 204 with an empty payload."""
    assert found(filled, "PatientID=NOBODY") == []
    assert found(filled, "PatientName=Canary*&ScheduledProcedureStepPriority=LOW") == []
    assert found(filled, "") == ["2.25.1", "2.25.2"]
    assert found(filled, "PatientName=*") == ["2.25.1", "2.25.2"]


@pytest.mark.clause("11.9.3.1")
def test_more_than_the_limit_is_206_and_pages_hold_each_once(worklist):
    """§11.9.3.1: 206 where only some were returned; §8.3.4.4."""
    uids = worklist.orders(5)
    response = worklist.ask("GET", "/workitems?limit=2")
    assert response.status_code == 206
    assert response.headers["Warning"] == "299 node: There are 3 additional results that can be requested"
    pages = [found(worklist, f"limit=2&offset={offset}&PatientID=CANARY-ID") for offset in (0, 2, 4)]
    assert [uid for page in pages for uid in page] == uids
    assert worklist.ask("GET", "/workitems?limit=2&offset=3").status_code == 200
    assert found(worklist, "offset=5") == []
    assert found(worklist, "limit=0") == []


@pytest.mark.clause("11.9.2")
def test_row_has_all_return_keys_of_type_1_and_2_and_what_was_asked_for(worklist):
    """§11.9.2: return keys of type 1 and 2, matching keys, and includefield."""
    worklist.create(ExpectedCompletionDateTime="20270101", CommentsOnTheScheduledProcedureStep="why")
    (row,) = worklist.ask("GET", "/workitems").json()
    always = {rule.tag for rule in RULES if rule.returned in {"1", "2"}}
    assert set(row) == always
    assert {tag for tag, a in row.items() if "Value" not in a} >= {"00404025", "00380010"}
    (row,) = worklist.ask(
        "GET", "/workitems?includefield=00404011,CommentsOnTheScheduledProcedureStep"
    ).json()
    assert set(row) - always == {"00404011", "00400400"}
    (row,) = worklist.ask("GET", "/workitems?ExpectedCompletionDateTime=2027").json()
    assert set(row) - always == {"00404011"}
    (row,) = worklist.ask("GET", "/workitems?includefield=all").json()
    assert row == worklist.get()


@pytest.mark.clause("11.9.3.3")
def test_results_come_as_xml_where_asked_for(filled):
    """§11.9.3.3, §11.1.3: one part a work item."""
    response = filled.ask("GET", "/workitems", accept=XML)
    assert response.status_code == 200
    parts = parts_of(response)
    assert [b'<Value number="1">2.25.2</Value>' in part for _, part in parts] == [False, True]
    assert filled.ask("GET", "/workitems", accept="application/dicom+xml").status_code == 406


@pytest.mark.clause("11.9.3.1")
@pytest.mark.parametrize(
    "query",
    [
        "NoSuchAttribute=1",
        "ScheduledWorkitemCodeSequence=110001",
        "PatientBirthDate=yesterday",
        "ScheduledProcedureStepStartDateTime=soon",
        "limit=-1",
        "offset=x",
        "fuzzymatching=perhaps",
        "PatientID=A&PatientID=B",
        "includefield=Nothing.Known",
    ],
)
def test_parameter_that_cannot_be_read_is_400_by_name(filled, query):
    """§11.9.3.1: invalid Query Parameter syntax."""
    response = filled.ask("GET", f"/workitems?{query}")
    assert response.status_code == 400
    name = "Nothing" if "includefield" in query else query.partition("=")[0].split(".")[0]
    assert name in response.text


@pytest.mark.clause("11.9.2")
def test_work_items_are_found_in_every_state_until_they_are_deleted(worklist):
    """PS3.4 §CC.2.8: the state is a matching key."""
    for number, state in enumerate(("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"), 1):
        worklist.in_state(state, f"2.25.{number}")
        assert found(worklist, f"ProcedureStepState={state}") == [f"2.25.{number}"]
    later = worklist.clock.now()
    assert worklist.store.expire(later, later) == 2
    assert found(worklist, "") == ["2.25.1", "2.25.2"]
    assert WORKITEM not in found(worklist, "")
