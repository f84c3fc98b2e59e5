"""`/api/studies` follows the contract."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.domain.study import Completion, Stage, StudyState


def test_study_has_exactly_the_members_of_the_contract(world: Any) -> None:
    study = world.index.put(world.record("a1", completed_by=Completion.COUNT))

    answer = world.http.get("/api/studies/a1")

    assert answer.status_code == 200
    assert answer.json() == {
        "id": "a1",
        "study_instance_uid": study.study_instance_uid,
        "state": "done",
        "stage": None,
        "version": 1,
        "modalities": ["MR"],
        "body_part": "BRAIN",
        "received": {"instances": 181, "bytes": 14_302_000},
        "runs": [
            {
                "model": "mr-brain-extraction",
                "version": "1.0.0",
                "status": "done",
                "reason": None,
                "label": "Intracranial volume 1523 mL",
                "confidence": 0.973,
            }
        ],
        "results": [
            {
                "kind": r.kind.value,
                "sop_class_uid": r.sop_class_uid,
                "series_instance_uid": r.series_instance_uid,
                "sop_instance_uid": r.sop_instance_uid,
            }
            for r in study.results
        ],
        "deliveries": [{"destination": "pacs", "status": "confirmed", "attempts": 1}],
        "purged_at": "2026-03-01T12:00:21Z",
        "reason": None,
        "completed_by": "count",
    }


def test_list_filters_by_state(world: Any) -> None:
    world.index.put(world.record("a1"))
    world.index.put(world.record("a2", state=StudyState.PROCESSING, stage=Stage.INFER))

    found = world.http.get("/api/studies?state=processing").json()

    assert [s["id"] for s in found["studies"]] == ["a2"]
    assert found["studies"][0]["stage"] == "infer"


def test_list_pages_by_cursor_until_it_is_null(world: Any) -> None:
    for number in range(5):
        world.index.put(world.record(f"a{number}"))
    seen, cursor = [], ""
    for _ in range(3):
        page = world.http.get(f"/api/studies?limit=2{cursor}").json()
        seen += [s["id"] for s in page["studies"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert sorted(seen) == ["a0", "a1", "a2", "a3", "a4"]
    assert page["next_cursor"] is None


def test_unknown_study_is_a_problem_object(world: Any) -> None:
    answer = world.http.get("/api/studies/none")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() | {"detail": ""} == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "",
        "code": "not-found",
    }


@pytest.mark.parametrize("query", ["state=asleep", "limit=0", "limit=many", "cursor=bogus"])
def test_malformed_query_is_a_problem_object_that_repeats_no_value(world: Any, query: str) -> None:
    answer = world.http.get(f"/api/studies?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert query.split("=")[1] not in answer.text.replace('"status":400', "")


def test_lookup_by_original_uid_finds_the_pseudonymous_study_and_is_audited(world: Any) -> None:
    original = "1.2.840.99999.7.1"
    world.index.put(world.record("a1", study_instance_uid=world.pseudonymizer.uid(original)))
    world.index.put(world.record("a2"))

    answer = world.http.get(f"/api/studies?original_study_instance_uid={original}")

    assert [s["id"] for s in answer.json()["studies"]] == ["a1"]
    assert original not in answer.text
    assert world.audit.events == [("study.looked_up_by_original_uid", {"study_id": "a1", "found": True})]


def test_lookup_by_original_uid_without_a_match_is_audited_too(world: Any) -> None:
    answer = world.http.get("/api/studies?original_study_instance_uid=1.2.3")

    assert answer.json() == {"studies": [], "next_cursor": None}
    assert world.audit.events == [("study.looked_up_by_original_uid", {"study_id": None, "found": False})]


def test_malformed_original_uid_is_neither_repeated_nor_looked_up(world: Any) -> None:
    answer = world.http.get("/api/studies?original_study_instance_uid=DOE^JANE")

    assert answer.status_code == 400
    assert "DOE" not in answer.text
    assert world.audit.events == []


def test_both_uids_that_name_different_studies_are_refused(world: Any) -> None:
    answer = world.http.get("/api/studies?original_study_instance_uid=1.2.3&study_instance_uid=2.25.1")

    assert answer.status_code == 400
    assert answer.json()["code"] == "contradiction"


def test_routing_shows_assignments_and_every_reason(world: Any) -> None:
    world.index.put(world.record("a1"))
    world.index.decisions["a1", 1] = world.decision()

    found = world.http.get("/api/studies/a1/routing").json()

    assert found["study_id"] == "a1"
    assert [a["model"] for a in found["assignments"]] == ["mr-brain-extraction"]
    assert [(r["rule"], r["passed"]) for r in found["reasons"]] == [
        ("modality", True),
        ("min-instances", False),
    ]
    assert found["rejection"] is None


def test_routing_before_the_route_stage_is_not_found(world: Any) -> None:
    world.index.put(world.record("a1", state=StudyState.RECEIVING))

    assert world.http.get("/api/studies/a1/routing").status_code == 404


def test_complete_takes_a_receiving_study_on(world: Any) -> None:
    world.index.put(world.record("a1", state=StudyState.RECEIVING))

    answer = world.http.post("/api/studies/a1/complete")

    assert answer.status_code == 202
    assert answer.json()["id"] == "a1"
    assert world.completed == ["a1"]


def test_complete_leaves_an_ended_study_as_it_is(world: Any) -> None:
    world.index.put(world.record("a1"))

    assert world.http.post("/api/studies/a1/complete").status_code == 202
    assert world.completed == []


def test_complete_of_an_unknown_study_is_not_found(world: Any) -> None:
    assert world.http.post("/api/studies/none/complete").status_code == 404


def test_docs_page_lists_every_operation_and_asks_nothing_outside(world: Any) -> None:
    page = world.http.get("/api/docs").text
    document = world.http.get("/api/openapi.json").json()

    for path in document["paths"]:
        assert path in page
    assert "//cdn" not in page
    assert 'src="http' not in page
    assert 'href="http' not in page
