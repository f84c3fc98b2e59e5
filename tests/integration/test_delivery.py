"""Deliveries to DCMTK and Orthanc: refused, aborted, confirmed, and over a node that is killed meanwhile."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest
from delivery_bench import STUDY, Bench
from dimse_objects import make_instance, part10
from ports import take_port
from processes import Child, eventually
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLSLossless
from pynetdicom import AE, StoragePresentationContexts, evt

from dicom_node.dimse.association import Address
from dicom_node.dimse.find_confirmer import FindConfirmer
from dicom_node.dimse.result_sender import DimseSender
from dicom_node.domain.delivery import DeliveryStatus, SentObject
from dicom_node.domain.destination import Confirm, Destination
from dicom_node.domain.result import ResultKind
from dicom_node.index.database import open_database
from dicomweb.client.confirming import QidoConfirmer
from dicomweb.client.retry import Retry
from dicomweb.client.store import StowSender
from dicomweb.client.transcoding import lossless

pytestmark = pytest.mark.integration

UIDS = [f"2.25.9.{number}" for number in range(1, 7)]


@pytest.fixture
def bench(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "node.db")
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    yield Bench(engine)
    engine.dispose()


def results():
    """Six images, as a model's results."""
    made = {}
    for uid in UIDS:
        ds = make_instance(rows=32, StudyInstanceUID=STUDY, SeriesInstanceUID=f"{uid}.0", SOPInstanceUID=uid)
        made[uid] = (ResultKind.SC, part10(ds))
    return made


@pytest.fixture
def pacs(tool, tmp_path):
    """A port, and a function that lets DCMTK's storescp listen there with options; it gives the folder."""
    tool("storescp", "--version")  # skips where DCMTK is missing
    port, running = take_port(), []

    def start(*options):
        while running:
            running.pop().stop()
        folder = tmp_path / "pacs"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "storescp.log"
        child = Child(["storescp", "+xa", *options, "-od", str(folder), str(port)], log, {"TCP_NODELAY": "1"})
        running.append(child)
        child.wait_until(lambda: listens(port), 20)
        return folder

    yield port, start
    for child in running:
        child.stop()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def dimse(port, **options):
    destination = Destination("pacs", original_identity=False, **{"backoff_s": 1} | options)
    return DimseSender(destination, Address("127.0.0.1", port, "PACS", "NODE", timeout_s=5))


def deliver(bench, sender, confirmer=None):
    """Queue six results for a destination, and try once; the study's id."""
    bench.configure(sender, confirmers={"pacs": confirmer} if confirmer else {}, transcode=lossless)
    study_id = bench.study(results=results())
    bench.prepare(study_id)
    bench.run_all()
    return study_id


def stored(folder):
    return sorted(str(dcmread(path).SOPInstanceUID) for path in folder.iterdir())


def test_peer_that_refuses_associations_opens_the_breaker_and_gets_all_once_it_takes_them(bench, pacs):
    port, start = pacs
    start("--refuse")
    study_id = deliver(bench, dimse(port, breaker_failures=1, breaker_open_s=5))
    assert "rejects the association" in bench.delivery(study_id).reason
    assert bench.store.breaker("pacs").allowance(9) == 0
    folder = start()
    bench.clock.advance(10)
    bench.run_all()  # probes
    eventually(lambda: bench.store.breaker("pacs").allowance(9) == 1, 20, "the probe")
    bench.run_all()
    assert stored(folder) == UIDS
    assert bench.delivery(study_id).status is DeliveryStatus.SENT


def test_peer_that_aborts_each_time_gets_a_dead_letter_which_a_person_retries(bench, pacs):
    port, start = pacs
    start("--abort-after")
    study_id = deliver(bench, dimse(port, max_attempts=2, breaker_failures=99))
    bench.clock.advance(60)
    bench.run_all()
    dead = bench.delivery(study_id)
    assert (dead.status, dead.attempts) == (DeliveryStatus.FAILED, 2)
    folder = start()
    assert bench.desk.retry(study_id, "pacs", "somebody") == 1
    bench.run_all()
    assert stored(folder) == UIDS


def test_results_are_compressed_without_loss_where_that_is_wanted(bench, pacs):
    port, start = pacs
    folder = start()
    deliver(bench, dimse(port, transfer_syntax=str(JPEGLSLossless)))
    syntaxes = {dcmread(path).file_meta.TransferSyntaxUID for path in folder.iterdir()}
    assert (stored(folder), syntaxes) == (UIDS, {JPEGLSLossless})


def test_peer_that_breaks_off_in_the_middle_is_sent_the_rest_only(bench):
    taken, ends_at = [], [3]

    def store(event):
        taken.append(str(event.request.AffectedSOPInstanceUID))
        if len(taken) == ends_at[0]:
            event.assoc.abort()
        return 0x0000

    ae = AE("PACS")
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        study_id = deliver(bench, dimse(server.server_address[1]))
        assert bench.delivery(study_id).sent == 2
        bench.clock.advance(60)
        bench.run_all()
    finally:
        server.shutdown()
    # The third was taken, but its answer never came.
    assert taken == [*UIDS[:3], *UIDS[2:]]
    assert bench.delivery(study_id).status is DeliveryStatus.SENT


def test_orthanc_confirms_by_query_over_both_ways_what_it_keeps(bench, orthanc):
    address = Address("127.0.0.1", orthanc.dimse_port, "ORTHANC", "NODE", timeout_s=10)
    settings = {"original_identity": False, "confirm": Confirm.QUERY}
    by_dimse = DimseSender(Destination("dimse", **settings), address)
    by_stow = StowSender(Destination("stow", **settings), url=orthanc.dicomweb_url, retry=Retry(attempts=1))
    confirmers = {
        "dimse": FindConfirmer("dimse", address),
        "stow": QidoConfirmer("stow", url=orthanc.dicomweb_url, timeout_s=10),
    }
    bench.configure(by_dimse, by_stow, confirmers=confirmers)
    study_id = bench.study(results=results())
    bench.prepare(study_id)
    bench.run_all()
    records = bench.store.of_version(study_id, 1)
    assert [(r.status, r.confirmed, r.attempts) for r in records] == [(DeliveryStatus.CONFIRMED, 6, 1)] * 2
    assert sorted(str(ds.SOPInstanceUID) for ds in orthanc.instances(StudyInstanceUID=STUDY)) == UIDS

    # What it lost is missed.
    (lost,) = orthanc.find("Instance", SOPInstanceUID=UIDS[0])
    orthanc.http.delete(f"/instances/{lost['ID']}").raise_for_status()
    asked = [SentObject(STUDY, f"{uid}.0", CTImageStorage, uid) for uid in UIDS]
    for confirmer in confirmers.values():
        assert sorted(confirmer.look(asked, None).held) == UIDS[1:]


KILLED_AT = 40


def test_node_that_is_killed_in_the_middle_of_a_delivery_loses_and_doubles_nothing(
    start_node, t1_half, with_new_uids
):
    received = []
    node = None
    kill = threading.Event()

    def store(event):
        received.append(str(event.request.AffectedSOPInstanceUID))
        if len(received) == KILLED_AT:
            node.process.send_signal(signal.SIGKILL)
            kill.set()
        return 0x0000

    ae = AE("PACS")
    for context in StoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        port = server.server_address[1]
        node = start_node(
            completion={"quiet_s": 1},
            dimse={"peers": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}]},
            destinations=[{"name": "pacs", "kind": "dimse", "peer": "pacs", "backoff_s": 0.2}],
        )
        series = with_new_uids(t1_half, "killed in delivery")
        assert set(node.send(series)) == {0x0000}
        assert kill.wait(120)
        node.process.wait(20)
        node.restart()
        study = node.wait_ended(series[0].StudyInstanceUID)
    finally:
        server.shutdown()
    made = {result["sop_instance_uid"] for result in study["results"]}
    assert set(received) == made
    assert [(d["destination"], d["status"]) for d in study["deliveries"]] == [("pacs", "sent")]
    assert study["purged_at"] is not None
    # Sent a second time is only what the node could not note before it died.
    assert len(received) - len(made) <= KILLED_AT
    command = [sys.executable, "-m", "dicom_node.cli", "deliveries", "list", "--json", "--url", node.url]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert [(each["status"], each["sent"]) for each in listed] == [("sent", len(made))]
