"""The deep look, what is merely busy, and what becomes of reports."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from dicom_node.domain.reconciliation import DiscrepancyKind as Kind
from dicom_node.domain.reconciliation import ReconciliationReport
from dicom_node.domain.study import Slot, StudyState
from dicom_node.index.tables.deliveries import closings
from dicom_node.index.tables.studies import purges, studies


@pytest.mark.parametrize("area", ["spool", "work", "results"])
def test_deep_look_finds_one_changed_byte(node, area):
    node.done_study()
    path = node.files(area)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert node.reconcile().clean
    (found,) = node.only(Kind.BYTES_DAMAGED, deep=True)
    assert found.subject.startswith(f"{area}:")


def test_deep_look_finds_bytes_of_another_instance(node):
    """Sealed well, but not what was received under this name."""
    node.done_study()
    node.stores.spool.write(Slot(*_slot(node)), node.files("spool")[0].name, io.BytesIO(b"DICM?"))
    node.only(Kind.BYTES_DAMAGED, deep=True)


def _slot(node):
    path = node.files("spool")[0]
    return path.parent.parent.name, int(path.parent.name)


def test_what_is_right_again_at_the_second_look_is_not_reported(node):
    study_id = node.done_study()
    path = node.files("spool")[0]
    data = path.read_bytes()
    path.unlink()
    node.between_looks = lambda: path.write_bytes(data)
    assert node.reconcile().clean
    node.between_looks = lambda: node.purge(study_id, 1)
    path.unlink()
    assert node.reconcile().clean


def test_purge_in_the_middle_of_a_look_is_no_discrepancy(node):
    study_id = node.done_study()
    real = node.stores.spool.listing
    seen = []

    def listing(slot):
        if not seen:
            seen.append(slot)
            node.purge(study_id, 1)
        return real(slot)

    node.stores.spool.listing = listing
    assert node.reconcile().clean


def test_report_that_is_stopped_is_not_kept(node):
    node.done_study()
    node.stopped = True
    assert node.reconcile() is None
    assert node.reports.latest() is None


def test_only_the_latest_reports_stay(node):
    for _ in range(25):
        last = node.reconcile()
    with node.database.connect() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM reconciliations").scalar()
    assert kept == 20
    assert node.reports.latest() == last


def test_report_survives_json(node):
    node.done_study()
    node.files("spool")[0].unlink()
    report = node.reconcile()
    assert ReconciliationReport.from_json(json.loads(json.dumps(report.as_json()))) == report


def test_closed_study_waits_for_its_deliveries_as_long_as_it_takes(node):
    study_id = node.receive()
    version, made = node.process(study_id)
    node.finish(study_id, version, results=made)
    node.run(update(studies).values(state=StudyState.PROCESSING.value))
    node.clock.ahead = timedelta(days=3)
    assert node.reconcile().clean
    node.run(delete(closings))
    assert node.found() == {Kind.STUDY_STUCK: 1}


def test_purge_row_of_an_earlier_epoch_is_looked_at_too(node):
    study_id = node.done_study()
    node.purge(study_id, 1)
    node.run(update(purges).values(purged_at=None))
    node.clock.ahead = timedelta(hours=2)
    node.only(Kind.PURGE_UNFINISHED)


def test_busy_node_gives_no_false_alarm(node):
    """Instances arrive, studies are processed, delivered and purged while it looks again and again."""
    done = threading.Event()

    def work(_):
        for _ in range(4):
            study_id = node.receive()
            version, made = node.process(study_id)
            node.finish(study_id, version, results=made)
            node.purge(study_id, version)

    with ThreadPoolExecutor(3) as threads:
        work_done = [threads.submit(work, number) for number in range(2)]
        looks = threads.submit(_look_until, node, done)
        for each in work_done:
            each.result()
        done.set()
        reports = looks.result()
    assert reports
    assert [each for report in reports for each in report.discrepancies] == []
    assert node.reconcile(deep=True).clean


def _look_until(node, done):
    reports = []
    while not done.is_set():
        reports.append(node.reconcile(deep=True))
    return reports
