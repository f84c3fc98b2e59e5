"""Orthanc searches and empties a real node, and each commits to what it got from the other."""

from types import SimpleNamespace

import pytest
from index_samples import SetClock
from processes import eventually
from real_orthanc import RealOrthanc, require_orthanc
from toy_package import quick_model

from dicom_node.dimse.association import Address
from dicom_node.dimse.commitment_scu import DimseCommitmentRequester
from dicom_node.domain.commitment import CommitmentState, ObjectReference
from dicom_node.index.commitments import SqlCommitments
from dicom_node.index.database import open_database
from dicom_node.security.master import load_master_key

__all__ = ["quick_model"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def meeting(module_node, free_port, tmp_path_factory, quick_model, small_t1_series):
    """A node that has processed a short series, whose inputs stay, and an Orthanc that is its peer."""
    require_orthanc()
    ports = {"HttpPort": free_port(), "DicomPort": free_port()}
    peer = {"name": "orthanc", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": ports["DicomPort"]}
    node = module_node(
        dimse={
            "port": free_port(),
            "ae_title": "DICOMNODE",
            "peers": [peer],
            "receivers": 1,
            "commitment": {"promise": "held"},
        },
        completion={"quiet_s": 600},
        retention={"inputs_s": 600},
        inference={"model_dirs": [str(quick_model)]},
        routes=[{"name": "head", "when": {"modality": "MR"}, "models": ["toy"]}],
    )
    known = {"AET": "DICOMNODE", "Host": "127.0.0.1", "Port": node.dimse_port, "Timeout": 20}
    orthanc = RealOrthanc(
        tmp_path_factory.mktemp("orthanc"),
        {**ports, "DicomModalities": {"node": known}, "DicomCheckModalityHost": False},
    )
    try:
        series = small_t1_series[8:14]  # the toy model minds the corners
        assert set(node.send(series)) == {0x0000}
        study = eventually(lambda: node.study(series[0].StudyInstanceUID), what="the study")
        node.http.post(f"/api/studies/{study['id']}/complete").raise_for_status()
        ended = node.wait_ended(series[0].StudyInstanceUID)
        assert ended["state"] == "done", ended["reason"]
        yield SimpleNamespace(
            node=node,
            orthanc=orthanc,
            series=series,
            pseudonym=ended["study_instance_uid"],
            results={one["sop_instance_uid"] for one in ended["results"]},
        )
    finally:
        orthanc.discard()


def test_orthanc_finds_the_study_by_its_pseudonym_and_not_by_its_name(meeting):
    """PS3.4 §C.4.1: C-FIND, Study Root."""

    def found(**keys):
        query = {"Level": "Study", "Query": {"StudyInstanceUID": "", **keys}}
        asked = meeting.orthanc.http.post("/modalities/node/query", json=query)
        answers = f"{asked.raise_for_status().json()['Path']}/answers?expand&simplify"
        return meeting.orthanc.http.get(answers).raise_for_status().json()

    (answer,) = found(PatientID="*")
    assert answer["StudyInstanceUID"] == meeting.pseudonym
    assert found(StudyInstanceUID=str(meeting.series[0].StudyInstanceUID)) == []
    assert found(PatientName=str(meeting.series[0].PatientName)) == []


def test_orthanc_has_the_study_sent_to_itself(meeting):
    """PS3.4 §C.4.2: C-MOVE, from a receiver process of the node."""
    http = meeting.orthanc.http
    query = {"Level": "Study", "Query": {"StudyInstanceUID": meeting.pseudonym}}
    asked = http.post("/modalities/node/query", json=query).raise_for_status().json()
    http.post(
        f"{asked['Path']}/retrieve", json={"TargetAet": "ORTHANC", "Synchronous": True}
    ).raise_for_status()
    found = {ds.SOPInstanceUID: ds for ds in meeting.orthanc.instances(StudyInstanceUID=meeting.pseudonym)}
    assert meeting.results
    assert meeting.results < set(found)
    inputs = [ds for uid, ds in found.items() if uid not in meeting.results]
    assert {ds.PatientIdentityRemoved for ds in inputs} == {"YES"}
    assert {ds.PixelData for ds in inputs} == {ds.PixelData for ds in meeting.series}
    assert not any(ds.PatientName == meeting.series[0].PatientName for ds in found.values())


def test_orthanc_is_told_what_the_node_holds(meeting):
    """PS3.4 Annex J: Orthanc asks, by the original UIDs, and leaves before the report."""

    def commitment(*instances):
        body = {"DicomInstances": [{"SOPClassUID": c, "SOPInstanceUID": i} for c, i in instances]}
        asked = meeting.orthanc.http.post("/modalities/node/storage-commitment", json=body)
        path = asked.raise_for_status().json()["Path"]

        def report():
            answer = meeting.orthanc.http.get(path).raise_for_status().json()
            return None if answer["Status"] == "Pending" else answer

        return eventually(report, 60, "the report")

    held = (str(meeting.series[0].SOPClassUID), str(meeting.series[0].SOPInstanceUID))
    assert commitment(held)["Status"] == "Success"
    report = commitment(held, (held[0], "1.2.3.4"))
    assert report["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in report["Success"]] == [held[1]]
    assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in report["Failures"]] == [
        ("1.2.3.4", 0x0112)
    ]


def test_orthanc_commits_to_what_it_holds(meeting):
    """The report comes to a receiver process, and is known to every other one."""
    meeting.orthanc.upload(meeting.series[:1])
    database = open_database(f"sqlite:///{meeting.node.data_dir / 'node.db'}")
    try:
        key = load_master_key(meeting.node.data_dir).derive("commitments")
        store = SqlCommitments(database, SetClock(), key)
        address = Address("127.0.0.1", meeting.orthanc.dimse_port, "ORTHANC", "DICOMNODE", timeout_s=20)
        requester = DimseCommitmentRequester(address, store, wait_s=0)
        held = ObjectReference(str(meeting.series[0].SOPClassUID), str(meeting.series[0].SOPInstanceUID))

        def outcome(uid):
            found = store.outcome(uid)
            return None if found.state is CommitmentState.PENDING else found

        kept = requester.request([held])
        lost = requester.request([held, ObjectReference(held.sop_class_uid, "1.2.3.4")])
        found = eventually(lambda: outcome(kept), 60, "the report")
        assert found.state is CommitmentState.COMMITTED
        found = eventually(lambda: outcome(lost), 60, "the report")
        assert found.state is CommitmentState.FAILED
        assert found.failures == {"1.2.3.4": 0x0112}
    finally:
        database.dispose()
