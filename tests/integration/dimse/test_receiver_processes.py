"""Receiver processes: who serves what, what they share, and what is left when one dies."""

import io
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest
from dimse_objects import make_instance, part10
from processes import eventually
from raw_association import RawAssociation
from sqlalchemy import func, select

from dicom_node.app.receivers import build_receivers
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.tables.studies import instances, studies
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.header import scan
from dicom_node.pipeline.senders import OpenSenders
from dicom_node.settings import load_settings

pytestmark = pytest.mark.integration


def store(peer, ds):
    data = part10(ds)
    offset = scan(io.BytesIO(data)).dataset_offset
    return peer.store(data[offset:], ds.SOPClassUID, ds.SOPInstanceUID)[0]


def rows(pool):
    with pool.database.connect() as connection:
        return connection.execute(select(func.count()).select_from(instances)).scalar()


def test_associations_are_shared_out_evenly_and_counted_together(pool):
    before = pool.counted("associations", outcome="accepted")
    peers = [RawAssociation(pool.port) for _ in range(4)]
    served = pool.connections()
    for peer in peers:
        peer.close()

    assert served == [2, 2]
    eventually(lambda: pool.counted("associations", outcome="accepted") == before + 4, what="the count")


def test_a_connection_goes_to_the_receiver_that_has_fewer(pool):
    eventually(lambda: pool.connections() == [0, 0], what="the ends of others")
    first, second, third = (RawAssociation(pool.port) for _ in range(3))
    assert pool.connections() == [1, 2]
    first.close()
    third.close()  # the same receiver has served both
    eventually(lambda: pool.connections() == [0, 1], what="the ends")
    eventually(lambda: sorted(len(r.connections) for r in pool.pool._receivers) == [0, 1], what="the news")
    fourth = RawAssociation(pool.port)
    assert pool.connections() == [1, 1]
    second.close()
    fourth.close()


def test_what_several_receivers_store_is_there_once(pool):
    before = rows(pool)
    shared = make_instance(rows=64)
    own = [make_instance(rows=64) for _ in range(4)]
    statuses = []

    def send(number):
        peer = RawAssociation(pool.port)
        statuses.extend(store(peer, ds) for ds in (shared, own[number]) * 3)
        peer.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [0x0000] * 24
    assert rows(pool) == before + 5


def test_the_main_process_knows_who_brings_a_study_while_the_association_is_open(start_pool):
    pool = start_pool(count=1)
    peers = [RawAssociation(pool.port) for _ in range(2)]
    ds = make_instance(rows=4)
    assert [store(peer, ds) for peer in peers for _ in range(2)] == [0x0000] * 4
    with pool.database.connect() as connection:
        study_id = connection.execute(select(studies.c.id)).scalar_one()
    eventually(lambda: len(pool.senders._studies) == 2, what="the news")
    assert pool.senders.bring(study_id)
    peers[0].close()
    eventually(lambda: len(pool.senders._studies) == 1, what="the first end")
    assert pool.senders.bring(study_id)
    pool.processes[0].kill()
    eventually(lambda: not pool.senders.bring(study_id), what="the end of all")
    peers[1].close()


def test_a_receiver_that_dies_takes_only_its_own_associations_and_is_started_again(start_pool):
    pool = start_pool()
    peers = [RawAssociation(pool.port) for _ in range(2)]
    dead = pool.processes[0]
    os.kill(dead.pid, signal.SIGKILL)

    outcomes = []
    for peer in peers:
        try:
            outcomes.append(store(peer, make_instance(rows=4)))
        except OSError:
            outcomes.append("gone")
        peer.close()
    assert sorted(map(str, outcomes)) == ["0", "gone"]
    assert rows(pool) == 1
    eventually(lambda: pool.counted("receivers_restarted") == 1, what="the count")
    pool.wait_ready()
    assert dead.pid not in pool.pool.process_ids
    fresh = [RawAssociation(pool.port) for _ in range(4)]
    assert [store(peer, make_instance(rows=4)) for peer in fresh] == [0x0000] * 4
    assert pool.connections() == [2, 2]
    for peer in fresh:
        peer.close()


def test_the_pool_is_not_ready_where_no_receiver_is(start_pool):
    pool = start_pool(count=1)
    pool.pool.check()
    pool.processes[0].kill()
    eventually(lambda: pool.pool.ready == 0, what="the end")
    with pytest.raises(Exception, match="no receiver process is ready"):
        pool.pool.check()


def test_stopping_lets_an_instance_that_is_complete_be_stored_and_ends_the_processes(start_pool):
    pool = start_pool()
    peer = RawAssociation(pool.port)
    assert store(peer, make_instance(rows=4)) == 0
    processes = pool.processes
    pool.stop()

    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
    assert rows(pool) == 1
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", pool.port), timeout=2).close()
    # What the receivers counted in their last moments was passed on.
    assert pool.counted("instances_received", source="dimse", outcome="stored") == 1
    peer.socket.close()


class Desk:
    """Answers what receivers ask, and notes who was forgotten."""

    def __init__(self):
        self.forgotten = []

    def answer(self, receiver, what, facts):
        return {"receiver": receiver, "what": what, **facts}

    def forget(self, receiver):
        self.forgotten.append(receiver)


def test_what_a_dead_receiver_had_open_is_forgotten(start_pool):
    desk = Desk()
    pool = start_pool(count=1, desk=desk)
    pool.processes[0].kill()
    eventually(lambda: desk.forgotten == [0], what="the desk's news")


def test_a_receiver_loads_no_model_engine_and_no_http_side():
    heavy = (
        "torch",
        "monai",
        "highdicom",
        "dbos",
        "fastapi",
        "uvicorn",
        "onnxruntime",
        "scipy",
        "cv2",
        "alembic",
    )
    code = f"import sys, dicom_node.app.receiver; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def peak_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def test_memory_does_not_grow_with_the_size_of_an_instance(pool):
    peer = RawAssociation(pool.port)
    assert store(peer, make_instance(rows=64)) == 0
    before = [peak_mib(process) for process in pool.processes]
    ds = make_instance(rows=64)
    ds.NumberOfFrames = 12_000
    ds.PixelData = bytes(64 * 64 * 2) * ds.NumberOfFrames
    assert len(ds.PixelData) > 90 << 20

    assert store(peer, ds) == 0x0000
    grown = [after - b for after, b in zip(map(peak_mib, pool.processes), before, strict=True)]
    assert max(grown) < 24
    peer.close()


def test_the_main_process_receives_where_no_receivers_are_asked_for(tmp_path):
    settings = load_settings(
        node={"data_dir": str(tmp_path), "min_free_mb": 0},
        dimse={"port": 0, "ae_title": "NODE", "receivers": 0},
    )
    database = open_database(settings.database_url)
    upgrade(database)
    others = psutil.Process().children()
    here = build_receivers(settings, PrometheusMetrics(), OpenSenders())
    here.start()
    assert psutil.Process().children() == others
    peer = RawAssociation(here.port)
    assert store(peer, make_instance(rows=4)) == 0x0000
    peer.close()
    here.check()
    here.stop()
    with database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(instances)).scalar() == 1
    database.dispose()
