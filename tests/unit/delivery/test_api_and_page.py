"""`/api/deliveries` and the page `/deliveries`, over real deliveries."""

import asyncio

import httpx
import pytest
from delivery_bench import SEG, SR, Pacs
from fastapi import FastAPI

from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed
from viewer.api import deliveries as api
from viewer.dashboard import delivery_pages
from viewer.dashboard.render import create_renderer
from viewer.node_info import NodeInfo


@pytest.fixture
def pacs(bench):
    """A destination that is not there, and had one delivery given up."""
    taker = Pacs(Destination("pacs", max_attempts=1, breaker_failures=1, breaker_open_s=1))
    taker.down = DeliveryFailed("pacs <b>does not</b> answer")
    bench.configure(taker)
    taker.study_id = bench.study()
    bench.prepare(taker.study_id)
    bench.run_all()
    return taker


@pytest.fixture
def ask(bench, pacs):
    """A function that asks the application: `ask("GET", path, **options)`."""

    def send(method, path, address="127.0.0.1", **options):
        app = FastAPI()
        node = NodeInfo("Test", "0", "NODE", "127.0.0.1", lambda: 11112)
        app.include_router(api.create_router(bench.desk))
        app.include_router(delivery_pages.create_router(bench.desk, create_renderer(node)))

        async def go():
            transport = httpx.ASGITransport(app, client=(address, 5000))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                return await http.request(method, path, **options)

        return asyncio.run(go())

    return send


def test_dead_letter_is_listed_with_reason_attempts_and_times(ask, pacs):
    (dead,) = ask("GET", "/api/deliveries", params={"status": "failed"}).json()["deliveries"]
    assert (dead["study_id"], dead["version"], dead["destination"]) == (pacs.study_id, 1, "pacs")
    assert (dead["attempts"], dead["objects"], dead["sent"]) == (1, 3, 0)
    assert dead["reason"].startswith("pacs <b>does not</b> answer")
    assert dead["created_at"]
    assert dead["updated_at"]
    assert ask("GET", "/api/deliveries", params={"status": "sent"}).json()["deliveries"] == []
    objects = ask("GET", f"/api/deliveries/{pacs.study_id}/1/pacs/objects").json()
    assert [item["sop_instance_uid"] for item in objects[:2]] == [SEG, SR]
    assert ask("GET", f"/api/deliveries/{pacs.study_id}/9/pacs/objects").status_code == 404
    assert ask("GET", "/api/deliveries", params={"cursor": "nonsense"}).status_code == 404


def test_destination_is_shown_with_its_breaker(ask):
    (pacs,) = ask("GET", "/api/deliveries/destinations").json()["destinations"]
    assert (pacs["name"], pacs["breaker"], pacs["failures"]) == ("pacs", "open", 1)
    assert pacs["deliveries"] == {"failed": 1}
    assert pacs["probe_at"]


def test_dead_letter_is_retried_and_delivered(ask, bench, pacs):
    pacs.down = None
    answer = ask("POST", "/api/deliveries/retry", json={"destination": "pacs"})
    assert answer.json() == {"count": 1}
    bench.store.set_breaker(bench.store.breaker("pacs").probed())
    bench.run_all()
    assert len(pacs.stored) == 3
    assert ask("POST", "/api/deliveries/retry", json={"destination": "pacs"}).status_code == 404


def test_dead_letter_is_discarded(ask, bench, pacs):
    assert ask("POST", "/api/deliveries/discard", json={"study_id": pacs.study_id}).json() == {"count": 1}
    (gone,) = ask("GET", "/api/deliveries").json()["deliveries"]
    assert gone["status"] == "discarded"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("retry", {}, 400),
        ("retry", {"everything": True}, 400),
        ("retry", {"study_id": "unknown"}, 404),
        ("discard", {"destination": "unknown"}, 404),
        ("send", {"study_id": "unknown", "destination": "pacs"}, 404),
        ("send", {"study_id": "unknown", "destination": "unknown"}, 404),
    ],
)
def test_decision_that_cannot_be_is_a_problem_and_changes_nothing(ask, bench, pacs, path, body, status):
    answer = ask("POST", f"/api/deliveries/{path}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert bench.delivery(pacs.study_id).status.value == "failed"


def test_results_that_went_there_are_not_sent_again(ask, pacs):
    answer = ask("POST", "/api/deliveries/send", json={"study_id": pacs.study_id, "destination": "pacs"})
    assert answer.status_code == 409


def test_page_shows_destinations_and_dead_letters_with_buttons(ask, pacs):
    page = ask("GET", "/deliveries").text
    assert "Paused" in page
    assert "pacs &lt;b&gt;does not&lt;/b&gt; answer" in page
    assert f'href="/studies/{pacs.study_id}"' in page
    assert page.count('data-deliveries="/api/deliveries/retry"') == 2
    assert page.count('data-deliveries="/api/deliveries/discard"') == 1
    assert "No delivery is in this state" in ask("GET", "/deliveries", params={"show": "sent"}).text
    assert ask("GET", "/deliveries", params={"show": "everything"}).status_code == 400


def test_fragment_that_did_not_change_is_not_sent_again(ask):
    first = ask("GET", "/fragments/deliveries")
    again = ask("GET", "/fragments/deliveries", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
