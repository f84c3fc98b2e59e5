"""Small DICOM instances, and fakes of the ports that receiving needs."""

import contextlib
import io
import threading

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from dicom_node.domain.errors import NotFound, OutOfResources, SlotExpired
from dicom_node.domain.instance import StoreOutcome
from dicom_node.domain.study import Slot


def make_instance(transfer_syntax=ExplicitVRLittleEndian, *, sop_class=CTImageStorage, rows=8, **elements):
    """A data set with File Meta; `elements` replace its own, `None` takes one away."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = generate_uid()
    ds.SeriesInstanceUID = generate_uid()
    ds.Modality = "CT"
    ds.PatientName = "Canary^Patient"
    ds.PatientID = "CANARY-ID"
    ds.StudyDate = "20260101"
    ds.Rows = ds.Columns = rows
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.add_new(0x7FE00010, "OW", bytes(2 * rows * rows))
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", generate_uid())
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    return ds


def part10(ds):
    """The bytes of a data set as a file."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


class FakePseudonymizer:
    """Puts `2.25.` and a number in place of a UID."""

    def __init__(self):
        self._known = {}

    def uid(self, original):
        return self._known.setdefault(original, f"2.25.{1000 + len(self._known)}")

    def derived_uid(self, *parts):
        return self.uid("/".join(parts))


class FakeSpool:
    """Blobs in memory; `hook` is called before each write."""

    def __init__(self, hook=lambda: None):
        self.blobs = {}
        self.writes = 0
        self._hook = hook

    def write(self, slot, name, stream):
        self._hook()
        self.writes += 1
        ref = f"spool:{slot.study_id}/{slot.epoch}/{name}"
        self.blobs[ref] = stream.read()
        return ref

    def create(self, slot, name):
        return FakeBlobWriter(self, slot, name)

    def open(self, ref):
        return io.BytesIO(self.read(ref))

    def read(self, ref):
        if ref not in self.blobs:
            raise NotFound("nothing there")
        return self.blobs[ref]

    def delete(self, ref):
        self.blobs.pop(ref, None)

    def delete_slot(self, slot):
        gone = [ref for ref in self.blobs if ref.startswith(f"spool:{slot.study_id}/{slot.epoch}/")]
        for ref in gone:
            del self.blobs[ref]
        return len(gone)


class FakeBlobWriter:
    def __init__(self, spool, slot, name):
        self._spool, self._slot, self._name = spool, slot, name
        self._data = b""

    def write(self, part):
        self._data += bytes(part)

    def commit(self, part=b""):
        stem, taken = self._name, 0
        while f"spool:{self._slot.study_id}/{self._slot.epoch}/{stem}" in self._spool.blobs:
            taken += 1
            stem = f"{taken}-{self._name}"
        return self._spool.write(self._slot, stem, io.BytesIO(self._data + bytes(part)))

    def abandon(self):
        self._data = b""


class FakeIndex:
    """What the receive stage needs of `ports.StudyIndex`, in memory."""

    def __init__(self):
        self._lock = threading.Lock()
        self._epochs = {}
        self._ids = {}
        self.rows = {}
        self.opened = 0

    def open_slot(self, study_instance_uid):
        with self._lock:
            self.opened += 1
            study_id = self._ids.setdefault(study_instance_uid, f"study-{len(self._ids)}")
            return Slot(study_id, self._epochs.setdefault(study_id, 0))

    def purge(self, study_instance_uid):
        with self._lock:
            study_id = self._ids[study_instance_uid]
            self._epochs[study_id] += 1
            self.rows = {uid: row for uid, row in self.rows.items() if row.study_id != study_id}

    def find_source(self, sop_instance_uid):
        return self.rows.get(sop_instance_uid)

    def register(self, instance):
        with self._lock:
            if instance.epoch != self._epochs[instance.study_id]:
                raise SlotExpired("purged meanwhile; write it again")
            first = self.rows.setdefault(instance.sop_instance_uid, instance)
            if first is instance:
                return StoreOutcome.STORED
            return StoreOutcome.DUPLICATE if first.sha256 == instance.sha256 else StoreOutcome.CONFLICT


class FakeWatermark:
    """Raises while `full` is set."""

    def __init__(self):
        self.full = False

    def check(self):
        if self.full:
            raise OutOfResources("too little is free; free disk space")

    @contextlib.contextmanager
    def reserve(self, size):
        self.check()
        yield


class CountingMetrics:
    """Remembers what was counted, as (name, labels) to amount."""

    def __init__(self):
        self._lock = threading.Lock()
        self.counts = {}

    def count(self, name, amount=1, **labels):
        key = (name, *sorted(labels.items()))
        with self._lock:
            self.counts[key] = self.counts.get(key, 0) + amount

    def observe(self, name, seconds, **labels):
        self.count(f"{name}_count", **labels)

    def of(self, name, **labels):
        return self.counts.get((name, *sorted(labels.items())), 0)


class RecordingAudit:
    """Remembers events."""

    def __init__(self):
        self.events = []

    def record(self, event, **fields):
        self.events.append((event, fields))
