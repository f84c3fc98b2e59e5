"""`POST /api/upload` hands files to the receive stage, and says what became of each."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.domain.errors import OutOfResources

DICOM = b"\0" * 128 + b"DICM" + b"rest"


def _files(*contents: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("files", (f"DOE_JANE_{i}.dcm", c, "application/dicom")) for i, c in enumerate(contents)]


def test_files_reach_the_receive_stage_as_uploads(world: Any) -> None:
    answer = world.http.post("/api/upload", files=_files(DICOM, DICOM + b"2"))

    assert answer.status_code == 200
    assert answer.json()["taken"] == 2
    assert answer.json()["studies"] == ["study1"]
    assert world.receiver.taken == [("upload", DICOM), ("upload", DICOM + b"2")]


def test_same_file_twice_is_a_duplicate(world: Any) -> None:
    answer = world.http.post("/api/upload", files=_files(DICOM, DICOM))

    assert [f["outcome"] for f in answer.json()["files"]] == ["stored", "duplicate"]


def test_a_bad_file_does_not_harm_the_others_and_no_file_name_returns(world: Any) -> None:
    answer = world.http.post("/api/upload", files=_files(b"hello", DICOM))

    assert answer.status_code == 200
    assert [(f["outcome"], f["code"]) for f in answer.json()["files"]] == [
        ("failed", "invalid-instance"),
        ("stored", None),
    ]
    assert "DOE" not in answer.text


@pytest.mark.parametrize(
    ("content", "says"), [(b"hello", "no DICOM file"), (b"\x89PNG\r\n\x1a\nxxxx", "PNG"), (b"", "no DICOM")]
)
def test_upload_without_any_good_file_is_a_problem_with_the_reason(
    world: Any, content: bytes, says: str
) -> None:
    answer = world.http.post("/api/upload", files=_files(content))

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


def test_full_disk_answers_503_with_retry_after(world: Any) -> None:
    world.receiver.full = OutOfResources("the disk is nearly full; free some space")

    answer = world.http.post("/api/upload", files=_files(DICOM))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert world.receiver.taken == []


def test_form_without_files_is_a_bad_request(world: Any) -> None:
    answer = world.http.post("/api/upload", files=[("note", (None, b"x"))])

    assert (answer.status_code, answer.json()["code"]) == (400, "no-files")


def test_other_media_type_is_415(world: Any) -> None:
    answer = world.http.post("/api/upload", json={"a": 1})

    assert answer.status_code == 415


def test_body_that_ends_early_is_a_bad_request_and_keeps_what_was_whole(world: Any) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    body = head + DICOM + b"\r\n" + head + DICOM[:50]

    answer = world.http.post(
        "/api/upload", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-form")
    assert [f["outcome"] for f in answer.json()["files"]] == ["stored"]


def test_form_of_a_browser_without_script_goes_back_to_the_studies(world: Any) -> None:
    answer = world.http.post("/api/upload", files=_files(DICOM), headers={"accept": "text/html,*/*"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_page_of_another_site_cannot_post(world: Any, headers: dict[str, str]) -> None:
    answer = world.http.post("/api/upload", files=_files(DICOM), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
    assert world.receiver.taken == []


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin"}, {"origin": "http://node"}])
def test_own_page_can_post(world: Any, headers: dict[str, str]) -> None:
    assert world.http.post("/api/upload", files=_files(DICOM), headers=headers).status_code == 200
