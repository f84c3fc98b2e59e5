"""A node whose profile asks for the removal of faces: no series gets past it with one."""

import io

import pydicom
import pytest
from processes import eventually

pytestmark = pytest.mark.integration

OPTIONS = {"options": ["clean-descriptors", "clean-recognizable-visual-features"]}


@pytest.fixture
def node(start_node):
    return start_node(deidentification=OPTIONS, retention={"inputs_s": 600})


def test_models_and_viewers_get_a_head_without_a_face(node, t1_half):
    assert set(node.send(t1_half)) == {0x0000}

    def processed():
        study = node.study(t1_half[0].StudyInstanceUID)
        if not study or not study["results"]:
            return None
        return node.http.get(f"/api/studies/{study['id']}").raise_for_status().json()

    study = eventually(processed, 240, "the results")
    (run,) = study["runs"]
    assert run["status"] == "done"
    report = node.http.get(f"/api/studies/{study['id']}/deidentification").raise_for_status().json()
    assert report["actions"]["PixelData"]["face-removed"] == len(t1_half)
    assert "faces-not-removed" not in report["risks"]
    routing = node.http.get(f"/api/studies/{study['id']}/routing").json()
    series = routing["assignments"][0]["series_instance_uid"]
    base = f"/dicom-web/studies/{study['study_instance_uid']}/series/{series}"
    listed = node.http.get(f"{base}/metadata").raise_for_status().json()
    assert len(listed) == len(t1_half)
    assert {entry["00280302"]["Value"][0] for entry in listed} == {"NO"}
    for entry in listed:
        assert "113102" in [item["00080100"]["Value"][0] for item in entry["00120064"]["Value"]]
    lowest = min(listed, key=lambda entry: entry["00200032"]["Value"][2])
    answer = node.http.get(
        f"{base}/instances/{lowest['00080018']['Value'][0]}",
        headers={"accept": 'multipart/related; type="application/dicom"'},
    ).raise_for_status()
    start = answer.content.index(b"DICM") - 128
    ds = pydicom.dcmread(io.BytesIO(answer.content[start:]))
    assert not ds.pixel_array[:20].any()


def test_a_series_whose_face_stays_is_kept_back_whole(node, t1_half):
    part = t1_half[64:]  # the upper half: the image ends inside the brain
    assert set(node.send(part)) == {0x0000}
    study = node.wait_ended(part[0].StudyInstanceUID)
    assert study["state"] == "quarantined"
    assert "face" in study["reason"]
    held = node.http.get("/api/quarantine", params={"study": study["id"]}).raise_for_status().json()
    assert {item["rule"] for item in held["quarantined"]} == {"face-not-removed"}
    assert [path for path in (node.data_dir / "work").rglob("*") if path.is_file()] == []
    assert list(node.data_dir.rglob("*.npy")) == []

    # A person who looked at one of them answers for it, and for no other.
    item = held["quarantined"][0]
    assert item["releasable"]
    assert node.http.get(f"/api/quarantine/{item['id']}/preview").status_code == 200
    answer = node.http.post(f"/api/quarantine/{item['id']}/release", json={"reason": "nothing-identifies"})
    assert answer.status_code == 200, answer.text

    def again():
        report = node.http.get(f"/api/studies/{study['id']}/deidentification").json()
        return report if report.get("instances") == 1 else None

    report = eventually(again, 120, "the second version")
    assert report["risks"]["vouched-face-not-removed"] == 1
    assert sum(report["quarantined"].values()) == len(part) - 1
