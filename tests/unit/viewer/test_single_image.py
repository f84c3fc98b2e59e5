"""`/predict`, `/heatmap`, `/meta` and `/try`: what is taken, what is answered, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from viewer.problems import Problem
from viewer.rate import RateLimit

PNG = b"\x89PNG rest"
JPEG = b"JPEG rest"


def ask(world: Any, path: str, data: bytes = PNG, media_type: str = "image/png", **headers: str) -> Any:
    return world.http.post(path, content=data, headers={"content-type": media_type, **headers})


def test_a_verdict_comes_with_probabilities_codes_notice_and_timing(world: Any) -> None:
    answer = ask(world, "/predict?model=brain").json()

    assert (answer["status"], answer["verdict"], answer["confidence"]) == ("done", "Glioma (93 %)", 0.93)
    assert answer["classes"][1]["code"] == {"value": "393564001", "scheme": "SCT", "meaning": "Glioma"}
    assert answer["explanation"] == {"method": "Grad-CAM", "target": "Glioma"}
    assert answer["model"]["version"] == "1.0.0"
    assert answer["notices"] == ["Trained on few images."]
    assert "Research use only" in answer["notice"]
    assert answer["seconds"]["total"] == 0.25
    assert answer["image"]["rows"] == 100


def test_a_refusal_is_an_answer_with_its_coded_reason(world: Any) -> None:
    answer = ask(world, "/predict?model=brain", JPEG, "image/jpeg")

    assert answer.status_code == 200
    said = answer.json()
    assert (said["status"], said["verdict"]) == ("rejected", "Unable to determine")
    assert "0.40" in said["reason"]
    (reason,) = said["reasons"]
    assert (reason["kind"], reason["passed"]) == ("confidence", False)
    assert reason["standard_code"]["scheme"] == "DCM"
    assert said["explanation"] is None


def test_the_picture_is_a_png_that_nobody_keeps(world: Any) -> None:
    answer = ask(world, "/heatmap?model=brain")

    assert answer.content.startswith(b"\x89PNG\r\n")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"


def test_where_the_model_refuses_there_is_no_picture_and_the_answer_says_why(world: Any) -> None:
    answer = ask(world, "/heatmap?model=brain", JPEG, "image/jpeg")

    assert (answer.status_code, answer.json()["code"]) == (409, "no-heatmap")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["answer"]["verdict"] == "Unable to determine"


def test_meta_lists_models_and_limits(world: Any) -> None:
    meta = world.http.get("/meta").json()

    (model,) = meta["models"]
    assert model["classes"][1] == {"name": "glioma", "label": "Glioma", "abnormal": True}
    assert model["limits"] == ["Adults only."]
    assert meta["max_bytes"] == 2**20


def test_meta_of_an_image_says_what_the_node_understands(world: Any) -> None:
    said = ask(world, "/meta").json()

    assert said["image"]["format"] == "PNG"
    assert said["guess"]["why_not"] == "the model image-gate is not installed"


@pytest.mark.parametrize(
    "media_type", ["image/png", "IMAGE/PNG; x=1", "application/dicom", "application/octet-stream"]
)
def test_the_file_itself_is_taken(world: Any, media_type: str) -> None:
    assert ask(world, "/predict?model=brain", PNG, media_type).status_code == 200
    assert world.predictor.seen == [PNG]


def test_a_form_with_one_file_is_taken(world: Any) -> None:
    answer = world.http.post("/predict?model=brain", files={"image": ("DOE.png", PNG, "image/png")})

    assert answer.status_code == 200
    assert world.predictor.seen == [PNG]
    assert "DOE" not in answer.text


@pytest.mark.parametrize(
    ("path", "data", "media_type", "status", "code"),
    [
        ("/predict?model=brain", b"hello", "image/png", 400, "invalid-instance"),
        ("/predict?model=brain", b"", "image/png", 400, "invalid-instance"),
        ("/predict?model=other", PNG, "image/png", 404, "not-found"),
        ("/predict", PNG, "image/png", 400, "invalid-request"),
        ("/heatmap?model=brain", PNG, "text/plain", 415, "unsupported-media-type"),
        ("/meta", PNG, "", 415, "unsupported-media-type"),
        ("/meta", b"x" * (2**20 + 1), "image/png", 413, "too-large"),
        ("/meta", b"--b--\r\n", "multipart/form-data; boundary=b", 400, "no-files"),
        ("/meta", PNG, "multipart/form-data; boundary=b", 400, "malformed-form"),
    ],
)
def test_what_cannot_be_done_is_a_problem(
    world: Any, path: str, data: bytes, media_type: str, status: int, code: str
) -> None:
    answer = ask(world, path, data, media_type)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_of_a_form_that_is_too_large_is_refused(world: Any) -> None:
    answer = world.http.post("/meta", files={"image": ("a.png", b"x" * (2**20 + 1), "image/png")})

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_too_many_images_of_one_client_are_refused_for_a_while(world: Any) -> None:
    assert {ask(world, "/meta").status_code for _ in range(30)} == {200}

    refused = ask(world, "/meta")

    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert len(world.predictor.seen) == 30
    assert world.http.get("/meta").status_code == 200


def test_the_rate_counts_the_last_minute_of_each_client() -> None:
    now = [0.0]
    rate = RateLimit(2, lambda: now[0])
    rate.check("a")
    now[0] = 30
    rate.check("a")
    rate.check("b")
    with pytest.raises(Problem) as refused:
        rate.check("a")
    assert refused.value.headers == {"Retry-After": "30"}
    now[0] = 60.5
    rate.check("a")
    with pytest.raises(Problem):
        rate.check("a")


def test_a_page_of_another_site_cannot_ask(world: Any) -> None:
    answer = ask(world, "/predict?model=brain", **{"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert world.predictor.seen == []


def test_the_page_offers_the_models_with_their_cards(world: Any) -> None:
    page = world.http.get("/try")

    assert page.status_code == 200
    assert "Brain &lt;tumour&gt;" in page.text
    assert "Adults only." in page.text
    assert 'href="/try" aria-current="page"' in page.text
    assert 'href="/try"' in world.http.get("/").text
