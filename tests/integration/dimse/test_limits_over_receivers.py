"""Limits, users and TLS hold over all receiver processes."""

import os
import signal

import pytest
from processes import eventually
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import Verification

from dicom_node.dimse.association import Address, associated
from dicom_node.dimse.scu import echo
from dicom_node.dimse.tls import TlsFiles, TlsPeer
from dicom_node.domain.errors import DeliveryFailed

pytestmark = pytest.mark.integration


def call(pool, calling="CT"):
    context = [build_context(Verification, ImplicitVRLittleEndian)]
    return associated(Address("127.0.0.1", pool.port, "NODE", calling, timeout_s=10), context)


def test_limits_hold_over_receivers_and_outlive_one_that_dies(start_pool, authority, server_certificate):
    pool = start_pool(
        max_associations=2,
        max_waiting_per_host=10,
        peers=[{"name": "ct", "ae_title": "CT", "host": "127.0.0.1", "port": 104, "max_associations": 1}],
        tls={
            "port": 0,
            "certificate_file": str(server_certificate.certificate_file),
            "key_file": str(server_certificate.key_file),
        },
    )

    with call(pool), call(pool, "MR"):
        assert pool.connections() == [1, 1]
        with pytest.raises(DeliveryFailed, match="too many associations"), call(pool, "US"):
            pass
    eventually(lambda: pool.pool._limits.associations == 0, what="the ends")

    with call(pool):
        with pytest.raises(DeliveryFailed, match="too many associations"), call(pool):
            pass
        eventually(lambda: pool.counted("associations", outcome="rejected-peer-limit") == 1, what="the count")
        for process in pool.processes:
            os.kill(process.pid, signal.SIGKILL)
    # What the dead ones had open is open no more.
    eventually(lambda: pool.pool._limits.associations == 0, what="the ends")
    eventually(lambda: pool.pool._limits.waiting == 0, what="the ends")
    pool.wait_ready()
    with call(pool):
        pass

    tls = TlsPeer("node", TlsFiles(authorities=authority.certificate_file), server_name="localhost")
    echo(Address("127.0.0.1", pool.pool.tls_port, "NODE", timeout_s=10, tls=tls))
