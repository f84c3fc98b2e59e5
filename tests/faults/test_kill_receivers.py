"""Receiver processes of a node that is killed, and a node whose receivers are killed."""

import psutil
import pytest
from dimse_objects import make_instance
from processes import eventually
from raw_association import RawAssociation, store_command

pytestmark = pytest.mark.faults


def test_receivers_end_with_a_main_process_that_is_killed(start_node):
    node = start_node(dimse={"receivers": 2})
    eventually(lambda: node.output.count("receiver.ready") == 2, what="the receivers")
    main = psutil.Process(node.process.pid)
    children = [child for child in main.children() if "dicom_node.app.receiver" in child.cmdline()]
    assert len(children) == 2
    ds = make_instance()
    peer = RawAssociation(node.dimse_port, called=node.ae_title)
    peer.socket.sendall(store_command(ds.SOPClassUID, ds.SOPInstanceUID))

    node.kill()

    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    peer.socket.close()
