"""`/api/quarantine`, a study's report, and the pages of both, over fakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dicom_node.domain.deidentification import CodedOption, DeidentificationReport, RedactedBox
from dicom_node.domain.quarantine import QuarantineState
from dicom_node.domain.study import StudyState
from viewer.access import Role

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK = {"Host": "127.0.0.1:8080"}

REPORT = DeidentificationReport(
    profile="Basic Application Confidentiality Profile, PS3.15 2026d",
    options=(CodedOption("113100", "Basic Application Confidentiality Profile"),),
    instances=2,
    actions={"PatientName": {"Z": 2}, "StudyDate": {"X": 2}},
    pixels={"redacted": 1, "unchanged": 1},
    boxes=(RedactedBox(4, 8, 100, 20, "1-3", "text", 1),),
    risks={"pixels-not-checked": 1},
    quarantined={"video (SOPClassUID): look at it": 1},
)


def test_list_and_item_have_exactly_the_members_of_the_contract(world: Any) -> None:
    item = world.review.put()
    expected = {
        "id": "q1",
        "study_id": "study1",
        "version": 1,
        "sop_instance_uid": "2.25.5",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7",
        "modality": "OT",
        "size": 4096,
        "rule": "burned-in-annotation",
        "reason": item.reason,
        "releasable": True,
        "state": "held",
        "created_at": "2026-03-01T12:00:00Z",
        "decided_at": None,
        "decided_by": None,
        "decision": None,
    }

    assert world.http.get("/api/quarantine").json() == {"quarantined": [expected], "next_cursor": None}
    assert world.http.get("/api/quarantine/q1").json() == expected


def test_list_is_narrowed_by_study_state_and_limit(world: Any) -> None:
    world.review.put("q1")
    world.review.put("q2", "study2")
    world.review.put("q3", "study2", state=QuarantineState.DELETED)

    def ids(query: str) -> list[str]:
        return [i["id"] for i in world.http.get(f"/api/quarantine?{query}").json()["quarantined"]]

    assert ids("study=study2") == ["q2", "q3"]
    assert ids("state=held") == ["q1", "q2"]
    assert ids("study=study2&state=deleted") == ["q3"]
    assert world.http.get("/api/quarantine?limit=1").json()["next_cursor"] == "more"


@pytest.mark.parametrize(
    ("path", "status"),
    [("?state=lost", 400), ("?limit=0", 400), ("?cursor=bogus", 404), ("/unknown", 404)],
)
def test_wrong_question_is_a_problem_object(world: Any, path: str, status: int) -> None:
    answer = world.http.get(f"/api/quarantine{path}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_preview_is_a_picture_that_nobody_may_keep_or_embed(world: Any) -> None:
    world.review.put()

    answer = world.http.get("/api/quarantine/q1/preview?frame=2&all_values=true", headers=LOOPBACK)

    assert answer.content.startswith(b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-frame-count"] == "3"
    assert world.review.done == [("preview", "q1", 2, True, "local")]


def test_content_is_a_download_named_by_its_id(world: Any) -> None:
    world.review.put()

    answer = world.http.get("/api/quarantine/q1/content", headers=LOOPBACK)

    assert answer.content == b"part 10"
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.headers["content-disposition"] == 'attachment; filename="q1.dcm"'
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ({"reason": "nothing-identifies"}, "nothing-identifies"),
        ({"reason": "Mrs DOE agreed"}, "other"),
        ({}, "other"),
    ],
)
def test_release_records_a_reason_of_the_list_only(world: Any, sent: dict[str, str], recorded: str) -> None:
    world.review.put()

    answer = world.http.post("/api/quarantine/q1/release", json=sent, headers=LOOPBACK)

    assert (answer.status_code, answer.json()["state"]) == (200, "released")
    assert world.review.done == [("released", "q1", recorded, "local")]
    assert "DOE" not in answer.text


def test_delete_says_what_it_is_then(world: Any) -> None:
    world.review.put()

    answer = world.http.post(
        "/api/quarantine/q1/delete", json={"reason": "identity-visible"}, headers=LOOPBACK
    )

    assert answer.json() | {"state": "deleted", "decision": "identity-visible"} == answer.json()
    assert world.http.get("/api/quarantine/q1/content", headers=LOOPBACK).status_code == 410


def test_rule_that_no_look_answers_is_a_conflict(world: Any) -> None:
    world.review.put(vouchable=False)

    answer = world.http.post("/api/quarantine/q1/release", json={}, headers=LOOPBACK)

    assert (answer.status_code, answer.json()["code"]) == (409, "quarantined")
    assert world.http.get("/api/quarantine/q1").json()["releasable"] is False


GUARDED = [
    ("GET", "/api/quarantine/q1/preview"),
    ("GET", "/api/quarantine/q1/content"),
    ("POST", "/api/quarantine/q1/release"),
    ("POST", "/api/quarantine/q1/delete"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("host", ["evil.example", "192.0.2.7:8080", "127.0.0.1.evil.example"])
def test_originals_and_decisions_are_refused_under_another_name(
    world: Any, method: str, path: str, host: str
) -> None:
    world.review.put()

    answer = world.http.request(
        method, path, headers={"Host": host}, **({"json": {}} if method == "POST" else {})
    )

    assert answer.status_code == 403
    assert Role.REVIEWER.value in answer.json()["detail"]
    assert world.review.done == []


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_originals_and_decisions_are_refused_from_another_machine(world: Any, method: str, path: str) -> None:
    world.review.put()
    options = {"json": {}} if method == "POST" else {}

    answer = world.from_machine("192.0.2.7").request(method, path, headers=LOOPBACK, **options)

    assert answer.status_code == 403
    assert world.review.done == []


def test_every_route_that_shows_or_changes_an_original_is_guarded(world: Any) -> None:
    paths = _operations(world.app)
    assert {(m, p.replace("{item_id}", "q1")) for m, p in paths if "{item_id}/" in p} == set(GUARDED)


def _operations(app: FastAPI) -> set[tuple[str, str]]:
    document = app.openapi()
    return {
        (method.upper(), path)
        for path, item in document["paths"].items()
        if path.startswith("/api/quarantine")
        for method in item
    }


def test_list_page_shows_held_ones_first_and_no_picture(world: Any) -> None:
    world.review.put("held0000000001", reason="video <b>")
    world.review.put("gone0000000001", state=QuarantineState.DELETED)

    page = world.http.get("/quarantine").text

    assert "Secondary Capture Image Storage" in page
    assert "video &lt;b&gt;" in page
    assert "gone0000" not in page
    assert "gone0000" in world.http.get("/quarantine?show=all").text
    assert "<img" not in page
    assert world.http.get("/quarantine?cursor=bogus").status_code == 404


def test_page_of_one_offers_what_may_be_decided(world: Any) -> None:
    world.review.put("q1")
    world.review.put("q2", rule="identity-left", vouchable=False)
    world.review.put("q3", state=QuarantineState.DELETED, ref="", decided_by="local", decision="not-needed")

    assert "/api/quarantine/q1/release" in world.http.get("/quarantine/q1").text
    assert "/api/quarantine/q2/release" not in world.http.get("/quarantine/q2").text
    assert "/api/quarantine/q2/delete" in world.http.get("/quarantine/q2").text
    decided = world.http.get("/quarantine/q3").text
    assert "/api/quarantine/q3" not in decided
    assert world.http.get("/quarantine/none").status_code == 404


def test_pages_ask_for_no_original_by_themselves(world: Any) -> None:
    world.review.put("q1")

    for path in ("/quarantine", "/quarantine/q1", "/"):
        world.http.get(path)

    assert world.review.done == []


def test_study_links_to_its_held_instances_and_its_report(world: Any) -> None:
    world.index.put(world.record("study1"))
    world.review.put("q1")
    world.review.put("q2")

    for path in ("/", "/studies/study1"):
        page = world.http.get(path).text
        assert 'href="/quarantine?study=study1">2 instances in quarantine' in page
        assert 'href="/studies/study1/deidentification"' in page


def test_report_is_given_as_json_and_as_a_page(world: Any) -> None:
    world.index.put(world.record("study1", version=2))
    world.index.reports["study1", 1] = REPORT

    found = world.http.get("/api/studies/study1/deidentification?version=1").json()

    assert (found["study_id"], found["version"], found["instances"]) == ("study1", 1, 2)
    assert found["actions"] == REPORT.actions
    assert found["by_rule"] == {"X": 2, "Z": 2}
    assert found["boxes"][0] | {"x": 4, "frames": "1-3", "source": "text"} == found["boxes"][0]
    page = world.http.get("/studies/study1/deidentification?version=1").text
    for text in (
        "2026d",
        "113100",
        "PatientName",
        "emptied",
        "video (SOPClassUID)",
        "100 \u00d7 20",
        "Version 2",
    ):
        assert text in page


def test_report_of_a_version_that_has_none_yet(world: Any) -> None:
    world.index.put(world.record("study1", state=StudyState.RECEIVING))

    assert world.http.get("/api/studies/study1/deidentification").status_code == 404
    assert world.http.get("/api/studies/none/deidentification").status_code == 404
    assert "No report yet" in world.http.get("/studies/study1/deidentification").text
    assert world.http.get("/studies/none/deidentification").status_code == 404
