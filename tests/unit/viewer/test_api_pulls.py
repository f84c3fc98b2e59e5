"""`/api/pulls` over a fake service."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from dicom_node.domain.errors import InvalidInstance, NotFound
from dicom_node.domain.pull import Pull, PullState, StudyQuery
from viewer.api.pulls import create_router

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Fake:
    """The service and the audit log."""

    sources = ("pacs",)

    def __init__(self) -> None:
        self.asked: list[tuple[str, StudyQuery]] = []
        self.audited: list[tuple[str, dict[str, Any]]] = []
        self.known = Pull("p1", "pacs", PullState.RUNNING, NOON, NOON, 9, 4, 1, ("s1",), "because")

    def request_query(self, source_name: str, query: StudyQuery) -> str:
        if source_name not in self.sources:
            raise NotFound("no such source is configured")
        if query.empty:
            raise InvalidInstance("a pull must say what")
        self.asked.append((source_name, query))
        return self.known.id

    def state(self, pull_id: str) -> Pull:
        if pull_id != self.known.id:
            raise NotFound("no pull has this id")
        return self.known

    def newest(self, limit: int = 100) -> Sequence[Pull]:
        return [self.known][:limit]

    def cancel(self, pull_id: str) -> Pull:
        return self.state(pull_id)

    def record(self, event: str, **fields: Any) -> None:
        self.audited.append((event, fields))


@pytest.fixture
def fake() -> Fake:
    return Fake()


class Asking:
    """Requests from one address, to one host name."""

    def __init__(self, fake: Any, address: str = "127.0.0.1", host: str = "127.0.0.1") -> None:
        self._app = FastAPI()
        self._app.include_router(create_router(fake, fake))
        self._address, self._base = address, f"http://{host}:8080"

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(self._address, 5000))
            async with httpx.AsyncClient(transport=transport, base_url=self._base) as http:
                return await http.request(method, path, **options)

        return asyncio.run(ask())


def test_request_is_202_with_the_place_to_look_and_nothing_that_names_a_patient(fake: Fake) -> None:
    wanted = {"source": "pacs", "patient_id": "SECRET", "since": "2026-01-31"}
    answer = Asking(fake).request("POST", "/api/pulls", json=wanted)
    assert answer.status_code == 202
    assert answer.headers["location"] == "/api/pulls/p1"
    assert fake.asked == [("pacs", StudyQuery(patient_id="SECRET", since=date(2026, 1, 31)))]
    assert "SECRET" not in answer.text + str(fake.audited)
    assert fake.audited == [("pull.asked_for", {"pull_id": "p1", "person": "local"})]


def test_pull_shows_its_progress(fake: Fake) -> None:
    shown = Asking(fake).request("GET", "/api/pulls/p1").json()
    assert shown == {
        "id": "p1",
        "source": "pacs",
        "state": "running",
        "expected": 9,
        "received": 4,
        "failed": 1,
        "studies": ["s1"],
        "reason": "because",
        "created_at": "2026-01-01T12:00:00Z",
        "updated_at": "2026-01-01T12:00:00Z",
    }
    page = Asking(fake).request("GET", "/api/pulls").json()
    assert page == {"sources": ["pacs"], "pulls": [shown]}


def test_cancelling_is_audited(fake: Fake) -> None:
    assert Asking(fake).request("POST", "/api/pulls/p1/cancel").status_code == 200
    assert fake.audited == [("pull.cancelled", {"pull_id": "p1", "person": "local"})]


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/pulls/p2"), ("POST", "/api/pulls/p2/cancel")])
def test_unknown_pull_is_404(fake: Fake, method: str, path: str) -> None:
    answer = Asking(fake).request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert fake.audited == []


@pytest.mark.parametrize(
    "body",
    [
        {"source": "pacs"},
        {"patient_id": "SECRET"},
        {"source": "pacs", "since": "SECRET"},
        {"source": "pacs", "url": "x"},
    ],
)
def test_request_that_says_too_little_or_too_much_is_400_without_repeating_it(
    fake: Fake, body: dict[str, str]
) -> None:
    answer = Asking(fake).request("POST", "/api/pulls", json=body)
    assert answer.status_code == 400
    assert "SECRET" not in answer.text
    assert fake.asked == []


@pytest.mark.parametrize(("address", "host"), [("192.0.2.7", "127.0.0.1"), ("127.0.0.1", "evil.example")])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/pulls"),
        ("GET", "/api/pulls"),
        ("GET", "/api/pulls/p1"),
        ("POST", "/api/pulls/p1/cancel"),
    ],
)
def test_only_an_operator_may_do_any_of_it(
    fake: Fake, address: str, host: str, method: str, path: str
) -> None:
    body = {"source": "pacs", "patient_id": "x"}
    answer = Asking(fake, address, host).request(method, path, json=body if path == "/api/pulls" else None)
    assert answer.status_code == 403
    assert fake.asked == fake.audited == []
