"""A screen capture with a name in its pixels: kept back, looked at, released or deleted on a real node."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import eventually
from screen_captures import WITHOUT_PIXELS, as_array, picture, screen_capture

pytestmark = pytest.mark.integration

DICOM_NODE = Path(sys.executable).with_name("dicom-node")
NAMES = ("CANARYBURNT", "CANARYOTHER")


@pytest.fixture
def node(start_node):
    return start_node(deidentification=WITHOUT_PIXELS)


@pytest.fixture
def held(node):
    """Study id, and what is held of it by the name in its pixels."""
    captures = [screen_capture(name, "held") for name in NAMES]
    assert node.send(captures) == [0x0000] * 2
    study = node.wait_ended(captures[0].StudyInstanceUID)
    assert study["state"] == "quarantined"
    listed = node.http.get("/api/quarantine", params={"study": study["id"]}).json()["quarantined"]
    assert {item["rule"] for item in listed} == {"burned-in-annotation"}
    by_name = {}
    for item in listed:
        bright = as_array(node.http.get(f"/api/quarantine/{item['id']}/preview").content) > 200
        by_name[next(name for name in NAMES if np.array_equal(bright, picture(name)[0] > 200))] = item
    assert set(by_name) == set(NAMES)
    return study, by_name


def _audit(node):
    return [json.loads(line) for line in (node.data_dir / "audit.jsonl").read_text().splitlines()]


def _command(node, *arguments, expect=0):
    command = [DICOM_NODE, "quarantine", *arguments, "--json", "--config", node.configuration]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return json.loads(done.stdout) if expect == 0 else done.stderr


def _left(node, area):
    return [path for path in (node.data_dir / area).rglob("*") if path.is_file()]


def _ended_as_version(node, study_id, version):
    def ended():
        study = node.http.get(f"/api/studies/{study_id}").json()
        return study if study["version"] == version and study["state"] == "rejected" else None

    return eventually(ended, 60, f"the end of version {version}")


def test_released_capture_goes_through_the_pipeline_and_the_other_is_deleted(node, held):
    study, by_name = held
    released, deleted = (by_name[name]["id"] for name in NAMES)

    answer = node.http.post(f"/api/quarantine/{released}/release", json={"reason": "nothing-identifies"})
    assert answer.json()["state"] == "released", answer.text
    second = _ended_as_version(node, study["id"], 2)
    assert "1 of 2 instances quarantined" in second["reason"]

    report = node.http.get(f"/api/studies/{study['id']}/deidentification").json()
    assert (report["version"], report["instances"]) == (2, 1)
    assert report["risks"]["vouched-burned-in-annotation"] == 1
    assert sum(report["quarantined"].values()) == 1
    # It was served, and went with the purge.
    assert node.http.get(f"/dicom-web/studies/{study['study_instance_uid']}").status_code == 410

    assert [item["id"] for item in _command(node, "list", "--state", "held")] == [deleted]
    assert _command(node, "delete", deleted, "--yes", "--reason", "identity-visible")["state"] == "deleted"
    assert _command(node, "show", deleted)["decision"] == "identity-visible"
    assert "410" in _command(node, "release", deleted, "--yes", expect=1)
    assert node.http.get(f"/api/quarantine/{deleted}/preview").status_code == 410
    assert _left(node, "quarantine") == _left(node, "keys/quarantine") == _left(node, "spool") == []

    events = [entry["event"] for entry in _audit(node)]
    assert events.count("quarantine.destroyed") == 2
    assert {"quarantine.looked_at", "quarantine.release", "quarantine.delete"} <= set(events)
    assert (
        "whole"
        in subprocess.run(
            [DICOM_NODE, "audit", "verify", "--config", node.configuration],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_held_capture_outlives_a_kill_and_a_purge_and_is_released_then(node, held):
    study, by_name = held
    node.kill()
    node.restart()
    command = [DICOM_NODE, "purge", study["id"], "--yes", "--config", node.configuration]
    node.stop()
    subprocess.run(command, check=True, capture_output=True)
    node.restart()
    assert _left(node, "spool") == []

    item = by_name[NAMES[0]]["id"]
    assert _command(node, "release", item, "--yes", "--reason", "no-patient")["decision"] == "no-patient"
    _ended_as_version(node, study["id"], 2)
    report = node.http.get(f"/api/studies/{study['id']}/deidentification").json()
    assert (report["instances"], report["quarantined"]) == (1, {})


def test_capture_with_a_name_shows_it_nowhere_but_in_the_preview(node, held):
    study, by_name = held
    for item in by_name.values():
        node.http.get(f"/api/quarantine/{item['id']}/content").raise_for_status()
    paths = [f"/quarantine/{item['id']}" for item in by_name.values()]
    paths += ["/quarantine", "/api/quarantine", f"/studies/{study['id']}/deidentification", "/metrics"]
    shown = b"".join(node.http.get(path).content for path in paths)
    written = (node.data_dir / "audit.jsonl").read_bytes() + node.output.encode()
    original = screen_capture(NAMES[0], "held")
    for text in (*NAMES, str(original.PatientName), str(original.PatientID), str(original.SOPInstanceUID)):
        assert text.encode() not in shown + written
