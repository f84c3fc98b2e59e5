"""Waits, orders and conversions that deliveries are made of."""

import random

import numpy as np
import pytest
from dimse_objects import make_instance, part10
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicom_node.domain.delivery_rules import backoff
from dicom_node.domain.destination import Destination
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.pipeline.deliver_plan import in_order
from dicomweb.client.transcoding import lossless


def test_wait_is_anything_up_to_a_bound_that_doubles():
    destination = Destination("pacs", backoff_s=2, max_backoff_s=60)
    assert [backoff(destination, failures, lambda: 1.0) for failures in (0, 1, 2, 3, 6, 99)] == [
        2,
        2,
        4,
        8,
        60,
        60,
    ]
    chance = random.Random(5).random
    waits = [backoff(destination, 4, chance) for _ in range(500)]
    assert 0 <= min(waits) < 2 < 14 < max(waits) <= 16


@given(st.data())
def test_every_object_comes_once_and_after_what_it_refers_to(data):
    uids = [f"2.25.{n}" for n in range(data.draw(st.integers(1, 9)))]
    entries = [ResultEntry(ResultKind.SR, "1.2", "2.25.99", uid) for uid in uids]
    # Acyclic: only to those of a lower number, whatever their place in the list.
    refers = {
        uid: frozenset(data.draw(st.sets(st.sampled_from(uids[:n])) if n else st.just(set()))) | {uid}
        for n, uid in enumerate(uids)
    }
    shuffled = data.draw(st.permutations(entries))
    ordered = [entry.sop_instance_uid for entry in in_order(shuffled, refers)]
    assert sorted(ordered) == sorted(uids)
    for uid in uids:
        assert all(ordered.index(other) <= ordered.index(uid) for other in refers[uid])


def test_objects_that_refer_to_each_other_all_come():
    entries = [ResultEntry(ResultKind.SR, "1.2", "2.25.99", uid) for uid in ("2.25.1", "2.25.2", "2.25.3")]
    circle = {"2.25.1": frozenset({"2.25.2"}), "2.25.2": frozenset({"2.25.1"}), "2.25.3": frozenset()}
    assert {entry.sop_instance_uid for entry in in_order(entries, circle)} == set(circle)


def stored(data):
    return dcmread(DicomBytesIO(data))


@pytest.mark.parametrize("wanted", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
def test_pixels_are_compressed_without_loss_and_the_uid_stays(wanted):
    original = part10(make_instance(rows=64))
    made = stored(lossless(original, wanted))
    assert made.file_meta.TransferSyntaxUID == wanted
    assert made.SOPInstanceUID == stored(original).SOPInstanceUID
    assert np.array_equal(made.pixel_array, stored(original).pixel_array)


def test_uncompressed_object_is_written_in_implicit_vr_and_back():
    original = part10(make_instance())
    implicit = lossless(original, ImplicitVRLittleEndian)
    assert stored(implicit).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    back = stored(lossless(implicit, ExplicitVRLittleEndian))
    back.file_meta = None
    before = stored(original)
    before.file_meta = None
    assert back.to_json() == before.to_json()


def test_object_without_pixels_or_that_cannot_be_read_stays_as_it_is():
    ds = make_instance()
    del ds.PixelData
    assert lossless(part10(ds), JPEGLSLossless) == part10(ds)
    assert lossless(b"no DICOM", JPEGLSLossless) == b"no DICOM"


def test_pixels_that_a_codec_would_change_stay_as_they_are(monkeypatch):
    def spoil(self, uid, **options):
        self.PixelData = bytes(len(self.PixelData))

    original = part10(make_instance(rows=64))
    monkeypatch.setattr("pydicom.dataset.Dataset.compress", spoil)
    assert lossless(original, JPEGLSLossless) == original
