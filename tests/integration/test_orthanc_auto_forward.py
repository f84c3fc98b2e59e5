"""orthanc/auto-forward.lua in a real Orthanc; a second Orthanc stands where the node would."""

import pytest
from processes import eventually

pytestmark = pytest.mark.integration

WAYS = ("dimse", "dicomweb")


@pytest.fixture
def receiver(start_orthanc):
    """Takes what is forwarded."""
    return start_orthanc(DicomAet="DICOMNODE")


@pytest.fixture(params=WAYS)
def sender(request, shipped_orthanc, receiver):
    return shipped_orthanc(
        forward=request.param, node_dimse_port=receiver.dimse_port, node_http_port=receiver.http_port
    )


def received(orthanc):
    return {str(ds.SOPInstanceUID) for ds in orthanc.instances()}


def uids(series):
    return {str(ds.SOPInstanceUID) for ds in series}


def forwards(orthanc):
    return orthanc.output.count("DICOM Node: sending")


def wait_stable(orthanc, times):
    eventually(
        lambda: (
            orthanc.output.count("StableStudy") >= times
            or sum(c["ChangeType"] == "StableStudy" for c in changes(orthanc)) >= times
        ),
        30,
        "a stable study",
    )


def changes(orthanc):
    return orthanc.http.get("/changes", params={"limit": 100000}).json()["Changes"]


def test_stable_study_is_forwarded_whole_and_once(sender, receiver, small_t1_series):
    sender.upload(small_t1_series)
    receiver.wait_for(lambda it: received(it) == uids(small_t1_series))
    eventually(lambda: "was sent" in sender.output)
    assert forwards(sender) == 1


def test_results_of_the_node_are_not_sent_back(sender, receiver, small_t1_series, with_new_uids):
    source = small_t1_series[:8]
    sender.upload(source)
    receiver.wait_for(lambda it: received(it) == uids(source))
    results = with_new_uids(source, "results")
    for ds in results:
        ds.StudyInstanceUID = source[0].StudyInstanceUID
        ds.Manufacturer = "DICOM Node"
    sender.upload(results)
    wait_stable(sender, 2)
    # The script works through stable studies in order: when the next one is there, this one was looked at.
    other = with_new_uids(source, "another study")
    sender.upload(other)
    receiver.wait_for(lambda it: received(it) == uids(source) | uids(other))
    assert forwards(sender) == 2


def test_results_by_c_store_from_the_node_are_known_by_their_sender(
    shipped_orthanc, receiver, small_t1_series, with_new_uids, tool, tmp_path
):
    sender = shipped_orthanc(
        forward="dimse", node_dimse_port=receiver.dimse_port, node_http_port=receiver.http_port
    )
    for number, ds in enumerate(small_t1_series[:3]):
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    done = tool("storescu", "-aet", "DICOMNODE", "127.0.0.1", sender.dimse_port, *tmp_path.glob("*.dcm"))
    assert done.returncode == 0, done.stderr
    wait_stable(sender, 1)
    other = with_new_uids(small_t1_series[:3], "another study")
    sender.upload(other)
    receiver.wait_for(lambda it: received(it) == uids(other))


def test_late_instances_send_the_whole_study_again(sender, receiver, small_t1_series):
    sender.upload(small_t1_series[:4])
    receiver.wait_for(lambda it: received(it) == uids(small_t1_series[:4]))
    sender.upload(small_t1_series[4:6])
    receiver.wait_for(lambda it: received(it) == uids(small_t1_series[:6]))
    assert "sending 6 instances" in sender.output


def test_study_that_could_not_be_sent_goes_with_the_next_one(
    sender, receiver, small_t1_series, with_new_uids
):
    receiver.stop()
    sender.upload(small_t1_series[:3])
    eventually(lambda: "is tried again" in sender.output, 60, "the failed job")
    receiver.resume()
    other = with_new_uids(small_t1_series[:3], "another study")
    sender.upload(other)
    receiver.wait_for(lambda it: received(it) == uids(small_t1_series[:3]) | uids(other))


def test_log_lines_of_the_script_name_no_patient(sender, receiver, small_t1_series):
    sender.upload(small_t1_series[:2])
    eventually(lambda: "was sent" in sender.output)
    lines = [line for line in sender.output.splitlines() if "DICOM Node:" in line]
    assert lines
    ds = small_t1_series[0]
    for value in (ds.PatientID, str(ds.PatientName), ds.StudyInstanceUID, ds.AccessionNumber):
        assert not any(value in line for line in lines)
