"""Rendered resources as a browser shows them that is led to their address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dicomweb_node import Node, Served
from playwright.sync_api import expect
from rendered_samples import cine, report

from viewer.headers import SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    node = Node()
    node.publish(cine())
    sr = report(1)
    node.publish(sr)
    node.app.add_middleware(SecurityHeaders)
    with Served(node.app) as server:
        yield server.url


def test_film_plays(served: str, open_page: Any) -> None:
    page = open_page(f"{served}/studies/2.25.10/series/2.25.20/instances/2.25.20.1/rendered?accept=video/mp4")
    film = page.locator("video")
    expect(film).to_have_js_property("videoWidth", 46)
    assert film.evaluate("film => film.videoHeight") == 32
    assert film.evaluate("film => film.duration") == pytest.approx(1.25, abs=0.05)


def test_report_is_a_page(served: str, open_page: Any) -> None:
    page = open_page(f"{served}/studies/2.25.10/series/2.25.40/instances/2.25.40.1/rendered")
    assert page.locator("h1").inner_text().strip()


def test_base_leads_on(served: str, open_page: Any) -> None:
    page = open_page(f"{served}/")
    assert page.locator("h1").inner_text() == "DICOMweb"
    assert page.locator("tr").count() > 40
    assert page.locator("a", has_text="OpenAPI").get_attribute("href") == f"{served}/openapi.json"
