"""QIDO-RS, one test a clause (PS3.18 §10.6): resources, keys, results and pages."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pydicom
import pytest

from dicom_node.index.catalog import SqlCatalog

ROOT = "/dicom-web"


@pytest.fixture(scope="module")
def node(support: Any, empty_index: Any) -> Any:
    return support.Node(catalog=SqlCatalog(empty_index))


@pytest.fixture(scope="module")
def client(node: Any, support: Any) -> Any:
    return support.Client(node.app)


@pytest.fixture(scope="module")
def filled(node: Any, support: Any) -> Any:
    """Two studies; the first has series 2.25.20 (3 slices) and 2.25.21 (1 slice)."""
    for number in (1, 2, 3):
        node.publish(support.slice_dataset(number))
    node.publish(support.slice_dataset(1, series="2.25.21", Modality="SEG", SeriesNumber=9))
    item = pydicom.Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "SPS-1", "RP-1"
    node.publish(
        support.slice_dataset(
            1,
            study="2.25.11",
            series="2.25.30",
            StudyDate="20230505",
            PatientName="Other^Two",
            PatientID="P-2",
            Modality="CT",
            RequestAttributesSequence=[item],
        )
    )
    return node


def uids(response: Any, tag: str) -> list[str]:
    assert response.status_code == 200, response.text
    return [row[tag]["Value"][0] for row in response.json()]


@pytest.mark.clause("10.6.1")
@pytest.mark.parametrize(
    ("resource", "tag", "expected"),
    [
        ("/studies", "0020000D", ["2.25.10", "2.25.11"]),
        ("/studies/2.25.10/series", "0020000E", ["2.25.20", "2.25.21"]),
        ("/studies/2.25.10/instances", "00080018", ["2.25.20.1", "2.25.20.2", "2.25.20.3", "2.25.21.1"]),
        ("/studies/2.25.10/series/2.25.20/instances", "00080018", ["2.25.20.1", "2.25.20.2", "2.25.20.3"]),
        ("/series", "0020000E", ["2.25.20", "2.25.21", "2.25.30"]),
        ("/instances", "00080018", ["2.25.20.1", "2.25.20.2", "2.25.20.3", "2.25.21.1", "2.25.30.1"]),
    ],
)
def test_six_resources(client: Any, filled: Any, resource: str, tag: str, expected: list[str]) -> None:
    assert uids(client.get(ROOT + resource), tag) == expected


@pytest.mark.clause("10.6.1.2")
@pytest.mark.parametrize(
    "query",
    [
        "StudyDate=20240102",
        "00080020=20240101-20240131",
        "StudyDate=20240102-",
        "StudyTime=101112&PatientID=P-1",
        "AccessionNumber=A-1&PatientID=P-1",
        "ModalitiesInStudy=MR",
        "PatientName=pseudo*",
        "00100010=Pseudo%5EOn%3F",
        "StudyInstanceUID=2.25.10,2.25.99",
        "StudyInstanceUID=2.25.10%5C2.25.99",
        "StudyInstanceUID=2.25.10&StudyInstanceUID=2.25.99",
        "0020000d=2.25.10",
        "StudyID=S-1&PatientID=P-1",
        "StudyDescription=*ea*&PatientID=P-1",
        "ReferringPhysicianName=&PatientID=P-1",
    ],
)
def test_study_keys_match(client: Any, filled: Any, query: str) -> None:
    assert uids(client.get(f"{ROOT}/studies?{query}"), "0020000D") == ["2.25.10"]


@pytest.mark.clause("10.6.1.2")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Modality=SEG", ["2.25.21"]),
        ("SeriesInstanceUID=2.25.21", ["2.25.21"]),
        ("SeriesNumber=9", ["2.25.21"]),
        ("PatientID=P-2", ["2.25.30"]),
        ("RequestAttributesSequence.ScheduledProcedureStepID=SPS-1", ["2.25.30"]),
        ("00400275.00401001=RP-1", ["2.25.30"]),
    ],
)
def test_series_keys_and_those_of_the_study_above_match(
    client: Any, filled: Any, query: str, expected: list[str]
) -> None:
    assert uids(client.get(f"{ROOT}/series?{query}"), "0020000E") == expected


@pytest.mark.clause("10.6.1.2")
@pytest.mark.parametrize(
    "query",
    [
        "SOPInstanceUID=2.25.20.2",
        "InstanceNumber=2",
        "SOPClassUID=1.2.840.10008.5.1.4.1.1.4&InstanceNumber=2&Modality=MR&StudyDate=20240102",
    ],
)
def test_instance_keys_and_those_above_match(client: Any, filled: Any, query: str) -> None:
    assert uids(client.get(f"{ROOT}/instances?{query}"), "00080018") == ["2.25.20.2"]


@pytest.mark.clause("10.6.3.3.1")
def test_study_rows_have_the_required_attributes(client: Any, filled: Any) -> None:
    row = client.get(f"{ROOT}/studies?PatientID=P-1").json()[0]
    assert set(row) == {
        "00080005", "00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081190",
        "00100010", "00100020", "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208",
    }  # fmt: skip
    assert row["00201206"]["Value"] == [2]
    assert row["00201208"]["Value"] == [4]
    assert row["00080061"]["Value"] == ["MR", "SEG"]
    assert row["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert row["00081190"] == {"vr": "UR", "Value": ["http://node.test/dicom-web/studies/2.25.10"]}
    assert row["00100010"]["Value"] == [{"Alphabetic": "Pseudo^One"}]
    assert row["00080090"] == {"vr": "PN"}
    assert list(row) == sorted(row)


@pytest.mark.clause("10.6.3.3.2")
def test_series_rows_have_the_required_attributes(client: Any, filled: Any) -> None:
    row = client.get(f"{ROOT}/studies/2.25.10/series").json()[0]
    assert row["00080060"]["Value"] == ["MR"]
    assert row["00201209"]["Value"] == [3]
    assert row["00200011"]["Value"] == [3]
    assert row["0008103E"]["Value"] == ["T1"]
    assert row["00081190"]["Value"] == ["http://node.test/dicom-web/studies/2.25.10/series/2.25.20"]
    assert "00100010" not in row


@pytest.mark.clause("10.6.3.3.3")
def test_instance_rows_have_the_required_attributes(client: Any, filled: Any) -> None:
    row = client.get(f"{ROOT}/studies/2.25.10/series/2.25.20/instances").json()[0]
    for tag in ("00080016", "00080018", "00200013", "00280010", "00280011", "00280100"):
        assert row[tag]["Value"]
    assert row["00081190"]["Value"][0].endswith("/series/2.25.20/instances/2.25.20.1")


@pytest.mark.clause("10.6.3.3")
def test_searches_across_studies_and_series_return_the_levels_above(client: Any, filled: Any) -> None:
    assert "00100020" in client.get(f"{ROOT}/series").json()[0]
    row = client.get(f"{ROOT}/instances").json()[0]
    assert {"00100020", "00080060", "00201209"} <= set(row)
    assert "00080060" in client.get(f"{ROOT}/studies/2.25.10/instances").json()[0]


@pytest.mark.clause("8.3.4.3")
@pytest.mark.parametrize(
    "query",
    [
        "includefield=StudyDescription,00080060",
        "includefield=00081030%2C00080060",
        "includefield=00081030&includefield=Modality",
    ],
)
def test_includefield_adds_attributes_in_any_spelling(client: Any, filled: Any, query: str) -> None:
    row = client.get(f"{ROOT}/studies?{query}").json()[0]
    assert row["00081030"]["Value"] == ["Head"]


@pytest.mark.clause("8.3.4.3")
def test_includefield_all_returns_everything_but_bulk_data(client: Any, filled: Any) -> None:
    row = client.get(f"{ROOT}/instances?includefield=all").json()[0]
    assert row["00280004"]["Value"] == ["MONOCHROME2"]
    assert "7FE00010" not in row


@pytest.mark.clause("10.6.3.3")
def test_match_keys_are_returned(client: Any, filled: Any) -> None:
    row = client.get(f"{ROOT}/studies?StudyDescription=Head").json()[0]
    assert row["00081030"]["Value"] == ["Head"]


@pytest.mark.clause("8.3.4.4")
def test_pages_are_disjoint_and_announce_the_rest(client: Any, filled: Any) -> None:
    first = client.get(f"{ROOT}/instances?limit=2")
    assert first.headers["warning"] == (
        "299 http://node.test/dicom-web: There are 3 additional results that can be requested"
    )
    second = client.get(f"{ROOT}/instances?limit=2&offset=2")
    last = client.get(f"{ROOT}/instances?limit=2&offset=4")
    assert "warning" not in last.headers
    found = [uid for page in (first, second, last) for uid in uids(page, "00080018")]
    assert len(found) == len(set(found)) == 5
    assert found == uids(client.get(f"{ROOT}/instances"), "00080018")


@pytest.mark.clause("8.3.4.4.1")
@pytest.mark.parametrize("query", ["limit=0", "offset=99", "PatientID=nobody"])
@pytest.mark.parametrize(
    "accept", ["application/dicom+json", 'multipart/related; type="application/dicom+xml"']
)
def test_no_results_are_204_without_a_payload(client: Any, filled: Any, query: str, accept: str) -> None:
    response = client.get(f"{ROOT}/studies?{query}", accept)
    assert (response.status_code, response.content) == (204, b"")
    remaining = {"limit=0": "There are 2 additional"}.get(query)
    assert (remaining or "") in response.headers.get("warning", "")


@pytest.mark.clause("8.3.4.1")
@pytest.mark.parametrize(
    "query",
    [
        "Nonsense=1",
        "00000000=1",
        "StudyDate=yesterday",
        "limit=-1",
        "limit=x",
        "limit=1&limit=2",
        "offset=1.5",
        "fuzzymatching=maybe",
        "includefield=Nonsense",
        "PatientName=a&PatientName=b",
        "SOPInstanceUID=1.2",
        "Modality=MR",
        "Rows=7",
        "StudyDate.PatientName=a",
        "RequestAttributesSequence=1",
        "FileMetaInformationVersion=1",
        "00091001=x",
        "TimezoneOffsetFromUTC=Berlin",
        ".".join(["RequestAttributesSequence"] * 20) + "=1",
        "multiplevaluematching=true&ModalitiesInStudy=M*,CT",
        "PixelData=1",
        "PatientName=a%00b",
        "A.B.C=1",
    ],
)
def test_bad_parameters_are_400_and_say_which(client: Any, filled: Any, query: str) -> None:
    response = client.get(f"{ROOT}/studies?{query}")
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


@pytest.mark.clause("10.6.1")
@pytest.mark.parametrize(
    "path", ["/studies/x/series", "/studies/1.2/series/y/instances", f"/studies/{'1' * 65}/series"]
)
def test_malformed_uids_in_the_path_are_400(client: Any, path: str) -> None:
    assert client.get(ROOT + path).status_code == 400


@pytest.mark.clause("10.6.4")
def test_json_and_xml_are_served_and_others_are_406(client: Any, filled: Any) -> None:
    url = f"{ROOT}/studies?PatientID=P-1"
    assert client.get(url, "application/json").headers["content-type"] == "application/json"
    assert client.get(url, "text/html").status_code == 406
    assert client.get(f"{url}&accept=application/json", "text/html").status_code == 200


@pytest.mark.clause("10.6.4")
def test_xml_results_are_one_part_a_match(client: Any, filled: Any, support: Any) -> None:
    response = client.get(f"{ROOT}/studies", 'multipart/related; type="application/dicom+xml"')
    parts = support.parts_of(response)
    assert len(parts) == 2
    assert b"<FamilyName>Pseudo</FamilyName>" in parts[0][1]
    assert ET.fromstring(parts[0][1]).tag.endswith("NativeDicomModel")


@pytest.mark.clause("10.6.3.3")
def test_urls_follow_host_and_mount_path(support: Any) -> None:
    node = support.Node(mount=True)
    node.publish(support.slice_dataset(1))
    client = support.Client(node.app, "https://pacs.example:8443")
    row = client.get(f"{ROOT}/studies").json()[0]
    assert row["00081190"]["Value"] == ["https://pacs.example:8443/dicom-web/studies/2.25.10"]


@pytest.mark.clause("8.5")
@pytest.mark.parametrize("host", ["[oops", "a b", "x" * 300])
def test_malformed_host_is_no_server_error(client: Any, filled: Any, host: str) -> None:
    assert client.get(f"{ROOT}/studies", headers={"Host": host}).status_code in {200, 400}
