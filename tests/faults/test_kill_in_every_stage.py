"""`kill -9` before and after every stage: nothing is lost, nothing is shown twice."""

import contextlib
import signal
import subprocess
import sys

import httpx
import pytest

pytestmark = pytest.mark.faults

STEPS = (
    "deidentify",
    "route",
    "infer",
    "record_runs",
    "encode",
    "check",
    "attempt_delivery",
    "purge",
    "finish",
)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_kills_lose_nothing_and_show_nothing_twice(start_faulty, pacs, t1_half, moment):
    """One study through nine kills, a stage further each time."""
    node = start_faulty(
        moment,
        STEPS[0],
        # Completed by a call, so that a slow machine cannot make two versions of one study.
        completion={"quiet_s": 600},
        dimse={"peers": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port}]},
        destinations=[{"name": "pacs", "kind": "dimse", "peer": "pacs", "backoff_s": 0.2}],
    )
    assert set(node.send(t1_half)) == {0x0000}
    (received,) = node.http.get("/api/studies").json()["studies"]
    with contextlib.suppress(httpx.TransportError):  # the node may die before it answers
        node.http.post(f"/api/studies/{received['id']}/complete")
    assert node.process.wait(240) == -signal.SIGKILL, STEPS[0]
    for step in STEPS[1:]:
        type(node).fault = (moment, step)
        with contextlib.suppress(AssertionError):  # it may die before it is ready
            node.restart()
        assert node.process.wait(240) == -signal.SIGKILL, step

    type(node).fault = ()
    node.restart()
    original = t1_half[0]
    study = node.wait_ended(original.StudyInstanceUID)

    assert (study["state"], study["reason"]) == ("done", None)
    assert len(node.http.get("/api/studies").json()["studies"]) == 1
    assert study["received"]["instances"] == len(t1_half)
    assert [r["status"] for r in study["runs"]] == ["done"]
    assert [(d["destination"], d["status"]) for d in study["deliveries"]] == [("pacs", "sent")]
    assert study["purged_at"] is not None

    results = [r["sop_instance_uid"] for r in study["results"]]
    assert len(results) == len(set(results)) == len(t1_half) + 4
    shown = node.http.get(f"/dicom-web/studies/{study['study_instance_uid']}/instances").json()
    assert sorted(i["00080018"]["Value"][0] for i in shown) == sorted(results)

    assert {ds.SOPInstanceUID for ds in pacs.received} == set(results)
    assert {(ds.StudyInstanceUID, ds.PatientID) for ds in pacs.received} == {
        (original.StudyInstanceUID, original.PatientID)
    }

    left = [p for area in ("spool", "work") for p in (node.data_dir / area).rglob("*") if p.is_file()]
    assert left == []
    verify = [sys.executable, "-m", "dicom_node.cli", "audit", "verify", "--config", str(node.configuration)]
    subprocess.run(verify, check=True, capture_output=True, cwd=node.configuration.parent)
