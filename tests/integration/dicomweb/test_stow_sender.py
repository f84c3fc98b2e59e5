"""The STOW-RS client against our own service and a real Orthanc."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Response

from dicom_node.domain.delivery import Destination
from dicom_node.domain.errors import DeliveryFailed, InvalidInstance, UnsupportedSopClass
from dicomweb import client as stow
from dicomweb.client import StowSender, send_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
PACS = Destination(name="pacs")


@pytest.fixture
def served(node: Any, support: Any) -> Iterator[Any]:
    with support.Served(node.app) as server:
        yield server


def objects(support: Any, *numbers: int) -> list[bytes]:
    return [support.to_bytes(support.slice_dataset(n)) for n in numbers]


def test_objects_arrive_unchanged(served: Any, node: Any, support: Any) -> None:
    data = objects(support, 1, 2, 3)
    report = StowSender(PACS, url=served.url + "/").send(data)
    assert report.complete
    assert sorted(node.receiver.kept.values()) == sorted(data)


def test_objects_go_in_several_requests_when_they_are_large(
    served: Any, node: Any, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow, "BATCH_BYTES", 1000)
    assert StowSender(PACS, url=served.url).send(objects(support, 1, 2, 3)).complete
    assert node.metrics.counts[("requests", "service=stow", "status=200")] == 3


@pytest.mark.parametrize("others", [(), (2,)])
def test_instance_that_is_refused_is_reported_with_its_reason(
    served: Any, node: Any, support: Any, others: tuple[int, ...]
) -> None:
    node.receiver.refuse["2.25.20.1"] = UnsupportedSopClass("no")
    report = StowSender(PACS, url=served.url).send(objects(support, 1, *others))
    assert report.failures == {"2.25.20.1": "failure reason 0122"}


def test_nobody_there_is_a_failed_delivery(support: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(DeliveryFailed, match="pacs"):
        StowSender(PACS, url=f"http://127.0.0.1:{port}/dicom-web").send(objects(support, 1))


@pytest.mark.parametrize("url", ["nonsense", "http://[bad", "ftp://127.0.0.1/x"])
def test_malformed_url_is_a_failed_delivery(support: Any, url: str) -> None:
    with pytest.raises(DeliveryFailed):
        StowSender(PACS, url=url).send(objects(support, 1))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"oops"),
        (401, b""),
        (404, b"{}"),
        (302, b""),
        (200, b"<html>"),
        (202, b"not json"),
        (503, b"{}"),
    ],
)
def test_request_that_is_refused_as_a_whole_is_a_failed_delivery(
    support: Any, status: int, body: bytes
) -> None:
    app = FastAPI()
    app.post("/dicom-web/studies")(lambda: Response(body, status))
    with support.Served(app) as server, pytest.raises(DeliveryFailed):
        StowSender(PACS, url=server.url).send(objects(support, 1))


def test_instances_that_the_answer_does_not_name_count_as_failed(support: Any) -> None:
    app = FastAPI()
    app.post("/dicom-web/studies")(lambda: Response(b'{"00081199":{"vr":"SQ","Value":[]}}', 200))
    with support.Served(app) as server:
        report = StowSender(PACS, url=server.url).send(objects(support, 1))
    assert list(report.failures) == ["2.25.20.1"]


def test_success_without_a_body_is_believed(support: Any) -> None:
    app = FastAPI()
    app.post("/dicom-web/studies")(lambda: Response(status_code=200))
    with support.Served(app) as server:
        assert StowSender(PACS, url=server.url).send(objects(support, 1)).complete


def test_object_that_is_no_dicom_is_refused(served: Any) -> None:
    with pytest.raises(InvalidInstance):
        StowSender(PACS, url=served.url).send([b"no DICOM"])


def test_orthanc_takes_the_objects(orthanc: Any, support: Any) -> None:
    data = objects(support, 1, 2)
    assert StowSender(PACS, url=orthanc.dicomweb_url).send(data).complete
    stored = orthanc.instances(StudyInstanceUID="2.25.10")
    assert {ds.SOPInstanceUID for ds in stored} == {"2.25.20.1", "2.25.20.2"}
    assert StowSender(PACS, url=orthanc.dicomweb_url).send(data).complete


def test_orthanc_can_store_to_the_service(start_orthanc: Any, served: Any, node: Any, support: Any) -> None:
    orthanc = start_orthanc(
        DicomWeb={"Enable": True, "Root": "/dicom-web/", "Servers": {"node": [served.url]}}
    )
    orthanc.upload([support.slice_dataset(n) for n in (1, 2)])
    ids = [i["ID"] for i in orthanc.find("Instance", StudyInstanceUID="2.25.10")]
    answer = orthanc.http.post("/dicom-web/servers/node/stow", json={"Resources": ids, "Synchronous": True})
    assert answer.status_code == 200, (orthanc.folder / "orthanc.log").read_text()[-3000:]
    assert set(node.receiver.kept) == {"2.25.20.1", "2.25.20.2"}


def test_files_are_sent_with_progress_and_reasons(
    served: Any, node: Any, support: Any, tmp_path: Path
) -> None:
    for name, data in zip("ab", objects(support, 1, 2), strict=True):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "c").write_bytes(b"no DICOM")
    node.receiver.refuse["2.25.20.2"] = UnsupportedSopClass("no")
    seen: list[int] = []
    failures = send_files(sorted(tmp_path.iterdir()), served.url, seen.append)
    assert failures == {"b": "failure reason 0122", "c": "cannot be read as a DICOM file"}
    assert seen[-1] == 3


def test_sending_no_readable_file_makes_no_request(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    assert send_files([tmp_path / "x"], "http://127.0.0.1:9/dicom-web") == {
        "x": "cannot be read as a DICOM file"
    }
