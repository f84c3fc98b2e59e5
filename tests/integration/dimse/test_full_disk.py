"""A disk that fills up in the middle of a write: what was acknowledged is there, and nothing is torn."""

import io

import pytest
from dimse_objects import make_instance, part10
from raw_association import RawAssociation

from dicom_node.index.database import open_database, upgrade
from dicom_node.pipeline.header import scan

pytestmark = pytest.mark.integration


def encoded(ds):
    data = part10(ds)
    return data[scan(io.BytesIO(data)).dataset_offset :]


class Sender:
    """Sends new instances of one study until it is told to stop."""

    def __init__(self, node):
        self._node = node
        self._study = make_instance()
        self.acknowledged = {}

    def send(self, rows=256):
        """The status of one more instance."""
        ds = make_instance(rows=rows, StudyInstanceUID=self._study.StudyInstanceUID)
        data = encoded(ds)
        peer = RawAssociation(self._node.port)
        try:
            status, _ = peer.store(data, ds.SOPClassUID, ds.SOPInstanceUID)
        finally:
            peer.close()
        if status == 0x0000:
            self.acknowledged[ds.SOPInstanceUID] = data
        return status

    def send_until_refused(self):
        for _ in range(1000):
            status = self.send()
            if status:
                return status
        raise AssertionError("the disk never filled up")


def holds_what_was_acknowledged(node, sender):
    stored = node.stored
    assert len(stored) == len(sender.acknowledged) > 0
    for data in sender.acknowledged.values():
        assert sum(one.endswith(data) for one in stored) == 1
    # One file an instance, and no temporary one.
    assert len(node.files) == len(stored)


@pytest.mark.parametrize(
    "options", ["size=6m", "size=40m,nr_inodes=60"], ids=["out of bytes", "out of inodes"]
)
def test_full_spool_disk_is_answered_a700_and_recovers(start_node, small_disk, options):
    disk = small_disk(options)
    node = start_node(folder=disk.folder)
    sender = Sender(node)

    ballast = [disk.folder / f"ballast-{number}" for number in range(8)]
    for each in ballast:
        each.write_bytes(bytes(1 << 18))
    assert sender.send_until_refused() == 0xA700
    assert sender.send() == 0xA700
    for each in ballast:
        each.unlink()
    assert sender.send() == 0x0000
    holds_what_was_acknowledged(node, sender)


def test_full_disk_of_the_index_is_answered_a700_and_recovers(start_node, small_disk):
    disk = small_disk("size=2m")
    database = open_database(f"sqlite:///{disk.folder / 'node.db'}")
    upgrade(database)
    node = start_node(database=database)
    sender = Sender(node)
    assert sender.send(rows=8) == 0x0000

    ballast = disk.fill()
    statuses = [sender.send(rows=8) for _ in range(20)]
    assert statuses[-1] == 0xA700
    assert set(statuses) <= {0x0000, 0xA700}
    ballast.unlink()
    assert sender.send(rows=8) == 0x0000

    stored = node.stored
    assert len(stored) == len(sender.acknowledged)
    for data in sender.acknowledged.values():
        assert sum(one.endswith(data) for one in stored) == 1
