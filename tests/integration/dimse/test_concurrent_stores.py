"""Several associations at once."""

import io
import threading

import pytest
from dimse_objects import make_instance, part10
from raw_association import RawAssociation

from dicom_node.pipeline.header import scan

pytestmark = pytest.mark.integration


def encoded(ds):
    data = part10(ds)
    return data[scan(io.BytesIO(data)).dataset_offset :]


def in_parallel(work, count):
    failures = []

    def run(number):
        try:
            work(number)
        except Exception as exc:  # noqa: BLE001 - reported below
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_same_instance_on_several_associations_at_once_is_one(node):
    ds = make_instance(rows=128)
    data = encoded(ds)
    gate = threading.Barrier(6)
    statuses = []

    def send(_number):
        peer = RawAssociation(node.port)
        gate.wait()
        statuses.extend(peer.store(data, ds.SOPClassUID, ds.SOPInstanceUID)[0] for _ in range(5))
        peer.close()

    in_parallel(send, 6)

    assert statuses == [0x0000] * 30
    assert len(node.stored) == 1
    assert node.counted("instances_received", source="dimse", outcome="stored") == 1


def test_what_arrives_at_once_is_not_mixed_up(node):
    sent = {}

    def send(number):
        peer = RawAssociation(node.port)
        for rows in (4, 64, 256, 16):
            ds = make_instance(rows=rows, PatientComments=f"association {number}")
            ds.PixelData = bytes([number]) * (2 * rows * rows)
            sent[str(ds.SOPInstanceUID)] = encoded(ds)
            assert peer.store(sent[str(ds.SOPInstanceUID)], ds.SOPClassUID, ds.SOPInstanceUID)[0] == 0
        peer.close()

    in_parallel(send, 6)

    stored = {scan(io.BytesIO(data)).header.sop_instance_uid: data for data in node.stored}
    assert stored.keys() == sent.keys()
    assert all(stored[uid].endswith(data) for uid, data in sent.items())
