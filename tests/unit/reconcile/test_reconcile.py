"""Each kind of discrepancy is made on real stores and reported; what is merely busy is not."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from dicom_node.domain.notification import EventKind, Notification, NotificationState
from dicom_node.domain.reconciliation import DiscrepancyKind as Kind
from dicom_node.domain.reconciliation import ReconciliationReport
from dicom_node.domain.study import Slot, StudyState
from dicom_node.index.tables.catalog import catalog_instances
from dicom_node.index.tables.deliveries import closings, result_deliveries
from dicom_node.index.tables.outcomes import results
from dicom_node.index.tables.quarantine import quarantine
from dicom_node.index.tables.studies import purges, studies


def run(node, statement):
    with node.database.begin() as connection:
        connection.execute(statement)


def only(node, kind, count=1, **how):
    """The discrepancies, where they are of one kind."""
    report = node.reconcile(**how)
    assert dict(report.counts) == {kind.value: count}
    return report.discrepancies


def test_studies_of_all_ages_are_no_discrepancy(node):
    node.receive()
    processed = node.receive()
    node.process(processed)
    node.done_study(held=1)
    purged = node.done_study()
    node.purge(purged, 1)
    expired = node.done_study()
    node.purge(expired, 1)
    node.catalog.withdraw_results(expired, before_version=2)
    node.stores.results.delete_slot(Slot(expired, 1))
    node.vault.forget(expired)
    node.ledger.expired(expired)
    node.age()
    report = node.reconcile(deep=True)
    assert report.clean
    assert report.discrepancies == ()
    assert (report.studies, report.blobs) == (5, 3 + 8 + 8 + 2)


def test_late_instances_and_a_second_version_are_no_discrepancy(node):
    study_id = node.done_study()
    uid = node.index.study(study_id).study_instance_uid
    original = {value: key for key, value in node.receiver._pseudonymizer._known.items()}[uid]
    node.purge(study_id, 1)
    assert node.receive(2, study=original) == study_id
    node.age()
    assert node.reconcile(deep=True).clean
    version, made = node.process(study_id)
    node.finish(study_id, version, results=made)
    node.age()
    assert node.reconcile(deep=True).clean


def test_instance_whose_bytes_are_gone(node):
    study_id = node.done_study()
    node.files("spool")[0].unlink()
    (found,) = only(node, Kind.INSTANCE_WITHOUT_BYTES)
    assert found.study_id == study_id
    assert found.subject.startswith(f"spool:{study_id}/0/")


def test_instances_whose_key_is_gone(node):
    node.receive()
    node.files("keys/slots")[0].unlink()
    only(node, Kind.INSTANCE_WITHOUT_BYTES, 3)


def orphan(node, study_id):
    return node.stores.spool.write(Slot(study_id, 0), "2.25.77-abc.dcm", io.BytesIO(b"torn off"))


def test_bytes_that_no_instance_claims_are_removed_on_demand(node):
    study_id = node.done_study()
    ref = orphan(node, study_id)
    assert node.reconcile(repair=True).clean, "it may be on its way"
    node.age()
    (found,) = only(node, Kind.BYTES_WITHOUT_INSTANCE)
    assert (found.subject, found.repaired) == (ref, False)
    report = node.reconcile(repair=True)
    assert report.clean
    assert [each.repaired for each in report.discrepancies] == [True]
    assert len(node.files("spool")) == 3
    assert [event for event, _ in node.audit] == ["reconciliation.repaired"]
    assert node.reconcile(deep=True).clean


def test_bytes_that_are_written_again_while_they_are_repaired_stay(node):
    study_id = node.done_study()
    orphan(node, study_id)
    node.age()
    node.between_looks = lambda: orphan(node, study_id)
    assert node.found(repair=True) == {}
    assert len(node.files("spool")) == 4


def test_purge_that_did_not_end_is_ended_on_demand(node):
    study_id = node.done_study()
    node.index.begin_purge(study_id, 1)
    node.catalog.withdraw_sources(study_id)
    assert node.reconcile().clean, "it may be on its way"
    node.clock.ahead = timedelta(hours=2)
    (found,) = only(node, Kind.PURGE_UNFINISHED)
    assert found.subject == f"{study_id}/0"
    assert node.reconcile(repair=True).clean
    assert node.files("spool") + node.files("work") + node.files("keys/slots") == []
    assert node.index.study(study_id).purged_at is not None
    assert node.reconcile().clean


def test_bytes_of_what_is_purged_are_removed_on_demand(node):
    study_id = node.done_study()
    kept = {path: path.read_bytes() for path in node.files("spool")}
    node.purge(study_id, 1)
    for path, data in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    node.clock.ahead = timedelta(hours=2)
    only(node, Kind.PURGED_WITH_BYTES)
    assert node.reconcile(repair=True).clean
    assert node.files("spool") == []


def test_key_of_what_is_purged_is_destroyed_on_demand(node):
    study_id = node.done_study()
    (path,) = node.files("keys/slots")
    key = path.read_bytes()
    node.purge(study_id, 1)
    path.write_bytes(key)
    assert node.reconcile().clean, "a sender that was slower than the purge may have made it"
    node.clock.ahead = timedelta(hours=2)
    only(node, Kind.PURGED_WITH_KEY)
    assert node.reconcile(repair=True).clean
    assert node.files("keys/slots") == []


def test_bytes_and_key_of_an_unknown_study_are_never_removed(node):
    for store in (node.stores.spool, node.stores.work, node.stores.results):
        store.write(Slot("lost", 0), "a.dcm", io.BytesIO(b"lost"))
    assert node.reconcile(repair=True).clean, "a study is made before its bytes, but who knows"
    node.age()
    node.clock.ahead = timedelta(hours=2)
    report = node.reconcile(repair=True)
    assert report.counts == {Kind.BYTES_WITHOUT_STUDY: 3, Kind.KEY_WITHOUT_STUDY: 1}
    assert len(node.files("spool") + node.files("work") + node.files("results")) == 3


def test_source_that_can_be_searched_but_not_fetched(node):
    node.done_study()
    node.files("work")[0].unlink()
    only(node, Kind.SOURCE_WITHOUT_BYTES)


def test_result_whose_file_is_gone(node):
    node.done_study()
    node.files("results")[0].unlink()
    only(node, Kind.RESULT_WITHOUT_BYTES)


def test_result_that_nobody_can_find(node):
    node.done_study()
    run(
        node,
        update(catalog_instances)
        .where(catalog_instances.c.ref.like("results:%.1.1.dcm"))
        .values(listed=False),
    )
    only(node, Kind.RESULT_NOT_PUBLISHED)


def test_published_result_that_the_index_does_not_know(node):
    node.done_study()
    run(node, delete(results).where(results.c.position == 0))
    assert node.found() == {Kind.PUBLISHED_WITHOUT_RESULT: 1, Kind.SUMS_DIFFER: 1}


def test_file_that_is_no_result(node):
    study_id = node.done_study()
    node.stores.results.write(Slot(study_id, 1), "2.25.77.dcm", io.BytesIO(b"nobody's"))
    assert node.reconcile().clean
    node.age()
    only(node, Kind.BYTES_WITHOUT_RESULT)


def test_files_of_expired_results_are_removed_on_demand(node):
    study_id = node.done_study()
    node.purge(study_id, 1)
    node.catalog.withdraw_results(study_id, before_version=2)
    node.vault.forget(study_id)
    node.ledger.expired(study_id)
    only(node, Kind.EXPIRED_WITH_BYTES)
    assert node.reconcile(repair=True).clean
    assert node.files("results") == []


@pytest.mark.parametrize("area", ["quarantine", "keys/quarantine"])
def test_quarantined_instance_whose_bytes_or_key_are_gone(node, area):
    node.done_study(held=1)
    node.files(area)[0].unlink()
    only(node, Kind.QUARANTINED_WITHOUT_BYTES)


def test_bytes_in_quarantine_that_nobody_claims(node):
    node.done_study(held=1)
    run(node, delete(quarantine))
    assert Kind.BYTES_WITHOUT_QUARANTINED not in node.found()
    node.age()
    assert node.found()[Kind.BYTES_WITHOUT_QUARANTINED] == 1


def test_identity_that_results_need_and_one_that_nobody_needs(node):
    study_id = node.done_study()
    node.vault.forget(study_id)
    only(node, Kind.IDENTITY_MISSING)
    other = node.done_study()
    node.purge(other, 1)
    node.stores.results.delete_slot(Slot(other, 1))
    node.catalog.withdraw_results(other, before_version=2)
    node.ledger.expired(other)
    assert Kind.IDENTITY_LEFT_OVER not in node.found()
    node.clock.ahead = timedelta(days=32)
    assert node.found()[Kind.IDENTITY_LEFT_OVER] == 1


def test_identity_of_an_unknown_study(node):
    study_id = node.done_study()
    identity = node.vault.get(study_id)
    node.vault.put("lost", identity)
    (found,) = only(node, Kind.IDENTITY_WITHOUT_STUDY)
    assert found.study_id == "lost"


def test_study_that_no_workflow_works_on(node):
    study_id = node.receive()
    node.process(study_id)
    node.works = lambda *which: which == (study_id, 1)
    node.clock.ahead = timedelta(hours=2)
    assert node.reconcile().clean
    node.works = lambda *_: False
    (found,) = only(node, Kind.STUDY_STUCK)
    assert found.subject == f"{study_id}/processing"
    node.finish(study_id, 1, results=node.index.results(study_id, 1))
    assert node.reconcile().clean


def test_study_that_nobody_started(node):
    study_id = node.receive()
    node.clock.ahead = timedelta(hours=2)
    node.holds = lambda held: held == study_id
    assert node.reconcile().clean, "a pull still brings instances"
    node.holds = lambda _: False
    only(node, Kind.STUDY_STUCK)


def test_sums_that_differ(node):
    node.done_study()
    run(node, update(studies).values(received_instances=9))
    (found,) = only(node, Kind.SUMS_DIFFER)
    assert found.text == "9 instances were counted in, 3 are listed"


def test_delivery_to_a_destination_that_is_gone(node):
    node.done_study()
    node.destinations = set()
    (found,) = only(node, Kind.DELIVERY_TO_NOBODY)
    assert "pacs" in found.text


def test_delivery_of_an_object_that_the_gate_did_not_pass(node):
    study_id = node.done_study()
    row = {"study_id": study_id, "version": 1, "destination": "pacs", "sop_instance_uid": "2.25.77"}
    run(node, insert(result_deliveries).values(row | {"position": 9, "status": "pending", "attempts": 0}))
    found = node.found()
    assert found[Kind.DELIVERY_OF_NOTHING] == 1


def test_message_to_a_listener_that_is_gone(node):
    now = node.clock.now()
    node.notifications.add(
        [
            Notification(
                "msg_1", "ris", EventKind.STUDY_ENDED, "s", 1, None, "{}", NotificationState.PENDING, 0, now,
                now, now,
            )
        ]
    )  # fmt: skip
    assert node.reconcile().clean
    node.listeners = set()
    (found,) = only(node, Kind.NOTIFICATION_TO_NOBODY)
    assert found.subject == "ris"


@pytest.mark.parametrize("area", ["spool", "work", "results"])
def test_deep_look_finds_one_changed_byte(node, area):
    node.done_study()
    path = node.files(area)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert node.reconcile().clean
    (found,) = only(node, Kind.BYTES_DAMAGED, deep=True)
    assert found.subject.startswith(f"{area}:")


def test_deep_look_finds_bytes_of_another_instance(node):
    """Sealed well, but not what was received under this name."""
    node.done_study()
    node.stores.spool.write(Slot(*_slot(node)), node.files("spool")[0].name, io.BytesIO(b"DICM?"))
    only(node, Kind.BYTES_DAMAGED, deep=True)


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
    run(node, update(studies).values(state=StudyState.PROCESSING.value))
    node.clock.ahead = timedelta(days=3)
    assert node.reconcile().clean
    run(node, delete(closings))
    assert node.found() == {Kind.STUDY_STUCK: 1}


def test_purge_row_of_an_earlier_epoch_is_looked_at_too(node):
    study_id = node.done_study()
    node.purge(study_id, 1)
    run(node, update(purges).values(purged_at=None))
    node.clock.ahead = timedelta(hours=2)
    only(node, Kind.PURGE_UNFINISHED)


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
