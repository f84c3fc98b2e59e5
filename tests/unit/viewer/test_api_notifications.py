import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI

from dicom_node.domain.notification import EventKind, Notification, NotificationState
from viewer.api import notifications

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEAD = Notification(
    "msg_1", "ris", EventKind.DELIVERY_FAILED, "s1", 1, "pacs", "{}", NotificationState.DEAD, 9, NOW, NOW, NOW
)


class Desk:
    listeners = ("ris",)

    def __init__(self):
        self.retried = []

    def page(self, **query):
        self.query = query
        return [DEAD], None

    def retry(self, by, *, message_id=None, listener=None):
        self.retried.append((by, message_id, listener))
        return 0 if message_id == "unknown" else 1


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def ask(desk):
    app = FastAPI()
    app.include_router(notifications.create_router(desk))

    def ask(method, path, **options):
        async def call():
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, f"/api/notifications{path}", **options)

        return asyncio.run(call())

    return ask


def test_messages_are_listed_without_their_body(ask, desk):
    answer = ask("GET", "", params={"state": "dead", "limit": 5}).json()
    assert desk.query["state"] is NotificationState.DEAD
    assert answer["listeners"] == ["ris"]
    (message,) = answer["notifications"]
    assert (message["event"], message["state"], message["attempts"]) == ("delivery-failed", "dead", 9)
    assert "body" not in message


def test_retry_names_who_asked(ask, desk):
    assert ask("POST", "/msg_1/retry").json() == {"queued": 1}
    assert ask("POST", "/retry", json={"listener": "ris"}).json() == {"queued": 1}
    assert desk.retried == [("local", "msg_1", None), ("local", None, "ris")]


def test_retry_of_what_was_not_given_up_is_not_found(ask):
    assert ask("POST", "/unknown/retry").status_code == 404
