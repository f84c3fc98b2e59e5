"""A real DIMSE server over the real spool, with the index in memory."""

import pytest
from dimse_objects import (
    CountingMetrics,
    FakeIndex,
    FakePseudonymizer,
    FakeSpool,
    FakeWatermark,
    make_instance,
    part10,
)
from pynetdicom import AE

from dicom_node.dimse.scp import StorageScp
from dicom_node.pipeline.receive import ReceiveStage


class Node:
    """`StorageScp` and `ReceiveStage`; what was stored lies in `spool`."""

    ae_title = "NODE"

    def __init__(self, **options):
        self.index = FakeIndex()
        self.spool = FakeSpool()
        self.watermark = FakeWatermark()
        self.metrics = CountingMetrics()
        self.receiver = ReceiveStage(
            self.index, self.spool, FakePseudonymizer(), self.watermark, self.metrics
        )
        settings = {"timeout_s": 5, "max_associations": 8, **options}
        self.scp = StorageScp(
            host="127.0.0.1",
            port=0,
            ae_title=self.ae_title,
            receiver=settings.pop("receiver", self.receiver),
            metrics=self.metrics,
            **settings,
        )
        self.scp.start()

    @property
    def port(self):
        return self.scp.port

    @property
    def stored(self):
        return list(self.spool.blobs.values())


@pytest.fixture
def start_node():
    """A function that starts a server; its keywords are `StorageScp`'s."""
    running = []

    def start(**options):
        running.append(Node(**options))
        return running[-1]

    yield start
    for node in running:
        node.scp.stop()


@pytest.fixture
def node(start_node):
    return start_node()


@pytest.fixture
def associate():
    """A function that opens an association with pynetdicom's own client; aborted at the end."""
    opened = []

    def open_one(node, contexts, *, calling="TEST", called=None, timeout_s=10):
        ae = AE(calling)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = timeout_s
        assoc = ae.associate(
            "127.0.0.1", node.port, contexts=contexts, ae_title=called or node.ae_title, max_pdu=0
        )
        opened.append(assoc)
        return assoc

    yield open_one
    for assoc in opened:
        if assoc.is_established:
            assoc.abort()


@pytest.fixture
def dicom_file(tmp_path):
    """A function that writes an instance to a file."""

    def write(ds=None, name="one.dcm"):
        path = tmp_path / name
        path.write_bytes(part10(ds or make_instance()))
        return path

    return write
