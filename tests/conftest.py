"""Fixtures of all tests: they live in `tests/support`. CI may skip nothing that it could have installed."""

import os

import pynetdicom.ae
import pynetdicom.transport
import pytest
from hypothesis import settings

from dicom_node.dimse.closing_socket import ClosingSocket

# CI draws the same examples in every run: new ones are for those who can mend what they find.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

# Contracts of ports, which several tests hold adapters to: their asserts explain themselves too. Named here,
# before any of them is imported.
pytest.register_assert_rewrite(
    "catalog_contract",
    "commitment_contract",
    "delivery_contract",
    "index_contract",
    "ledger_contract",
    "matching_contract",
    "notification_contract",
    "pulls_contract",
    "quarantine_contract",
    "upgrade_contract",
    "worklist_contract",
)

pytest_plugins = [
    "ports",
    "dcmtk",
    "real_orthanc",
    "running_node",
    "head_series",
    "real_heads",
    "small_disk",
    "certificates",
    "empty_database",
]

#: How the reason of a skip begins whose cure is an installation.
NEEDS = "Skipped: needs "


@pytest.fixture(scope="session", autouse=True)
def _peers_close_their_connections():
    """pynetdicom's own entities leave some connections to the garbage collector, and pytest minds."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (pynetdicom.ae, pynetdicom.transport):
            patch.setattr(module, "AssociationSocket", ClosingSocket)
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than there are processors: much of their time tests wait for nodes and peers."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_addoption(parser):
    parser.addoption(
        "--write-conformance",
        action="store_true",
        help="write the tables of docs/conformance.md anew instead of comparing them",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _refuse_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _refuse_in_ci((yield))


def _refuse_in_ci(report):
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if reason.startswith((NEEDS, "Skipped: could not import")):
        report.outcome = "failed"
        report.longrepr = f"{reason.removeprefix('Skipped: ')}: CI installs it, so this may not be skipped"
    return report
