"""A node that kills itself in a named stage, and a PACS that counts what reaches it."""

import sys
from pathlib import Path

import pytest
from ports import take_port
from processes import Child, answers
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from running_node import RunningNode


class Pacs:
    """A PACS that keeps what reaches it."""

    def __init__(self):
        self.port = take_port()
        self.received = []
        self._ae = AE("PACS")
        self._ae.maximum_pdu_size = 0

    def start(self, sop_classes):
        self._ae.supported_contexts = [build_context(uid) for uid in sop_classes]
        self._server = self._ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )

    def _store(self, event):
        self.received.append(event.dataset)
        return 0x0000

    def stop(self):
        self._server.shutdown()


class FaultyNode(RunningNode):
    """A node that may be told to kill itself: `fault` is (before or after, step)."""

    fault = ()

    def _start(self):
        script = str(Path(__file__).with_name("faulty_node.py"))
        command = [sys.executable, script, str(self.configuration), *self.fault]
        Child.__init__(self, command, self._folder / "node.log", cwd=self._folder)
        self.wait_until(answers(f"{self.url}/health/ready"))


@pytest.fixture
def pacs():
    from pydicom.uid import (
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        EncapsulatedPDFStorage,
        EnhancedSRStorage,
        SecondaryCaptureImageStorage,
        SegmentationStorage,
    )

    peer = Pacs()
    peer.start(
        [
            Comprehensive3DSRStorage,
            ComprehensiveSRStorage,
            EncapsulatedPDFStorage,
            EnhancedSRStorage,
            SecondaryCaptureImageStorage,
            SegmentationStorage,
        ]
    )
    yield peer
    peer.stop()


@pytest.fixture
def start_faulty(tmp_path):
    """A function that starts a node which kills itself: `start_faulty("before", "route", **sections)`."""
    running = []

    def start(*fault, **sections):
        kind = type("FaultyNode", (FaultyNode,), {"fault": fault})
        running.append(kind(tmp_path / "node", sections))
        return running[-1]

    yield start
    for node in running:
        node.close()
