"""From a real Orthanc through the node and back: the shipped configurations of both, C-STORE and DICOMweb."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    SegmentationStorage,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

REPORTS = {EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage}


@dataclass
class RoundTrip:
    orthanc: Any
    node: Any
    source: list
    study: dict
    results: list = field(default_factory=list)

    @property
    def source_uids(self):
        return {str(ds.SOPInstanceUID) for ds in self.source}


@pytest.fixture(scope="module", params=["dimse", "dicomweb"])
def round_trip(request, module_shipped_orthanc, module_node, free_port, t1_half, with_new_uids):
    """A study that was uploaded to Orthanc, went through the node, and whose results are back."""
    way = request.param
    orthanc_ports = {"http_port": free_port(), "dimse_port": free_port()}
    sections = yaml.safe_load((module_shipped_orthanc.folder / "node.yaml").read_text(encoding="utf-8"))
    del sections["node"]["data_dir"]
    sections["dimse"]["port"], sections["http"]["port"] = free_port(), free_port()
    sections["dimse"]["peers"][0]["port"] = orthanc_ports["dimse_port"]
    # Orthanc sends by several requests, which a busy machine draws out: the test says when all is there.
    sections["completion"] = {"quiet_s": 600}
    if way == "dicomweb":
        url = f"http://127.0.0.1:{orthanc_ports['http_port']}/dicom-web"
        sections["destinations"] = [{"name": "orthanc", "kind": "stow", "url": url, "confirm": "query"}]
    else:
        sections["destinations"][0]["confirm"] = "commitment"
    node = module_node(**sections)
    orthanc = module_shipped_orthanc(
        forward=way,
        node_dimse_port=sections["dimse"]["port"],
        node_http_port=sections["http"]["port"],
        **orthanc_ports,
    )
    source = with_new_uids(t1_half, f"round trip {way}")
    trip = RoundTrip(orthanc, node, source, {})
    orthanc.upload(source)
    node.complete(str(source[0].StudyInstanceUID), len(source))
    trip.study = node.wait_ended(str(source[0].StudyInstanceUID), limit_s=240)
    # As people see it: all that Orthanc holds and did not get from the uploader.
    trip.results = [ds for ds in orthanc.instances() if str(ds.SOPInstanceUID) not in trip.source_uids]
    return trip


def referenced(ds):
    """SOP Instance UIDs of all references, at any depth."""
    found = set()
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                found |= referenced(item)
        elif element.keyword == "ReferencedSOPInstanceUID":
            found.add(str(element.value))
    return found


def test_study_ends_well_and_its_results_are_delivered(round_trip):
    assert round_trip.study["state"] == "done", round_trip.study["reason"]
    assert [d["status"] for d in round_trip.study["deliveries"]] == ["confirmed"]
    assert round_trip.study["purged_at"] is not None
    assert {str(ds.SOPInstanceUID) for ds in round_trip.results}
    assert len(round_trip.results) == len(round_trip.study["results"])


def test_results_lie_in_the_original_study(round_trip):
    assert len(round_trip.orthanc.find("Study")) == 1
    assert len(round_trip.orthanc.find("Patient")) == 1
    assert {ds.StudyInstanceUID for ds in round_trip.results} == {round_trip.source[0].StudyInstanceUID}


@pytest.mark.parametrize(
    "keyword",
    ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"],
)
def test_results_carry_the_original_identity(round_trip, keyword):
    original = str(round_trip.source[0][keyword].value)
    assert {str(ds[keyword].value) for ds in round_trip.results} == {original}


def test_results_do_not_claim_to_be_de_identified(round_trip):
    assert {ds.get("PatientIdentityRemoved") for ds in round_trip.results} <= {None, "NO"}


def test_reports_segmentation_and_heatmap_are_there(round_trip):
    classes = {ds.SOPClassUID for ds in round_trip.results}
    assert SegmentationStorage in classes
    assert classes & REPORTS
    assert any("SecondaryCapture" in ds.SOPClassUID.keyword for ds in round_trip.results)


def test_references_point_at_original_instances(round_trip):
    own = {str(ds.SOPInstanceUID) for ds in round_trip.results}
    for ds in round_trip.results:
        assert referenced(ds) <= round_trip.source_uids | own
    for wanted in ({SegmentationStorage}, REPORTS):
        ds = next(ds for ds in round_trip.results if ds.SOPClassUID in wanted)
        assert referenced(ds) & round_trip.source_uids


def test_segmentation_lies_in_the_original_frame_of_reference(round_trip):
    ds = next(ds for ds in round_trip.results if ds.SOPClassUID == SegmentationStorage)
    assert ds.FrameOfReferenceUID == round_trip.source[0].FrameOfReferenceUID
    assert [str(item.SeriesInstanceUID) for item in ds.ReferencedSeriesSequence] == [
        str(round_trip.source[0].SeriesInstanceUID)
    ]


def test_results_are_valid_in_the_archive(round_trip, dciodvfy_errors, tmp_path):
    seen = set()
    for ds in round_trip.results:
        if ds.SOPClassUID in REPORTS or ds.SOPClassUID not in seen:
            seen.add(ds.SOPClassUID)
            path = tmp_path / f"{ds.SOPInstanceUID}.dcm"
            ds.save_as(path, enforce_file_format=True)
            assert dciodvfy_errors(path) == [], ds.SOPClassUID.name


def test_results_are_not_forwarded_again(round_trip):
    orthanc = round_trip.orthanc

    def stable_twice(_orthanc):
        changes = orthanc.http.get("/changes", params={"limit": 100000}).json()["Changes"]
        return sum(change["ChangeType"] == "StableStudy" for change in changes) >= 2

    orthanc.wait_for(stable_twice, what="the study with its results")
    assert orthanc.output.count("DICOM Node: sending") == 1
    study = round_trip.node.study(str(round_trip.source[0].StudyInstanceUID))
    assert (study["version"], study["state"]) == (1, "done")


def test_input_is_purged_from_the_node(round_trip):
    assert round_trip.study["purged_at"]
    study_uid = round_trip.study["study_instance_uid"]
    spooled = [path for path in round_trip.node.data_dir.glob("spool/**/*") if path.is_file()]
    assert spooled == []
    found = round_trip.node.http.get(f"/dicom-web/studies/{study_uid}/series").json()
    assert {series["00080060"]["Value"][0] for series in found} & {"SR", "SEG"}
