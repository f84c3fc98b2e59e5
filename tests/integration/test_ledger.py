"""The ledger, the reconciler and the listeners of a real node, from receipt to purge and after a loss."""

import copy
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from processes import eventually
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.sop_class import InstanceAvailabilityNotification
from toy_package import quick_model

__all__ = ["quick_model"]

pytestmark = pytest.mark.integration

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class _Hooks(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.headers["webhook-id"], body.decode()))
        # The first try of each is refused: nothing is lost.
        first = [identifier for identifier, _ in self.server.taken].count(self.headers["webhook-id"]) == 1
        self.send_response(503 if first else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def hooks():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hooks)
    server.taken = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Hospital:
    """A PACS that stores, and a RIS that is told, behind one port."""

    def __init__(self):
        self.stored, self.told = [], []
        entity = AE("HOSPITAL")
        entity.supported_contexts = StoragePresentationContexts
        entity.add_supported_context(InstanceAvailabilityNotification)
        self._server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_N_CREATE, self._tell)],
        )
        self.port = self._server.socket.getsockname()[1]

    def _store(self, event):
        self.stored.append(event.dataset)
        return 0x0000

    def _tell(self, event):
        self.told.append(event.attribute_list)
        return 0x0000, Dataset()

    def close(self):
        self._server.shutdown()


@pytest.fixture(scope="module")
def hospital():
    hospital = Hospital()
    yield hospital
    hospital.close()


@pytest.fixture(scope="module")
def node(module_node, quick_model, hooks, hospital, tmp_path_factory):
    secret = tmp_path_factory.mktemp("secrets") / "secret"
    secret.write_text(SECRET)
    url = f"http://127.0.0.1:{hooks.server_port}/"
    peer = {"name": "hospital", "ae_title": "HOSPITAL", "host": "127.0.0.1", "port": hospital.port}
    everything = ["results-available", "study-ended", "delivery-failed"]
    return module_node(
        completion={"quiet_s": 600},  # the study comes in several pieces
        dimse={"peers": [peer]},
        inference={"model_dirs": [str(quick_model)]},
        routes=[
            {"name": "head", "when": {"modality": "MR", "body_part": ["HEAD", "BRAIN"]}, "models": ["toy"]}
        ],
        destinations=[{"name": "pacs", "kind": "dimse", "peer": "hospital"}],
        notifications=[
            {"name": "hooks", "url": url, "secret_file": str(secret), "events": everything},
            {"name": "ris", "kind": "availability", "peer": "hospital", "of": "pacs"},
        ],
    )


@pytest.fixture(scope="module")
def sent(small_t1_series):
    """Twelve slices; the toy model takes their first voxel for a wish."""
    slices = copy.deepcopy(small_t1_series[24:36])
    for ds in slices:
        ds.PixelData = bytes(2) + ds.PixelData[2:]
    return slices


@pytest.fixture(scope="module")
def study(node, sent):
    """A study of twelve instances, one sent twice, one with other bytes, and one refused."""
    assert set(node.send(sent)) == {0x0000}
    assert node.send(sent[:1]) == [0x0000]
    other = copy.deepcopy(sent[1])
    other.SeriesDescription = "not what it was"
    assert node.send([other]) != [0x0000]
    answer = node.http.post(
        "/dicom-web/studies", content=b"nothing", headers={"Content-Type": "application/dicom"}
    )
    assert answer.status_code >= 400
    node.complete(sent[0].StudyInstanceUID, len(sent))
    return node.wait_ended(sent[0].StudyInstanceUID)


def command(node, *words):
    line = [sys.executable, "-m", "dicom_node.cli", *words, "--config", str(node.configuration)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


def test_ledger_follows_each_instance_and_each_result(node, study, hospital):
    assert (study["state"], study["reason"]) == ("done", None)
    ledger = node.http.get(f"/api/studies/{study['id']}/ledger").json()
    summary = ledger["summary"]
    assert summary["discrepancies"] == []
    assert summary["instances"] == {
        "received": 12, "deidentified": 12, "quarantined": 0, "waiting": 0, "withdrawn": 0, "purged": 12,
    }  # fmt: skip
    made = len(hospital.stored)
    assert summary["results"] | {"made": made, "passed": made} == summary["results"]
    (pacs,) = summary["deliveries"]
    assert (pacs["destination"], pacs["objects"], pacs["sent"]) == ("pacs", made, made)
    for entry in ledger["instances"]:
        assert entry["runs"] == [{"model": "toy", "version": "1.0", "status": "done"}]
        assert entry["received_at"] < entry["outcome_at"] < entry["purged_at"]
        assert entry["source"] == "dimse:TEST"
    results = node.http.get(f"/api/studies/{study['id']}/ledger/results").json()["results"]
    assert {result["model"] for result in results} == {"toy"}
    assert {r["sop_instance_uid"] for r in results} == {str(ds.SOPInstanceUID) for ds in hospital.stored}
    assert all(r["made_at"] <= r["checked_at"] <= r["deliveries"][0]["sent_at"] for r in results)


def test_repeats_and_refusals_are_counted(node, study):
    def counted():
        summary = node.http.get(f"/api/studies/{study['id']}/ledger").json()["summary"]
        refused = node.http.get("/api/refusals").json()["refusals"]
        return (summary["duplicates"], summary["conflicts"]) == (1, 1) and {
            each["source"]: each["code"] for each in refused
        }

    assert eventually(counted, what="the counts") == {"stow": "invalid-instance"}


def test_command_shows_counts_and_entries(node, study):
    shown = command(node, "studies", study["id"])
    assert shown.returncode == 0, shown.stderr
    assert "received  12 = 12 deidentified; 12 purged" in shown.stdout
    listed = json.loads(command(node, "studies", study["id"], "--ledger", "--json").stdout)
    assert len(listed["instances"]) == 12


def test_study_page_shows_the_counts(node, study):
    page = node.http.get(f"/studies/{study['id']}").text
    assert "12 de-identified; 12 purged" in page


def test_hooks_are_told_of_everything_without_identity(node, study, hooks, sent):
    def told():
        kinds = [json.loads(body)["type"] for _, body in hooks.taken]
        return kinds.count("results-available") >= 2 and kinds.count("study-ended") >= 2

    eventually(told, what="both messages, twice each")
    assert len({identifier for identifier, _ in hooks.taken}) == 2
    everything = " ".join(body for _, body in hooks.taken)
    ended = next(json.loads(body)["data"] for _, body in hooks.taken if "study-ended" in body)
    assert ended["study"]["id"] == study["id"]
    assert ended["state"] == "done"
    original = sent[0]
    for identity in (original.StudyInstanceUID, original.PatientID, str(original.PatientName)):
        assert identity not in everything
    taken = eventually(lambda: node.http.get("/api/notifications?state=sent").json()["notifications"] or None)
    assert all(message["attempts"] <= 2 for message in taken)
    listed = command(node, "notifications", "list", "--listener", "hooks", "--json")
    assert {message["event"] for message in json.loads(listed.stdout)} == {"results-available", "study-ended"}
    assert command(node, "notifications", "retry").stdout == "queued 0 again\n"


def test_ris_is_told_of_the_study_that_it_knows(study, hospital, sent):
    eventually(lambda: hospital.told, what="the notification")
    (told,) = hospital.told
    assert told.StudyInstanceUID == sent[0].StudyInstanceUID
    named = {
        str(item.ReferencedSOPInstanceUID)
        for series in told.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert named == {str(ds.SOPInstanceUID) for ds in hospital.stored}
    assert told.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].RetrieveAETitle == "HOSPITAL"


def test_reconciliation_is_clean_until_something_is_lost(node, study):
    clean = command(node, "reconcile", "--deep", "--json")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    report = json.loads(clean.stdout)
    assert report["counts"] == {}
    assert report["studies"] == 1
    assert node.http.get("/api/reconciliation").json()["id"] == report["id"]

    lost = min((node.data_dir / "results").rglob("*.dcm"))
    lost.unlink()
    found = command(node, "reconcile")
    assert found.returncode == 1
    assert "result-without-bytes" in found.stdout
    assert node.http.get("/api/reconciliation").json()["clean"] is False
    metrics = node.http.get("/metrics").text
    assert re.search(
        r'^dicom_node_ledger_discrepancies\{kind="result-without-bytes"\} 1\.0$', metrics, re.MULTILINE
    )
    assert "1 discrepancy" in node.http.get("/").text
    assert "result-without-bytes" in node.http.get("/reconciliation").text
    ready = node.http.get("/health/ready")
    assert ready.status_code == 200
    assert "1 discrepancy" in ready.json()["notes"]["index"]
