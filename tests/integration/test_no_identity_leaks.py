"""Canary identity through every path, failures too: no log, metric, page, URL, file or row shows it."""

import io
import sqlite3

import pytest
from processes import eventually
from pydicom.uid import VLPhotographicImageStorage, generate_uid
from running_node import ENDED

pytestmark = pytest.mark.integration

CANARIES = ("CANARYLAST", "CANARYID77", "19511231", "CANARYACC", "CANARYHOSP", "CANARYREF")


@pytest.fixture
def canary_series(small_t1_series, with_new_uids):
    series = with_new_uids(small_t1_series, "canary")
    for ds in series:
        ds.PatientName = "CANARYLAST^JANE"
        ds.PatientID = "CANARYID77"
        ds.PatientBirthDate = "19511231"
        ds.AccessionNumber = "CANARYACC"
        ds.InstitutionName = "CANARYHOSP"
        ds.ReferringPhysicianName = "CANARYREF^DOC"
    return series


def _encoded(ds):
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _post(node, body):
    content_type = 'multipart/related; type="application/dicom"; boundary=b'
    payload = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n--b--\r\n"
    return node.http.post("/dicom-web/studies", content=payload, headers={"Content-Type": content_type})


def _everything_written(node):
    """All that a person, a scraper or a thief of the disk could read, by where it stands."""
    yield "log", node.output.encode()
    for path in (
        "/",
        "/api/studies",
        "/metrics",
        "/health/ready",
        "/dicom-web/studies",
        "/dicom-web/instances",
        "/quarantine?show=all",
        "/api/quarantine",
        "/api/notifications",
        "/api/refusals",
        "/reconciliation",
    ):
        yield path, node.http.get(path).content
    for study in node.http.get("/api/studies").json()["studies"]:
        for path in (f"/api/studies/{study['id']}", f"/studies/{study['id']}"):
            yield path, node.http.get(path).content
            yield f"{path}/deidentification", node.http.get(f"{path}/deidentification").content
        for path in ("ledger", "ledger/results"):
            yield path, node.http.get(f"/api/studies/{study['id']}/{path}").content
    for item in node.http.get("/api/quarantine").json()["quarantined"]:
        for path in (f"/api/quarantine/{item['id']}", f"/quarantine/{item['id']}"):
            yield path, node.http.get(path).content
    for file in node.data_dir.rglob("*"):
        yield f"name of {file.relative_to(node.data_dir)}", str(file).encode()
        if file.is_file():
            yield f"bytes of {file.relative_to(node.data_dir)}", file.read_bytes()
    for database in node.data_dir.glob("*.db"):
        # Through SQL as well: pages of a database may be split or compressed.
        with sqlite3.connect(database) as connection:
            yield f"rows of {database.name}", "\n".join(connection.iterdump()).encode(errors="replace")


def _photograph(ds, number):
    photograph = ds.copy()
    photograph.SOPClassUID = photograph.file_meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    photograph.StudyInstanceUID = generate_uid(entropy_srcs=["canary-photographs"])
    photograph.SOPInstanceUID = generate_uid(entropy_srcs=["canary-photograph", str(number)])
    photograph.file_meta.MediaStorageSOPInstanceUID = photograph.SOPInstanceUID
    return photograph


def _decide(node, study_id):
    """Look at what is held, give reasons that hold identity, release one and delete the other."""
    released, deleted = node.http.get(f"/api/quarantine?study={study_id}").json()["quarantined"]
    for item in (released, deleted):
        for what in ("preview", "content"):
            assert node.http.get(f"/api/quarantine/{item['id']}/{what}").is_success
    for item, action in ((deleted, "delete"), (released, "release")):
        reason = {"reason": "CANARYREF said that CANARYID77 agrees"}
        assert node.http.post(f"/api/quarantine/{item['id']}/{action}", json=reason).is_success
    _wait_state(node, study_id, "receiving")
    assert node.http.post(f"/api/studies/{study_id}/complete").is_success
    _wait_state(node, study_id, *ENDED)


def _wait_state(node, study_id, *wanted):
    eventually(lambda: node.http.get(f"/api/studies/{study_id}").json()["state"] in wanted, 60, str(wanted))


def test_canary_identity_shows_nowhere(start_node, canary_series):
    node = start_node(completion={"quiet_s": 600})  # studies come in several pieces
    assert set(node.send(canary_series)) == {0x0000}

    # Failures: cut short, no UID, not DICOM at all, and photographs, which are kept back.
    whole = _encoded(canary_series[0])
    assert _post(node, whole[:-1000]).status_code in {400, 409}
    assert _post(node, b"CANARYLAST" * 100).status_code in {400, 409}
    nameless = canary_series[1].copy()
    del nameless.SOPInstanceUID
    buffer = io.BytesIO()
    nameless.save_as(buffer, enforce_file_format=False)
    assert _post(node, buffer.getvalue()).status_code in {400, 409}
    photographs = [_photograph(ds, number) for number, ds in enumerate(canary_series[2:4])]
    for ds in photographs:
        assert _post(node, _encoded(ds)).status_code == 200
    originals = {str(canary_series[0].StudyInstanceUID), str(canary_series[0].SOPInstanceUID)}

    for ds, count in ((photographs[0], len(photographs)), (canary_series[0], len(canary_series))):
        node.complete(ds.StudyInstanceUID, count)
    study = node.wait_ended(photographs[0].StudyInstanceUID)
    assert study["state"] == "quarantined"
    _decide(node, study["id"])
    node.wait_ended(canary_series[0].StudyInstanceUID)

    found = [
        (canary, where)
        for where, content in _everything_written(node)
        for canary in (*CANARIES, *originals)
        if canary.encode() in content
    ]
    assert found == []
