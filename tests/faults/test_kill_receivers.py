"""`kill -9` of a receiver, of the main process, of both, between write, index and response.

Others send meanwhile. Whoever gets no answer sends again; in the end each instance is there once.
"""

import io
import sys
import threading
import time
from pathlib import Path

import pytest
from dimse_objects import make_instance, part10
from kept_instances import KeptInstances
from processes import Child, answers, eventually
from raw_association import RawAssociation
from running_node import RunningNode

from dicom_node.pipeline.header import scan

pytestmark = pytest.mark.faults

PLACES = ("before-write", "in-write", "after-commit", "after-index", "before-response")
LIMIT_S = 60
#: 4.5 MB: written while it arrives.
LARGE_ROWS = 1500


class FailingNode(RunningNode):
    """A node whose receivers kill when they come to a place."""

    def _start(self):
        self.failpoint = self._folder / "failpoint"
        environment = {
            "PYTHONPATH": str(Path(__file__).with_name("failpoints")),
            "NODE_FAILPOINT": str(self.failpoint),
        }
        command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(self.configuration)]
        Child.__init__(self, command, self._folder / "node.log", environment, cwd=self._folder)
        self.wait_until(answers(f"{self.url}/health/ready"))


class Senders:
    """Send instances of one study until each was acknowledged."""

    def __init__(self, node, count):
        self._node = node
        self._study = make_instance().StudyInstanceUID
        self.acknowledged = []
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(count)]
        self._guard = threading.Lock()
        for thread in self._threads:
            thread.start()

    def _send(self):
        for rows in (64, 64, LARGE_ROWS):
            ds = make_instance(rows=rows, StudyInstanceUID=self._study)
            data = part10(ds)
            encoded = data[scan(io.BytesIO(data)).dataset_offset :]
            deadline = time.monotonic() + LIMIT_S
            while not self._store(ds, encoded):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with self._guard:
                self.acknowledged.append(encoded)

    def _store(self, ds, encoded):
        try:
            peer = RawAssociation(self._node.dimse_port, self._node.ae_title)
            try:
                return peer.store(encoded, ds.SOPClassUID, ds.SOPInstanceUID)[0] == 0x0000
            finally:
                peer.close()
        except OSError:
            return False  # the process at the other end was killed

    def wait(self):
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    running = FailingNode(
        tmp_path_factory.mktemp("failing"), {"completion": {"quiet_s": 600}, "dimse": {"receivers": 2}}
    )
    running.acknowledged = []
    running.kills = 0
    yield running
    running.close()


def killed_at(node, place, victim):
    """Let `victim` die at a place while several send, and check what is there."""
    node.failpoint.write_text(f"{place} {victim}")
    senders = Senders(node, 3)
    eventually(lambda: not node.failpoint.exists(), LIMIT_S, f"somebody to come to {place}")
    if victim != "receiver":
        node.process.wait(LIMIT_S)
        node.restart()
    senders.wait()
    node.acknowledged += senders.acknowledged
    assert len(senders.acknowledged) == 9
    node.kills += 1
    KeptInstances(node.data_dir).assert_once(node.acknowledged, stray=node.kills * 3)


@pytest.mark.parametrize("place", PLACES)
def test_killed_receiver_loses_and_doubles_nothing(node, place):
    killed_at(node, place, "receiver")
    assert node.process.poll() is None


@pytest.mark.parametrize(("place", "victim"), [("after-commit", "main"), ("after-index", "all")])
def test_killed_main_process_takes_its_receivers_along_and_nothing_is_lost(node, place, victim):
    killed_at(node, place, victim)
