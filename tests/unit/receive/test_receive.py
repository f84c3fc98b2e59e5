"""The receive stage: what it stores, what it refuses, and what happens when things meet."""

import io
import threading

import pytest
from dimse_objects import (
    CountingMetrics,
    FakeIndex,
    FakePseudonymizer,
    FakeSpool,
    FakeWatermark,
    RecordingAudit,
    make_instance,
    part10,
)
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    MRImageStorage,
)

from dicom_node.domain.errors import (
    InternalError,
    OutOfResources,
    SopClassMismatch,
    StorageFailure,
    TruncatedDataset,
    UnsupportedSopClass,
)
from dicom_node.domain.instance import IncomingInstance, StoreOutcome
from dicom_node.pipeline.receive import ReceiveStage


class Bench:
    def __init__(self, **options):
        self.index = FakeIndex()
        self.spool = FakeSpool()
        self.pseudonymizer = FakePseudonymizer()
        self.watermark = FakeWatermark()
        self.metrics = CountingMetrics()
        self.audit = RecordingAudit()
        self.stage = self.make(**options)

    def make(self, **options):
        return ReceiveStage(
            self.index, self.spool, self.pseudonymizer, self.watermark, self.metrics, self.audit, **options
        )

    def receive(self, data, source="dimse:SENDER", **claims):
        return self.stage.receive(IncomingInstance(io.BytesIO(data), source, **claims))


@pytest.fixture
def bench():
    return Bench()


def test_stores_the_bytes_as_they_are_under_pseudonymous_names(bench):
    ds = make_instance()
    data = part10(ds)

    receipt = bench.receive(data)

    ((ref, stored),) = bench.spool.blobs.items()
    assert stored == data
    row = bench.index.rows[receipt.sop_instance_uid]
    assert (row.spool_ref, row.size, row.source) == (ref, len(data), "dimse:SENDER")
    assert receipt.outcome is StoreOutcome.STORED
    assert receipt.sent.sop_instance_uid == ds.SOPInstanceUID
    assert ds.SOPInstanceUID not in ref + receipt.study_instance_uid
    assert receipt.sop_instance_uid == bench.pseudonymizer.uid(ds.SOPInstanceUID)
    assert bench.metrics.of("instances_received", source="dimse", outcome="stored") == 1


def test_store_same_bytes_twice_keeps_one_copy(bench):
    data = part10(make_instance())

    bench.receive(data)
    receipt = bench.receive(data, source="stow")

    assert receipt.outcome is StoreOutcome.DUPLICATE
    assert list(bench.spool.blobs.values()) == [data]
    assert bench.metrics.of("instances_received", source="stow", outcome="duplicate") == 1


def test_same_data_set_with_another_file_meta_is_the_same_instance(bench):
    data = part10(make_instance())
    bench.receive(data)

    receipt = bench.receive(b"\x2a" * 128 + data[128:])

    assert receipt.outcome is StoreOutcome.DUPLICATE
    assert len(bench.spool.blobs) == 1


def test_other_bytes_under_a_known_uid_leave_the_first_copy(bench):
    ds = make_instance()
    first = part10(ds)
    ds.PatientName = "Canary^Other"
    bench.receive(first)

    receipt = bench.receive(part10(ds))

    assert receipt.outcome is StoreOutcome.CONFLICT
    assert list(bench.spool.blobs.values()) == [first]
    assert [event for event, _ in bench.audit.events] == ["instance.conflict"]
    assert "Canary" not in str(bench.audit.events)


def test_same_instance_on_many_associations_at_once_is_one(bench):
    data = part10(make_instance())
    gate = threading.Barrier(8)
    outcomes = []

    def send():
        gate.wait()
        outcomes.append(bench.receive(data).outcome)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [StoreOutcome.DUPLICATE] * 7 + [StoreOutcome.STORED]
    assert list(bench.spool.blobs.values()) == [data]


def test_asks_for_the_slot_of_a_study_once(bench):
    ds = make_instance()
    bench.receive(part10(ds))
    ds.SOPInstanceUID = make_instance().SOPInstanceUID
    bench.receive(part10(ds))

    assert bench.index.opened == 1
    assert len(bench.index.rows) == 2


def test_writes_again_when_the_study_was_purged_meanwhile(bench):
    ds = make_instance()
    bench.receive(part10(ds))
    bench.index.purge(bench.pseudonymizer.uid(ds.StudyInstanceUID))
    bench.spool.blobs.clear()

    receipt = bench.receive(part10(ds))

    assert receipt.outcome is StoreOutcome.STORED
    assert [ref.split("/")[1] for ref in bench.spool.blobs] == ["1"]
    assert bench.index.rows[receipt.sop_instance_uid].epoch == 1


def test_writes_again_when_a_purge_takes_the_key_while_it_writes(bench):
    ds = make_instance()
    bench.receive(part10(ds))
    study = bench.pseudonymizer.uid(ds.StudyInstanceUID)
    purges = iter([True])

    def purged_now():
        if next(purges, False):
            bench.index.purge(study)
            raise StorageFailure("the slot's key is gone")

    bench.spool._hook = purged_now

    assert bench.receive(part10(ds)).outcome is StoreOutcome.STORED


def test_a_store_that_fails_for_good_is_reported_and_leaves_nothing(bench):
    def fail():
        raise StorageFailure("the disk does not answer; look at it")

    bench.spool._hook = fail

    with pytest.raises(StorageFailure):
        bench.receive(part10(make_instance()))
    assert not bench.index.rows
    assert bench.metrics.of("instances_refused", source="dimse", code="storage-failure") == 1


def test_gives_up_on_a_study_that_is_purged_without_end(bench):
    ds = make_instance()
    study = bench.pseudonymizer.uid(ds.StudyInstanceUID)
    bench.index.open_slot(study)
    bench.spool._hook = lambda: bench.index.purge(study)

    with pytest.raises(StorageFailure, match="again and again"):
        bench.receive(part10(ds))
    assert not bench.spool.blobs


def test_refuses_while_the_disk_is_full_and_recovers(bench):
    data = part10(make_instance())
    bench.watermark.full = True

    with pytest.raises(OutOfResources):
        bench.receive(data)
    with pytest.raises(OutOfResources):
        bench.stage.check_capacity()
    assert not bench.spool.blobs

    bench.watermark.full = False
    assert bench.receive(data).outcome is StoreOutcome.STORED


def test_refuses_what_the_command_named_differently(bench):
    ds = make_instance()

    with pytest.raises(SopClassMismatch):
        bench.receive(part10(ds), sop_class_uid=MRImageStorage)
    with pytest.raises(SopClassMismatch):
        bench.receive(part10(ds), sop_instance_uid="1.2.3")
    receipt = bench.receive(part10(ds), sop_class_uid=ds.SOPClassUID, sop_instance_uid=ds.SOPInstanceUID)
    assert receipt.outcome is StoreOutcome.STORED


@pytest.mark.parametrize("sop_class", [EncapsulatedPDFStorage, BasicTextSRStorage])
def test_takes_storage_sop_classes_of_every_kind(bench, sop_class):
    assert bench.receive(part10(make_instance(sop_class=sop_class))).outcome is StoreOutcome.STORED


@pytest.mark.parametrize("sop_class", ["1.2.3.4.5", "1.2.840.10008.1.1"])
def test_refuses_what_is_no_storage_sop_class(bench, sop_class):
    with pytest.raises(UnsupportedSopClass):
        bench.receive(part10(make_instance(sop_class=sop_class)))
    assert bench.metrics.of("instances_refused", source="dimse", code="unsupported-sop-class") == 1


def test_takes_private_sop_classes_only_where_configured():
    data = part10(make_instance(sop_class="1.2.3.4.5"))

    assert Bench(private_sop_classes=True).receive(data).outcome is StoreOutcome.STORED


def test_counts_what_it_refuses_by_code_and_source(bench):
    with pytest.raises(TruncatedDataset):
        bench.receive(part10(make_instance())[:-3], source="stow")

    assert bench.metrics.of("instances_refused", source="stow", code="truncated-dataset") == 1
    assert not bench.spool.blobs


def test_a_fault_of_ours_is_reported_without_the_values_that_came_with_it(bench):
    def fault():
        raise RuntimeError("Canary^Patient")

    bench.spool._hook = fault

    with pytest.raises(InternalError) as caught:
        bench.receive(part10(make_instance()))
    assert "Canary" not in str(caught.value)
