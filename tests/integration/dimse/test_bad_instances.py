"""Instances that must not be taken: each gets its status, is counted, and harms nothing else."""

import io
import struct

import pytest
from dimse_objects import make_instance, part10
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)
from raw_association import RawAssociation, pdu, store_command

from dicom_node.pipeline.header import scan

pytestmark = pytest.mark.integration


def encoded(ds):
    data = part10(ds)
    return data[scan(io.BytesIO(data)).dataset_offset :]


def without(keyword):
    """An encoded data set that lacks an element."""
    ds = make_instance()
    delattr(ds, keyword)
    buffer = io.BytesIO()
    ds.save_as(buffer, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def refused(node, code):
    return node.counted("instances_refused", source="dimse", code=code)


@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"]
)
def test_a_missing_uid_is_answered_c100_and_named(node, keyword):
    peer = RawAssociation(node.port)

    status, comment = peer.store(without(keyword), CTImageStorage, generate_uid())

    assert status == 0xC100
    assert "UID" in comment
    assert "missing" in comment
    assert refused(node, "missing-identifier") == 1
    peer.close()


def test_a_wrong_length_is_answered_c101(node):
    ds = make_instance()
    peer = RawAssociation(node.port)

    status, comment = peer.store(encoded(ds)[:-10], ds.SOPClassUID, ds.SOPInstanceUID)

    assert status == 0xC101
    assert "length" in comment
    assert refused(node, "truncated-dataset") == 1
    peer.close()


@pytest.mark.parametrize("data", [b"no DICOM at all, but of an even length", bytes(1000), b"\xff" * 64])
def test_what_is_no_data_set_is_answered_cannot_understand(node, data):
    peer = RawAssociation(node.port)

    status, _ = peer.store(data, CTImageStorage, generate_uid())

    assert status & 0xF000 == 0xC000
    peer.close()


def test_another_encoding_than_negotiated_is_answered_c000(node):
    ds = make_instance(ImplicitVRLittleEndian)
    peer = RawAssociation(node.port, transfer_syntax=ExplicitVRLittleEndian)

    status, _ = peer.store(encoded(ds), ds.SOPClassUID, ds.SOPInstanceUID)

    assert status == 0xC000
    peer.close()


def test_a_data_set_of_another_instance_than_the_command_s_is_answered_a900(node):
    ds = make_instance()
    peer = RawAssociation(node.port)

    status, _ = peer.store(encoded(ds), CTImageStorage, generate_uid())

    assert status == 0xA900
    assert refused(node, "sop-class-mismatch") == 1
    peer.close()


@pytest.mark.parametrize("sop_class", ["1.2.3.4.5", MRImageStorage, "1.2.840.10008.1.1"])
def test_a_sop_class_that_was_not_negotiated_is_answered_0122(node, sop_class):
    ds = make_instance(sop_class=sop_class)
    peer = RawAssociation(node.port, abstract_syntax=CTImageStorage)

    status, _ = peer.store(encoded(ds), sop_class, ds.SOPInstanceUID)

    assert status == 0x0122
    assert refused(node, "unsupported-sop-class") == 1
    peer.close()


def test_a_data_set_of_an_unknown_sop_class_is_refused_by_the_receive_stage(start_node):
    node = start_node(private_sop_classes=True)  # negotiated, but the stage was not told to take it
    ds = make_instance(sop_class="1.2.3.4.5")
    peer = RawAssociation(node.port, abstract_syntax="1.2.3.4.5")

    status, _ = peer.store(encoded(ds), "1.2.3.4.5", ds.SOPInstanceUID)

    assert status == 0x0122
    peer.close()


def test_a_request_without_a_data_set_is_answered_c000(node):
    peer = RawAssociation(node.port)
    peer.socket.sendall(store_command(CTImageStorage, "1.2.3", data_set=False))

    assert peer.response()[0] == 0xC000
    assert refused(node, "invalid-instance") == 1
    peer.close()


def test_an_instance_larger_than_the_limit_is_answered_a701(start_node):
    node = start_node(max_instance_bytes=100_000)
    ds = make_instance(rows=512)
    peer = RawAssociation(node.port)

    assert peer.store(encoded(ds), ds.SOPClassUID, ds.SOPInstanceUID)[0] == 0xA701
    small = make_instance()
    assert peer.store(encoded(small), small.SOPClassUID, small.SOPInstanceUID)[0] == 0x0000
    peer.close()


def test_a_fault_in_the_receive_stage_is_answered_0110_without_its_text(start_node):
    class Broken:
        def receive(self, incoming):
            raise RuntimeError("Canary^Patient")

        def check_capacity(self):
            pass

    node = start_node(receiver=Broken())
    ds = make_instance()
    peer = RawAssociation(node.port)

    status, comment = peer.store(encoded(ds), ds.SOPClassUID, ds.SOPInstanceUID)

    assert status == 0x0110
    assert "Canary" not in comment
    peer.close()


def test_a_refused_instance_does_not_keep_the_next_from_being_stored(node):
    peer = RawAssociation(node.port)
    good = make_instance()
    for _ in range(3):
        assert peer.store(b"garbage!", CTImageStorage, "1.2.3")[0] != 0

    assert peer.store(encoded(good), good.SOPClassUID, good.SOPInstanceUID) == (0x0000, "")
    assert len(node.stored) == 1
    assert not any(b"garbage!" in stored for stored in node.stored)
    peer.close()


@pytest.mark.parametrize(
    "bad",
    [
        pdu(0, b"data without a command"),
        struct.pack(">BxLLBB", 4, 6, 100, 1, 3),
        struct.pack(">BxLLBB", 4, 6, 2, 77, 3),
        b"\x09\x00\x00\x00\x00\x00",
    ],
)
def test_a_broken_pdu_ends_the_association_and_nothing_else(node, bad):
    good = make_instance()
    other = RawAssociation(node.port)
    peer = RawAssociation(node.port)

    peer.socket.sendall(bad)
    kind, _ = peer.read()

    assert kind == 0x07  # A-ABORT
    assert other.store(encoded(good), good.SOPClassUID, good.SOPInstanceUID)[0] == 0x0000
    peer.close()
    other.close()


def test_nothing_about_the_patient_is_logged(node, capfd):
    ds = make_instance()
    peer = RawAssociation(node.port)
    peer.store(encoded(ds), ds.SOPClassUID, ds.SOPInstanceUID)
    peer.store(encoded(ds)[:-7], ds.SOPClassUID, ds.SOPInstanceUID)
    peer.store(without("StudyInstanceUID"), ds.SOPClassUID, ds.SOPInstanceUID)
    peer.close()
    node.scp.stop()

    out, err = capfd.readouterr()
    said = (out + err).lower()
    assert "canary" not in said
    for uid in (ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID):
        assert uid not in said
