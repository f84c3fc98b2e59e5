"""Each kind of discrepancy is made on real stores and reported; what is merely busy is not."""

import io
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from dicom_node.domain.notification import EventKind, Notification, NotificationState
from dicom_node.domain.reconciliation import DiscrepancyKind as Kind
from dicom_node.domain.study import Slot
from dicom_node.index.tables.catalog import catalog_instances
from dicom_node.index.tables.deliveries import result_deliveries
from dicom_node.index.tables.outcomes import results
from dicom_node.index.tables.quarantine import quarantine
from dicom_node.index.tables.studies import studies


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
    (found,) = node.only(Kind.INSTANCE_WITHOUT_BYTES)
    assert found.study_id == study_id
    assert found.subject.startswith(f"spool:{study_id}/0/")


def test_instances_whose_key_is_gone(node):
    node.receive()
    node.files("keys/slots")[0].unlink()
    node.only(Kind.INSTANCE_WITHOUT_BYTES, 3)


def orphan(node, study_id):
    return node.stores.spool.write(Slot(study_id, 0), "2.25.77-abc.dcm", io.BytesIO(b"torn off"))


def test_bytes_that_no_instance_claims_are_removed_on_demand(node):
    study_id = node.done_study()
    ref = orphan(node, study_id)
    assert node.reconcile(repair=True).clean, "it may be on its way"
    node.age()
    (found,) = node.only(Kind.BYTES_WITHOUT_INSTANCE)
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
    (found,) = node.only(Kind.PURGE_UNFINISHED)
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
    node.only(Kind.PURGED_WITH_BYTES)
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
    node.only(Kind.PURGED_WITH_KEY)
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
    node.only(Kind.SOURCE_WITHOUT_BYTES)


def test_result_whose_file_is_gone(node):
    node.done_study()
    node.files("results")[0].unlink()
    node.only(Kind.RESULT_WITHOUT_BYTES)


def test_result_that_nobody_can_find(node):
    node.done_study()
    node.run(
        update(catalog_instances)
        .where(catalog_instances.c.ref.like("results:%.1.1.dcm"))
        .values(listed=False),
    )
    node.only(Kind.RESULT_NOT_PUBLISHED)


def test_published_result_that_the_index_does_not_know(node):
    node.done_study()
    node.run(delete(results).where(results.c.position == 0))
    assert node.found() == {Kind.PUBLISHED_WITHOUT_RESULT: 1, Kind.SUMS_DIFFER: 1}


def test_file_that_is_no_result(node):
    study_id = node.done_study()
    node.stores.results.write(Slot(study_id, 1), "2.25.77.dcm", io.BytesIO(b"nobody's"))
    assert node.reconcile().clean
    node.age()
    node.only(Kind.BYTES_WITHOUT_RESULT)


def test_files_of_expired_results_are_removed_on_demand(node):
    study_id = node.done_study()
    node.purge(study_id, 1)
    node.catalog.withdraw_results(study_id, before_version=2)
    node.vault.forget(study_id)
    node.ledger.expired(study_id)
    node.only(Kind.EXPIRED_WITH_BYTES)
    assert node.reconcile(repair=True).clean
    assert node.files("results") == []


@pytest.mark.parametrize("area", ["quarantine", "keys/quarantine"])
def test_quarantined_instance_whose_bytes_or_key_are_gone(node, area):
    node.done_study(held=1)
    node.files(area)[0].unlink()
    node.only(Kind.QUARANTINED_WITHOUT_BYTES)


def test_bytes_in_quarantine_that_nobody_claims(node):
    node.done_study(held=1)
    node.run(delete(quarantine))
    assert Kind.BYTES_WITHOUT_QUARANTINED not in node.found()
    node.age()
    assert node.found()[Kind.BYTES_WITHOUT_QUARANTINED] == 1


def test_identity_that_results_need_and_one_that_nobody_needs(node):
    study_id = node.done_study()
    node.vault.forget(study_id)
    node.only(Kind.IDENTITY_MISSING)
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
    (found,) = node.only(Kind.IDENTITY_WITHOUT_STUDY)
    assert found.study_id == "lost"


def test_study_that_no_workflow_works_on(node):
    study_id = node.receive()
    node.process(study_id)
    node.works = lambda *which: which == (study_id, 1)
    node.clock.ahead = timedelta(hours=2)
    assert node.reconcile().clean
    node.works = lambda *_: False
    (found,) = node.only(Kind.STUDY_STUCK)
    assert found.subject == f"{study_id}/processing"
    node.finish(study_id, 1, results=node.index.results(study_id, 1))
    assert node.reconcile().clean


def test_study_that_nobody_started(node):
    study_id = node.receive()
    node.clock.ahead = timedelta(hours=2)
    node.holds = lambda held: held == study_id
    assert node.reconcile().clean, "a pull still brings instances"
    node.holds = lambda _: False
    node.only(Kind.STUDY_STUCK)


def test_sums_that_differ(node):
    node.done_study()
    node.run(update(studies).values(received_instances=9))
    (found,) = node.only(Kind.SUMS_DIFFER)
    assert found.text == "9 instances were counted in, 3 are listed"


def test_delivery_to_a_destination_that_is_gone(node):
    node.done_study()
    node.destinations = set()
    (found,) = node.only(Kind.DELIVERY_TO_NOBODY)
    assert "pacs" in found.text


def test_delivery_of_an_object_that_the_gate_did_not_pass(node):
    study_id = node.done_study()
    row = {"study_id": study_id, "version": 1, "destination": "pacs", "sop_instance_uid": "2.25.77"}
    node.run(insert(result_deliveries).values(row | {"position": 9, "status": "pending", "attempts": 0}))
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
    (found,) = node.only(Kind.NOTIFICATION_TO_NOBODY)
    assert found.subject == "ris"
