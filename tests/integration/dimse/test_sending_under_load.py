"""Sending while other threads hold the interpreter: no response may be lost inside pynetdicom."""

import sys
import threading

import pytest
from pynetdicom import AE, evt

from dicom_node.dimse.association import Address
from dicom_node.dimse.scu import send_files

pytestmark = pytest.mark.integration


@pytest.fixture
def busy_interpreter():
    """Other threads hold the interpreter for long, so that races of threads show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.02)
    stop = threading.Event()

    def compute():
        while not stop.is_set():
            sum(range(20_000))

    threads = [threading.Thread(target=compute, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)


def test_every_response_reaches_the_sender(tmp_path, small_t1_series, free_port, busy_interpreter):
    ae = AE("PACS")
    ae.add_supported_context(small_t1_series[0].SOPClassUID)
    port = free_port()
    pacs = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _e: 0)])
    paths = []
    for number, ds in enumerate(small_t1_series[:40]):
        paths.append(tmp_path / f"{number}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    try:
        assert send_files(paths, Address("127.0.0.1", port, "PACS", timeout_s=10)) == {}
    finally:
        pacs.shutdown()
