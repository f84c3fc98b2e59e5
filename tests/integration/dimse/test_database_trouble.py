"""The index is locked by somebody, or restarts under load: what was acknowledged is there, once."""

import contextlib
import io
import sqlite3
import threading
import time

import pytest
from dimse_objects import make_instance, part10
from postgresql_cluster import postgresql
from processes import eventually
from raw_association import RawAssociation

from dicom_node.index import database as database_module
from dicom_node.index.database import open_database, upgrade
from dicom_node.pipeline.header import scan

__all__ = ["postgresql"]

pytestmark = pytest.mark.integration


def encoded(ds):
    data = part10(ds)
    return data[scan(io.BytesIO(data)).dataset_offset :]


def store(node, ds):
    peer = RawAssociation(node.port)
    try:
        return peer.store(encoded(ds), ds.SOPClassUID, ds.SOPInstanceUID)[0]
    finally:
        peer.close()


@contextlib.contextmanager
def locked(path):
    """Hold the database as a backup or a person with a shell may."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def once(node, data_sets):
    stored = node.stored
    assert [sum(one.endswith(encoded(ds)) for one in stored) for ds in data_sets] == [1] * len(data_sets)
    assert len(stored) == len(data_sets)


def test_database_that_stays_locked_is_answered_0110_until_it_is_free(start_node, tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "_BUSY_TIMEOUT_S", 0.5)
    node = start_node()
    first, second = make_instance(), make_instance()
    assert store(node, first) == 0x0000
    with locked(tmp_path / "node" / "node.db"):
        assert store(node, second) == 0x0110
        assert store(node, second) == 0x0110
    assert store(node, second) == 0x0000
    once(node, [first, second])


def test_database_that_is_locked_for_a_moment_is_waited_for(start_node, tmp_path):
    node = start_node()
    first = make_instance()
    ds = make_instance(StudyInstanceUID=first.StudyInstanceUID)
    assert store(node, first) == 0x0000
    with locked(tmp_path / "node" / "node.db"):
        statuses = []
        sender = threading.Thread(target=lambda: statuses.append(store(node, ds)))
        sender.start()
        # Its bytes are in the spool, its row waits.
        eventually(lambda: len(node.files) == 2 or statuses, 10, "the bytes")
        assert statuses == []
    sender.join()
    assert statuses == [0x0000]
    once(node, [first, ds])


def test_postgresql_that_restarts_under_load_loses_and_doubles_nothing(start_node, postgresql):
    database = open_database(postgresql.create())
    upgrade(database)
    node = start_node(database=database)
    acknowledged, statuses = [], set()

    def send():
        for _ in range(15):
            ds = make_instance()
            deadline = time.monotonic() + 60
            while (status := store(node, ds)) != 0x0000:
                statuses.add(status)
                assert time.monotonic() < deadline
                time.sleep(0.02)
            acknowledged.append(ds)

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    eventually(lambda: len(acknowledged) >= 10, 60, "some instances")
    postgresql.restart()
    for sender in senders:
        sender.join()
    assert len(acknowledged) == 45
    assert statuses <= {0x0110}
    once(node, acknowledged)
