"""The last reconciliation as JSON and as a page, and the note of it on every page."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI

from dicom_node.domain.reconciliation import Discrepancy, DiscrepancyKind, ReconciliationReport
from viewer.api import reconciliation as reconciliation_api
from viewer.dashboard import reconciliation_pages
from viewer.dashboard.render import create_renderer
from viewer.node_info import NodeInfo

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOST = Discrepancy(
    DiscrepancyKind.RESULT_WITHOUT_BYTES, "s1", "results:s1/1/<b>.dcm", "the result's file is gone"
)
FOUND = ReconciliationReport("r1", NOON, NOON, False, False, 7, 40, {LOST.kind.value: 1}, (LOST,))
CLEAN = ReconciliationReport("r2", NOON, NOON, True, False, 7, 40, {}, ())


class Reports:
    def __init__(self):
        self.report = None

    def latest(self):
        return self.report


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def get(reports):
    def note():
        return None if reports.report is None or reports.report.clean else "1 discrepancies"

    info = NodeInfo("Site", "0", "A", "127.0.0.1", lambda: 0, ledger_note=note)
    app = FastAPI()
    app.include_router(reconciliation_api.create_router(reports))
    app.include_router(reconciliation_pages.create_router(reports, create_renderer(info)))

    def get(path):
        async def call():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.get(path)

        return asyncio.run(call())

    return get


def test_report_is_not_found_before_the_first(get):
    assert get("/api/reconciliation").status_code == 404
    assert "Nothing has been compared yet" in get("/reconciliation").text


def test_report_says_what_does_not_fit(get, reports):
    reports.report = FOUND
    answer = get("/api/reconciliation").json()
    assert (answer["clean"], answer["counts"]) == (False, {"result-without-bytes": 1})
    assert answer["discrepancies"][0]["study_id"] == "s1"
    page = get("/reconciliation").text
    assert "result-without-bytes" in page
    assert "&lt;b&gt;" in page
    assert "1 discrepancies" in page


def test_clean_report_is_told_without_a_note(get, reports):
    reports.report = CLEAN
    assert get("/api/reconciliation").json()["clean"] is True
    page = get("/reconciliation").text
    assert "Everything fits." in page
    assert "every byte of them" in page
    assert "What does not fit" not in page
