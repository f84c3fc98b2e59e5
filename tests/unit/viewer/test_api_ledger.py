"""`/api/studies/{id}/ledger`, the study's page, and what the command makes of the answer."""

import asyncio
import csv
import io
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from rich.console import Console
from typer.testing import CliRunner

from dicom_node.cli import study_ledger
from dicom_node.cli.main import app
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.errors import NotFound
from dicom_node.domain.ledger import (
    DestinationCounts,
    InstanceCounts,
    InstanceEntry,
    InstanceOutcome,
    InstanceRun,
    MadeResult,
    RefusalCount,
    ResultCounts,
    ResultDelivery,
    StudyLedger,
    VersionEntry,
)
from dicom_node.domain.result import ResultKind
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import StudyState
from viewer.api import ledger as ledger_api
from viewer.dashboard.ledger_words import destination_words, instance_words, result_words

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEPT = InstanceEntry(
    2, "2.25.2", "2.25.9", "1.2", "CT", 9, "dimse:CT", NOON, 1, InstanceOutcome.QUARANTINED, "burned-in", 1,
    NOON, None,
)  # fmt: skip
PASSED = InstanceEntry(
    1, "2.25.1", "2.25.9", "1.2", "CT", 9, "dimse:CT", NOON, 1, InstanceOutcome.DEIDENTIFIED, None, 1, NOON,
    NOON, (InstanceRun("brain", "1.0", RunStatus.DONE),),
)  # fmt: skip
RESULT = MadeResult(
    "2.25.5", "2.25.6", "1.3", ResultKind.SR, 1, "brain", "1.0", 10, "a" * 64, NOON, True, None, NOON, None,
    (ResultDelivery("pacs", DeliveryStatus.SENT, 1, NOON, None, None),),
)  # fmt: skip
SUMMARY = StudyLedger(
    "s1",
    "2.25.3",
    StudyState.DONE,
    1,
    InstanceCounts(received=2, deidentified=1, quarantined=1, purged=1),
    ResultCounts(made=3, passed=2, kept_back=1),
    (DestinationCounts("pacs", 2, sent=1, dead=1),),
    (VersionEntry(1, 2, completed_at=NOON, state=StudyState.DONE),),
    duplicates=4,
    discrepancies=("5 instances were counted in, 2 are listed",),
)


class Ledger:
    def summary(self, study_id):
        if study_id != "s1":
            raise NotFound("no study has this id")
        return SUMMARY

    def instances(self, study_id, *, limit, cursor):
        return ([PASSED], "1") if cursor is None else ([KEPT], None)

    def results(self, study_id, *, limit, cursor):
        return [RESULT], None

    def refusals(self, limit):
        return [RefusalCount("dimse:CT", "out-of-resources", 7, NOON, NOON)]


@pytest.fixture
def get():
    app = FastAPI()
    app.include_router(ledger_api.create_router(Ledger()))

    def get(path, **params):
        async def call():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.get(path, params=params)

        return asyncio.run(call())

    return get


def test_ledger_is_counts_and_a_page_of_instances(get):
    page = get("/api/studies/s1/ledger").json()
    assert page["summary"]["instances"] == {
        "received": 2, "deidentified": 1, "quarantined": 1, "waiting": 0, "withdrawn": 0, "purged": 1,
    }  # fmt: skip
    assert page["summary"]["discrepancies"] == ["5 instances were counted in, 2 are listed"]
    assert page["instances"][0]["runs"] == [{"model": "brain", "version": "1.0", "status": "done"}]
    rest = get("/api/studies/s1/ledger", cursor=page["next_cursor"]).json()
    assert rest["instances"][0]["rule"] == "burned-in"
    assert rest["next_cursor"] is None


def test_results_tell_gate_and_deliveries(get):
    (result,) = get("/api/studies/s1/ledger/results").json()["results"]
    assert (result["model"], result["passed"]) == ("brain", True)
    assert result["deliveries"][0]["status"] == "sent"


def test_refusals_are_counts_of_senders(get):
    (refusal,) = get("/api/refusals").json()["refusals"]
    assert (refusal["source"], refusal["code"], refusal["count"]) == ("dimse:CT", "out-of-resources", 7)


def test_unknown_study_is_not_found(get):
    assert get("/api/studies/s2/ledger").status_code == 404
    assert get("/api/studies/s2/ledger/results").status_code == 404


@pytest.fixture
def answered(get):
    """What the command gets from the node."""
    pages = [get("/api/studies/s1/ledger").json(), get("/api/studies/s1/ledger", cursor="1").json()]
    return {
        "summary": pages[0]["summary"],
        "instances": [entry for page in pages for entry in page["instances"]],
        "results": get("/api/studies/s1/ledger/results").json()["results"],
    }


def test_command_writes_sums_that_add_up(answered):
    console = Console(file=io.StringIO(), width=200)
    study_ledger.print_summary(console, answered["summary"])
    text = console.file.getvalue()
    assert "received  2 = 1 deidentified + 1 quarantined; 1 purged" in text
    assert "made      3 = 2 passed + 1 kept back" in text
    assert "for pacs: 2 = 1 sent + 1 dead" in text
    assert "does not add up  5 instances were counted in" in text


def test_command_writes_a_line_for_each_entry(answered):
    console = Console(file=io.StringIO(), width=80)
    study_ledger.print_entries(console, answered)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3
    assert "quarantined (burned-in)" in lines[1]
    assert "pacs sent" in lines[2]


def test_command_writes_a_row_for_each_entry(answered, capsys):
    study_ledger.write_csv(answered)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["entry"] for row in rows] == ["instance", "instance", "result"]
    assert rows[0]["runs"] == "brain/1.0:done"
    assert rows[2]["deliveries"] == "pacs:sent"


def test_page_says_the_counts_in_words():
    assert instance_words(SUMMARY.instances) == "1 de-identified, 1 kept back; 1 purged"
    assert result_words(SUMMARY.results) == "2 passed the gate, 1 kept back"
    assert destination_words(SUMMARY.deliveries[0]) == "1 sent, 1 given up"
    assert instance_words(InstanceCounts()) == "none"


@pytest.mark.parametrize("words", [["studies", "--ledger"], ["studies", "s1", "--csv"]])
def test_ledger_needs_a_study_and_csv_the_ledger(words):
    assert CliRunner().invoke(app, words).exit_code == 2
