"""`kill -9` at moments nobody chose while instances come in: what was acknowledged is there, once."""

import copy
import random
import threading
import time

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

pytestmark = [
    pytest.mark.faults,
    # pynetdicom leaves sockets open whose peer was killed; here that is what happens on purpose.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def _store_until_cut(node, pending, acknowledged):
    """Send what is pending on one association; stop where the peer goes away."""
    ae = AE("TEST")
    ae.add_requested_context(pending[0].SOPClassUID, pending[0].file_meta.TransferSyntaxUID)
    ae.connection_timeout = ae.dimse_timeout = ae.acse_timeout = 5
    opened = []
    keep = (evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))
    assoc = ae.associate("127.0.0.1", node.dimse_port, ae_title=node.ae_title, evt_handlers=[keep])
    try:
        if not assoc.is_established:
            return
        while pending:
            try:
                status = assoc.send_c_store(pending[0])
            except RuntimeError:  # the association ended between two messages
                return
            if "Status" not in status:
                return
            assert status.Status == 0x0000
            acknowledged.append(pending.pop(0).SOPInstanceUID)
    finally:
        if assoc.is_established:
            assoc.release()
        # pynetdicom does not close where the shutdown fails; a later test would hear of it.
        for connection in opened:
            connection.close()


def test_every_acknowledged_instance_is_there_once(start_node, small_t1_series):
    # Quiet for so long that the study stays open: what counts here is what the index holds.
    node = start_node(completion={"quiet_s": 600})
    pending = []
    for number in range(8):
        for original in small_t1_series:
            ds = copy.deepcopy(original)
            uid = generate_uid(entropy_srcs=[str(number), original.SOPInstanceUID])
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
            pending.append(ds)
    total = len(pending)
    acknowledged = []
    chance = random.Random(7)

    for _ in range(4):
        killer = threading.Timer(chance.uniform(0.1, 0.6), node.process.kill)
        killer.start()
        deadline = time.monotonic() + 30
        while pending and node.process.poll() is None and time.monotonic() < deadline:
            _store_until_cut(node, pending, acknowledged)
        killer.join()
        node.process.wait(20)
        node.restart()
    while pending:
        _store_until_cut(node, pending, acknowledged)

    assert len(acknowledged) == len(set(acknowledged)) == total
    study = node.study(small_t1_series[0].StudyInstanceUID)
    assert study["received"]["instances"] == total
