"""What becomes of a study: rejected, purged, sent twice, late, and delivered to a PACS that was down."""

import json
import subprocess
import sys

import pytest
import yaml
from ports import take_port
from processes import eventually
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(module_node):
    return module_node()


def _audit(node):
    lines = (node.data_dir / "audit.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_study_without_a_model_is_rejected_with_its_reason_and_purged(node):
    ct = dcmread(get_testdata_file("CT_small.dcm"))
    assert node.send([ct]) == [0x0000]
    study = node.wait_ended(ct.StudyInstanceUID)
    assert study["state"] == "rejected"
    assert study["reason"].startswith("no route: ")
    assert "CT" in study["reason"]
    assert (study["runs"], study["results"]) == ([], [])
    assert study["purged_at"] is not None
    assert node.http.get(f"/dicom-web/studies/{study['study_instance_uid']}").status_code == 410


def test_study_that_a_gate_rejects_has_a_report_that_says_why(node, t1_half, with_new_uids):
    blank = with_new_uids(t1_half[::3], "blank")
    for ds in blank:
        ds.PixelData = bytes(len(ds.PixelData))
    assert set(node.send(blank)) == {0x0000}
    study = node.wait_ended(blank[0].StudyInstanceUID)
    (run,) = study["runs"]
    assert (study["state"], run["status"]) == ("rejected", "rejected")
    (result,) = study["results"]
    assert result["kind"] == "SR"
    base = f"/dicom-web/studies/{study['study_instance_uid']}/series/{result['series_instance_uid']}"
    words = node.http.get(f"{base}/metadata").text
    assert "Unable to determine" in words
    assert "R_QUALITY" in words
    assert "Unable to determine" in node.http.get(f"/studies/{study['id']}").text


def test_inputs_are_purged_and_answer_410_while_results_stay(node, t1_half):
    assert set(node.send(t1_half)) == {0x0000}
    study = node.wait_ended(t1_half[0].StudyInstanceUID)
    assert (study["state"], study["reason"]) == ("done", None)
    (run,) = study["runs"]
    assert run["label"].startswith("Intracranial volume ")
    assert 0.6 <= run["confidence"] <= 1

    base = f"/dicom-web/studies/{study['study_instance_uid']}"
    shown = node.http.get(f"{base}/series").json()
    assert sorted(s["00080060"]["Value"][0] for s in shown) == ["DOC", "OT", "SEG", "SR", "SR"]
    routing = node.http.get(f"/api/studies/{study['id']}/routing").json()
    source = f"{base}/series/{routing['assignments'][0]['series_instance_uid']}"
    for resource in (source, f"{source}/metadata"):
        assert node.http.get(resource).status_code == 410

    assert [p for area in ("spool", "work") for p in (node.data_dir / area).rglob("*") if p.is_file()] == []
    assert [p for p in (node.data_dir / "keys" / "slots").rglob("*") if p.is_file()] == []
    (receipt,) = [
        entry
        for entry in _audit(node)
        if entry["event"] == "study.purged" and entry["study_id"] == study["id"]
    ]
    assert receipt["files_deleted"] >= 2 * len(t1_half)
    assert receipt["key_destroyed"] is True


def test_same_instance_twice_is_one_and_late_ones_make_a_new_version_whose_results_replace_the_earlier(
    start_node, t1_half, with_new_uids
):
    node = start_node(completion={"quiet_s": 600}, retention={"inputs_s": 600})
    series = with_new_uids(t1_half, "late")
    original = series[0].StudyInstanceUID
    early, late = series[2:], series[:2]
    assert set(node.send([early[0], *early])) == {0x0000}
    node.complete(original, len(early))
    first = node.wait_ended(original)
    assert (first["state"], first["version"]) == ("done", 1)

    assert set(node.send(late)) == {0x0000}
    node.complete(original, len(series))
    second = eventually(
        lambda: (s := node.study(original)) and s["version"] == 2 and s["state"] == "done" and s,
        180,
        "version 2",
    )
    assert second["received"]["instances"] == len(series)
    results = {r["sop_instance_uid"] for r in second["results"]}
    assert results.isdisjoint(r["sop_instance_uid"] for r in first["results"])
    shown = node.http.get(f"/dicom-web/studies/{second['study_instance_uid']}/instances?limit=5000").json()
    modalities = [i["00080060"]["Value"][0] for i in shown]
    assert modalities.count("SEG") == 1
    assert {i["00080018"]["Value"][0] for i in shown if i["00080060"]["Value"][0] != "MR"} == results


def test_results_wait_for_a_pacs_that_is_down(start_node, t1_half, with_new_uids):
    port = take_port()
    node = start_node(
        dimse={"peers": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}]},
        destinations=[{"name": "pacs", "kind": "dimse", "peer": "pacs", "backoff_s": 0.5}],
    )
    series = with_new_uids(t1_half, "down")
    original = series[0]
    assert set(node.send(series)) == {0x0000}

    def tried():
        study = node.study(original.StudyInstanceUID)
        return study if study and study["deliveries"] and study["deliveries"][0]["attempts"] >= 2 else None

    waiting = eventually(tried, 120, "two tries")
    assert (waiting["state"], waiting["deliveries"][0]["status"]) == ("processing", "pending")
    assert waiting["purged_at"] is None

    received = []
    ae = AE("PACS")
    for context in StoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax)

    def store(event):
        received.append(event.dataset)
        return 0x0000

    pacs = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        study = node.wait_ended(original.StudyInstanceUID)
    finally:
        pacs.shutdown()
    assert (study["state"], study["deliveries"][0]["status"]) == ("done", "sent")
    assert {str(ds.PatientName) for ds in received} == {str(original.PatientName)}
    assert {ds.StudyInstanceUID for ds in received} == {original.StudyInstanceUID}
    assert {ds.SOPInstanceUID for ds in received} == {r["sop_instance_uid"] for r in study["results"]}


def test_serve_on_another_address_without_accounts_refuses_and_says_why(tmp_path):
    configuration = tmp_path / "node.yaml"
    configuration.write_text(yaml.safe_dump({"http": {"host": "0.0.0.0"}, "auth": {"mode": "none"}}))
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(configuration)]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert answer.returncode == 1
    assert "loopback only" in answer.stderr
    assert not (tmp_path / "data").exists()
