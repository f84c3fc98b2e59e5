"""Canary identity through every path, failures too: no log, metric, page, URL, file or row shows it."""

import io
import sqlite3

import pytest
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

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
    ):
        yield path, node.http.get(path).content
    for study in node.http.get("/api/studies").json()["studies"]:
        for path in (f"/api/studies/{study['id']}", f"/studies/{study['id']}"):
            yield path, node.http.get(path).content
    for file in node.data_dir.rglob("*"):
        yield f"name of {file.relative_to(node.data_dir)}", str(file).encode()
        if file.is_file():
            yield f"bytes of {file.relative_to(node.data_dir)}", file.read_bytes()
    for database in node.data_dir.glob("*.db"):
        # Through SQL as well: pages of a database may be split or compressed.
        with sqlite3.connect(database) as connection:
            yield f"rows of {database.name}", "\n".join(connection.iterdump()).encode(errors="replace")


def test_canary_identity_shows_nowhere(start_node, canary_series):
    node = start_node(completion={"quiet_s": 2})
    assert set(node.send(canary_series)) == {0x0000}

    # Failures: cut short, no UID, not DICOM at all, and pixels that say they carry text.
    whole = _encoded(canary_series[0])
    assert _post(node, whole[:-1000]).status_code in {400, 409}
    assert _post(node, b"CANARYLAST" * 100).status_code in {400, 409}
    nameless = canary_series[1].copy()
    del nameless.SOPInstanceUID
    buffer = io.BytesIO()
    nameless.save_as(buffer, enforce_file_format=False)
    assert _post(node, buffer.getvalue()).status_code in {400, 409}
    burned_in = canary_series[2].copy()
    burned_in.SOPClassUID = burned_in.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    burned_in.StudyInstanceUID = generate_uid(entropy_srcs=["canary-burned-in"])
    burned_in.SOPInstanceUID = generate_uid(entropy_srcs=["canary-burned-in-instance"])
    burned_in.file_meta.MediaStorageSOPInstanceUID = burned_in.SOPInstanceUID
    burned_in.BurnedInAnnotation = "YES"
    assert _post(node, _encoded(burned_in)).status_code == 200
    originals = {str(canary_series[0].StudyInstanceUID), str(canary_series[0].SOPInstanceUID)}

    held = node.wait_ended(burned_in.StudyInstanceUID)
    assert held["state"] == "quarantined"
    node.wait_ended(canary_series[0].StudyInstanceUID)

    found = [
        (canary, where)
        for where, content in _everything_written(node)
        for canary in (*CANARIES, *originals)
        if canary.encode() in content
    ]
    assert found == []
