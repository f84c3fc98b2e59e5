"""STOW-RS, one test a clause (PS3.18 §10.5)."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dicom_node.domain.errors import OutOfResources, StorageFailure, UnsupportedSopClass

pytestmark = pytest.mark.clause("10.5")
URL = "/dicom-web/studies"
XML = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def post(client: Any, support: Any, *parts: bytes, url: str = URL, **headers: str) -> Any:
    body, kind = support.multipart(*parts)
    return client.post(url, content=body, headers={**kind, **headers})


def items(response: Any, tag: str) -> list[dict[str, Any]]:
    return response.json().get(tag, {}).get("Value", [])


@pytest.fixture
def one(support: Any) -> bytes:
    return support.to_bytes(support.slice_dataset(1))


@pytest.fixture
def two(support: Any) -> bytes:
    return support.to_bytes(support.slice_dataset(2))


@pytest.mark.clause("10.5.3.1")
def test_all_stored_is_200_and_every_instance_is_referenced(
    client: Any, support: Any, node: Any, one: bytes, two: bytes
) -> None:
    response = post(client, support, one, two)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    referenced = items(response, "00081199")
    assert [i["00081155"]["Value"][0] for i in referenced] == ["2.25.20.1", "2.25.20.2"]
    assert node.receiver.kept == {"2.25.20.1": one, "2.25.20.2": two}
    assert "00081198" not in response.json()


@pytest.mark.clause("I.1")
def test_retrieve_urls_are_pseudonymous_and_absolute(client: Any, support: Any, one: bytes) -> None:
    response = post(client, support, one)
    study, series, instance = (support.pseudonym(u) for u in ("2.25.10", "2.25.20", "2.25.20.1"))
    root = f"http://node.test/dicom-web/studies/{study}"
    assert response.json()["00081190"] == {"vr": "UR", "Value": [root]}
    url = items(response, "00081199")[0]["00081190"]["Value"][0]
    assert url == f"{root}/series/{series}/instances/{instance}"


@pytest.mark.clause("10.5.1.4")
def test_single_part_body_is_stored(client: Any, one: bytes, node: Any) -> None:
    response = client.post(URL, content=one, headers={"Content-Type": "application/dicom"})
    assert response.status_code == 200
    assert node.receiver.kept["2.25.20.1"] == one


@pytest.mark.parametrize("boundary", ["plain", "'quo=ted:+_,-./?()'", "a b"])
def test_boundary_may_be_quoted(client: Any, support: Any, one: bytes, boundary: str) -> None:
    body, _ = support.multipart(one, boundary=boundary)
    kind = f'Multipart/Related; BOUNDARY="{boundary}"; Type=application/dicom'
    assert client.post(URL, content=body, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.clause("10.5.3.3")
def test_response_is_xml_when_asked(client: Any, support: Any, one: bytes) -> None:
    response = post(client, support, one, Accept="application/dicom+xml")
    assert response.headers["content-type"] == "application/dicom+xml"
    root = ET.fromstring(response.content)
    assert root.tag == f"{XML}NativeDicomModel"
    values = [e.text for e in root.iter(f"{XML}Value")]
    assert "2.25.20.1" in values


@pytest.mark.clause("I.2.2")
def test_some_failed_is_202_with_the_reason(
    client: Any, support: Any, node: Any, one: bytes, two: bytes
) -> None:
    node.receiver.refuse["2.25.20.2"] = UnsupportedSopClass("not stored here")
    response = post(client, support, one, two)
    assert response.status_code == 202
    failed = items(response, "00081198")
    assert failed == [
        {
            "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.4"]},
            "00081155": {"vr": "UI", "Value": ["2.25.20.2"]},
            "00081197": {"vr": "US", "Value": [0x0122]},
        }
    ]


@pytest.mark.clause("10.5.3.1")
def test_none_stored_is_409(client: Any, support: Any, node: Any, one: bytes) -> None:
    node.receiver.refuse["2.25.20.1"] = StorageFailure("index does not answer")
    response = post(client, support, one)
    assert response.status_code == 409
    assert items(response, "00081198")[0]["00081197"]["Value"] == [0x0110]


@pytest.mark.clause("I.1")
def test_part_that_cannot_be_parsed_goes_to_other_failures(client: Any, support: Any, one: bytes) -> None:
    response = post(client, support, b"this is no DICOM", one)
    assert response.status_code == 202
    assert items(response, "0008119A") == [{"00081197": {"vr": "US", "Value": [0xC000]}}]
    assert len(items(response, "00081199")) == 1


def test_unexpected_error_fails_the_instance_and_not_the_request(
    client: Any, support: Any, node: Any, one: bytes, two: bytes
) -> None:
    node.receiver.refuse["2.25.20.1"] = RuntimeError("PatientName was Secret^Person")
    response = post(client, support, one, two)
    assert response.status_code == 202
    assert items(response, "00081198")[0]["00081197"]["Value"] == [0x0110]
    assert "Secret" not in response.text


@pytest.mark.clause("10.5.2")
def test_same_bytes_twice_succeed(client: Any, support: Any, one: bytes) -> None:
    post(client, support, one)
    response = post(client, support, one)
    assert response.status_code == 200
    assert "00081196" not in items(response, "00081199")[0]


@pytest.mark.clause("I.2.1")
def test_other_bytes_under_the_same_uid_are_a_warning_and_the_first_stay(
    client: Any, support: Any, node: Any, one: bytes
) -> None:
    post(client, support, one)
    other = support.to_bytes(support.slice_dataset(1, StudyDescription="Changed"))
    response = post(client, support, other)
    assert response.status_code == 202
    assert items(response, "00081199")[0]["00081196"]["Value"] == [0xB006]
    assert node.receiver.kept["2.25.20.1"] == one


@pytest.mark.clause("10.5.1.1")
def test_instance_of_another_study_fails_by_itself(client: Any, support: Any, node: Any, one: bytes) -> None:
    stray = support.to_bytes(support.slice_dataset(9, study="2.25.11"))
    response = post(client, support, one, stray, url=f"{URL}/2.25.10")
    assert response.status_code == 202
    assert items(response, "00081198")[0]["00081155"]["Value"] == ["2.25.20.9"]
    assert items(response, "00081198")[0]["00081197"]["Value"] == [0xA901]
    assert list(node.receiver.kept) == ["2.25.20.1"]


@pytest.mark.clause("10.5.3.1")
@pytest.mark.parametrize(
    "broken", [b"", b"no boundary", b"--BoUnDaRy\r\nContent-Type: application/dicom\r\n\r\nends"]
)
def test_unreadable_body_is_400(client: Any, support: Any, broken: bytes) -> None:
    _, kind = support.multipart()
    response = client.post(URL, content=broken, headers=kind)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.clause("10.5.3.1")
@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/octet-stream",
        'multipart/related; type="image/jpeg"; boundary=b',
        "multipart/form-data; boundary=b",
    ],
)
def test_other_media_types_are_415(client: Any, kind: str) -> None:
    response = client.post(URL, content=b"x", headers={"Content-Type": kind} if kind else {})
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported-media-type"


def test_missing_boundary_and_empty_bodies_are_400(client: Any, support: Any) -> None:
    headers = {"Content-Type": 'multipart/related; type="application/dicom"'}
    assert client.post(URL, content=b"x", headers=headers).status_code == 400
    body, kind = support.multipart()
    assert client.post(URL, content=body, headers=kind).status_code == 400
    assert client.post(URL, content=b"", headers={"Content-Type": "application/dicom"}).status_code == 400


@pytest.mark.clause("8.7.5")
def test_unacceptable_response_type_is_406_before_anything_is_stored(
    client: Any, support: Any, node: Any, one: bytes
) -> None:
    assert post(client, support, one, Accept="image/png").status_code == 406
    assert not node.receiver.kept


@pytest.mark.clause("10.5.3.1")
@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_413(support: Any, one: bytes, chunked: bool) -> None:
    small = support.Node(max_upload_bytes=len(one) // 2)
    body, kind = support.multipart(one)

    async def chunks() -> Any:
        for at in range(0, len(body), 100):
            yield body[at : at + 100]

    response = support.Client(small.app).post(URL, content=chunks() if chunked else body, headers=kind)
    assert response.status_code == 413
    assert not small.receiver.kept


@pytest.mark.clause("10.5.3.1")
def test_reached_watermark_is_503_with_retry_after(client: Any, support: Any, node: Any, one: bytes) -> None:
    node.receiver.full = OutOfResources("the disk is full; free some")
    response = post(client, support, one)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.clause("I.2.2")
def test_watermark_reached_on_the_way_fails_instances_with_a700(
    client: Any, support: Any, node: Any, one: bytes, two: bytes
) -> None:
    node.receiver.refuse["2.25.20.2"] = OutOfResources("full")
    response = post(client, support, one, two)
    assert response.status_code == 202
    assert items(response, "00081198")[0]["00081197"]["Value"] == [0xA700]
    node.receiver.refuse["2.25.20.3"] = OutOfResources("full")
    response = post(client, support, support.to_bytes(support.slice_dataset(3)))
    assert response.status_code == 503
    assert "retry-after" in response.headers


def test_part_of_another_type_fails_alone(client: Any, support: Any, one: bytes) -> None:
    body = (
        b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        b"--b\r\nContent-Type: application/dicom;transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n"
        + one
        + b"\r\n--b--\r\n"
    )
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    response = client.post(URL, content=body, headers=kind)
    assert response.status_code == 202
    assert len(items(response, "0008119A")) == 1


def test_malformed_study_uid_in_the_path_is_400(client: Any, support: Any, one: bytes) -> None:
    assert post(client, support, one, url=f"{URL}/not-a-uid").status_code == 400


def test_requests_are_counted(client: Any, support: Any, node: Any, one: bytes) -> None:
    post(client, support, one)
    assert node.metrics.counts[("requests", "service=stow", "status=200")] == 1
