"""The page about pulls: what is under way, without whom it is about."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from dicom_node.domain.pull import Pull, PullState
from dicom_node.domain.study import Completion
from viewer.dashboard.pull_pages import create_router
from viewer.dashboard.render import create_renderer
from viewer.dashboard.wording import COMPLETIONS, PULLS
from viewer.node_info import NodeInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Pulls:
    """What is under way."""

    def __init__(self, *pulls: Pull) -> None:
        self.sources: tuple[str, ...] = ("pacs",)
        self.pulls = pulls

    def newest(self, limit: int = 100) -> Sequence[Pull]:
        return self.pulls[:limit]


def get(pulls: Any, path: str = "/pulls", address: str = "127.0.0.1", **headers: str) -> httpx.Response:
    app = FastAPI()
    node = NodeInfo("Test", "0", "NODE", "127.0.0.1", lambda: 11112, ())
    app.include_router(create_router(pulls, create_renderer(node)))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.get(path, headers=headers)

    return asyncio.run(ask())


def test_pulls_are_shown_with_progress_reason_and_studies() -> None:
    running = Pull("running-1", "pacs", PullState.RUNNING, NOON, NOON, 9, 4, 0, ("study-1",))
    failed = Pull("failed-12", "pacs", PullState.FAILED, NOON, NOON, 3, 2, 1, (), "it <b>broke</b> off")
    page = get(Pulls(running, failed)).text
    assert 'value="4" max="9"' in page
    assert "4 of 9 instances" in page
    assert 'href="/studies/study-1"' in page
    assert "it &lt;b&gt;broke&lt;/b&gt; off" in page
    assert page.count("/cancel") == 1
    assert 'action="/api/pulls/running-1/cancel"' in page
    assert 'data-moving="1"' in page


def test_pull_whose_archive_was_not_asked_yet_shows_what_is_here() -> None:
    page = get(Pulls(Pull("queued-1", "pacs", PullState.QUEUED, NOON, NOON))).text
    assert "Waiting" in page
    assert "so far" in page
    assert 'value="' not in page.partition("<aside")[0]


def test_page_without_sources_says_what_to_configure() -> None:
    pulls = Pulls()
    pulls.sources = ()
    page = get(pulls).text
    assert "dimse.peers" in page
    assert "pull-form" not in page


def test_form_sends_nothing_in_a_url() -> None:
    page = get(Pulls()).text
    assert "No pull yet" in page
    form = page.partition('<form id="pull-form"')[2].partition("</form>")[0]
    assert "action=" not in form
    assert 'method="get"' not in form


def test_fragment_is_304_where_nothing_changed() -> None:
    first = get(Pulls(), "/fragments/pulls")
    assert get(Pulls(), "/fragments/pulls", **{"If-None-Match": first.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/pulls", "/fragments/pulls"])
def test_only_an_operator_sees_it(path: str) -> None:
    answer = get(Pulls(), path, address="192.0.2.7")
    assert (answer.status_code, answer.json()["code"]) == (403, "not-authorised")


def test_every_state_and_every_completion_has_words() -> None:
    assert set(PULLS) == set(PullState)
    assert set(COMPLETIONS) == set(Completion)
