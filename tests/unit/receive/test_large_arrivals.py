"""Instances that go to the spool while they arrive: the same outcome as in one piece, and nothing left."""

import io

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
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.domain.errors import (
    InvalidInstance,
    MissingIdentifier,
    NodeError,
    OutOfResources,
    SopClassMismatch,
    StorageFailure,
    TruncatedDataset,
    UnsupportedSopClass,
)
from dicom_node.domain.instance import IncomingInstance, StoreOutcome
from dicom_node.pipeline import large_arrival
from dicom_node.pipeline.receive import ReceiveStage


class Bench:
    def __init__(self):
        self.index = FakeIndex()
        self.spool = FakeSpool()
        self.pseudonymizer = FakePseudonymizer()
        self.watermark = FakeWatermark()
        self.metrics = CountingMetrics()
        self.audit = RecordingAudit()
        self.stage = ReceiveStage(
            self.index, self.spool, self.pseudonymizer, self.watermark, self.metrics, self.audit
        )

    def arrive(self, data, part=1000, **claims):
        arrival = self.stage.begin("dimse:SENDER", **claims)
        for start in range(0, len(data), part):
            arrival.write(memoryview(data)[start : start + part])
        return arrival.complete()


@pytest.fixture
def bench():
    return Bench()


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("part", [777, 1 << 16, 1 << 20])
def test_parts_of_any_size_become_the_same_instance(bench, part, syntax):
    ds = make_instance(*([syntax] if syntax else []), rows=256)
    data = part10(ds)
    receipt = bench.arrive(data, part)

    ((ref, stored),) = bench.spool.blobs.items()
    assert stored == data
    row = bench.index.rows[receipt.sop_instance_uid]
    assert (row.spool_ref, row.size, row.source) == (ref, len(data), "dimse:SENDER")
    assert ds.SOPInstanceUID not in ref
    assert bench.metrics.of("instances_received", source="dimse", outcome="stored") == 1


def test_the_digest_is_that_of_an_instance_in_one_piece(bench):
    data = part10(make_instance())
    bench.arrive(data)
    again = bench.stage.receive(IncomingInstance(io.BytesIO(data), "stow"))

    assert again.outcome is StoreOutcome.DUPLICATE
    assert len(bench.spool.blobs) == 1


def test_the_same_bytes_twice_keep_one_copy(bench):
    data = part10(make_instance())
    bench.arrive(data)
    assert bench.arrive(data).outcome is StoreOutcome.DUPLICATE
    assert len(bench.spool.blobs) == 1


def test_other_bytes_under_a_known_uid_leave_the_first_copy(bench):
    ds = make_instance()
    bench.arrive(part10(ds))
    ds.PatientComments = "another"
    assert bench.arrive(part10(ds)).outcome is StoreOutcome.CONFLICT
    assert len(bench.spool.blobs) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda data: data[:-10], TruncatedDataset),
        (lambda data: data[:300], NodeError),
        (lambda data: b"no DICOM" * 100, InvalidInstance),
        (lambda data: data + b"\xe0\x7f\x10\x00ZZ", InvalidInstance),
        (lambda data: b"", InvalidInstance),
    ],
)
def test_what_is_not_whole_is_refused_and_leaves_nothing(bench, change, error):
    with pytest.raises(error):
        bench.arrive(change(part10(make_instance(rows=512))), part=1 << 16)
    assert not bench.spool.blobs
    assert not bench.index.rows
    assert sum(count for key, count in bench.metrics.counts.items() if key[0] == "instances_refused") == 1


def test_an_instance_without_a_study_is_refused(bench):
    ds = make_instance()
    del ds.StudyInstanceUID
    with pytest.raises(MissingIdentifier):
        bench.arrive(part10(ds))


def test_identifiers_that_come_too_late_are_refused(bench, monkeypatch):
    monkeypatch.setattr(large_arrival, "MAX_HEAD", 100_000)
    ds = make_instance()
    ds.add_new(0x00091001, "OB", bytes(300_000))
    with pytest.raises(InvalidInstance, match="UIDs do not stand in its first"):
        bench.arrive(part10(ds))


def test_what_the_command_named_differently_is_refused(bench):
    ds = make_instance()
    with pytest.raises(SopClassMismatch):
        bench.arrive(part10(ds), sop_instance_uid="1.2.3")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.1"
    with pytest.raises(UnsupportedSopClass):
        bench.arrive(part10(ds))
    assert not bench.spool.blobs


def test_a_disk_that_fills_up_meanwhile_is_answered_and_leaves_nothing(bench):
    data = part10(make_instance(rows=512))
    arrival = bench.stage.begin("dimse:SENDER")
    arrival.write(data[:100_000])
    bench.watermark.full = True
    arrival.write(data[100_000:])
    bench.watermark.full = False

    with pytest.raises(OutOfResources):
        arrival.complete()
    assert not bench.spool.blobs


def test_a_study_that_is_purged_meanwhile_is_a_failure_that_may_pass(bench):
    ds = make_instance(rows=512)
    data = part10(ds)
    arrival = bench.stage.begin("dimse:SENDER")
    arrival.write(data)
    bench.index.purge(bench.pseudonymizer.uid(ds.StudyInstanceUID))

    with pytest.raises(StorageFailure, match="send it again"):
        arrival.complete()
    assert not bench.spool.blobs
    assert bench.arrive(data).outcome is StoreOutcome.STORED


def test_an_abandoned_instance_leaves_nothing(bench):
    arrival = bench.stage.begin("dimse:SENDER")
    arrival.write(part10(make_instance(rows=512)))
    arrival.abandon()
    assert not bench.spool.blobs
    assert not bench.index.rows
