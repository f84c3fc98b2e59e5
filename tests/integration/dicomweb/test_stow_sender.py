"""The STOW-RS client against our own service and a real Orthanc."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Request, Response
from outgoing import outgoing

from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed, DeliveryRefused, UnsupportedSopClass
from dicomweb.client import store as stow
from dicomweb.client.connection import Access
from dicomweb.client.files import send_files
from dicomweb.client.retry import Retry
from dicomweb.client.store import StowSender
from dicomweb.multipart import MultipartParser
from dicomweb.part10 import read_identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dicom_node.domain.delivery import OutgoingObject

pytestmark = pytest.mark.integration
PACS = Destination(name="pacs")
ONCE = Retry(attempts=1)


@pytest.fixture
def served(node: Any, support: Any) -> Iterator[Any]:
    with support.Served(node.app) as server:
        yield server


def files(support: Any, *numbers: int) -> list[bytes]:
    return [support.to_bytes(support.slice_dataset(n)) for n in numbers]


def objects(support: Any, *numbers: int) -> list[OutgoingObject]:
    return outgoing(*files(support, *numbers))


def test_objects_arrive_unchanged(served: Any, node: Any, support: Any) -> None:
    data = files(support, 1, 2, 3)
    told: list[tuple[str, str | None]] = []
    sender = StowSender(PACS, url=served.url + "/")
    report = sender.send(outgoing(*data), lambda uid, reason: told.append((uid, reason)))
    assert report.complete
    assert told == [(f"2.25.20.{n}", None) for n in (1, 2, 3)]
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


class Flaky:
    """Answers of a service, one a request, and what was sent in each."""

    def __init__(self, node: Any, *answers: Response | None) -> None:
        self.app = FastAPI()
        self.app.post("/dicom-web/studies")(self._answer)
        self._node, self._answers = node, list(answers)
        self.seen: list[list[str]] = []

    async def _answer(self, request: Request) -> Response:
        parser = MultipartParser(request.headers["content-type"].partition("boundary=")[2])
        parts = [part async for chunk in request.stream() for part in parser.feed(chunk)]
        self.seen.append([read_identity(part.stream).sop_instance_uid for part in parts])
        answer = self._answers.pop(0)
        assert answer is not None
        return answer


def module(stored: list[str], failed: dict[str, int], status: int = 202, **headers: str) -> Response:
    def item(uid: str, **more: Any) -> dict[str, Any]:
        return {"00081155": {"vr": "UI", "Value": [uid]}, **more}

    model = {
        "00081199": {"vr": "SQ", "Value": [item(uid) for uid in stored]},
        "00081198": {
            "vr": "SQ",
            "Value": [
                item(uid, **{"00081197": {"vr": "US", "Value": [reason]}}) for uid, reason in failed.items()
            ],
        },
    }
    return Response(json.dumps(model), status, headers, "application/dicom+json")


def test_instance_that_failed_for_a_passing_reason_is_sent_again_by_itself(node: Any, support: Any) -> None:
    one, two, three = (f"2.25.20.{n}" for n in (1, 2, 3))
    service = Flaky(
        node,
        module([one], {two: 0xA700, three: 0xC000}),
        module([], {two: 0x0110}, 409),
        module([two], {}, 200),
    )
    waits: list[float] = []
    with support.Served(service.app) as server:
        sender = StowSender(PACS, url=server.url, retry=Retry(3, 0.5, waits.append))
        report = sender.send(objects(support, 1, 2, 3))
    assert service.seen == [[one, two, three], [two], [two]]
    assert report.failures == {three: "failure reason C000"}
    assert not report.passing
    assert waits == [0.5, 1.0]


def test_wait_that_the_service_asks_for_is_kept(node: Any, support: Any) -> None:
    service = Flaky(
        node, Response(status_code=503, headers={"Retry-After": "7"}), module(["2.25.20.1"], {}, 200)
    )
    waits: list[float] = []
    with support.Served(service.app) as server:
        sender = StowSender(PACS, url=server.url, retry=Retry(3, 0.5, waits.append))
        assert sender.send(objects(support, 1)).complete
    assert waits == [7.0]


def test_request_that_is_too_large_is_sent_in_pieces(support: Any) -> None:
    two = files(support, 1, 2)
    small = support.Node(max_upload_bytes=len(two[0]) + 500)
    with support.Served(small.app) as server:
        assert StowSender(PACS, url=server.url, retry=ONCE).send(outgoing(*two)).complete
    assert len(small.receiver.kept) == 2


def test_secret_goes_in_the_header_and_is_read_anew(support: Any) -> None:
    secrets = iter(["first", "second"])
    seen: list[str] = []
    app = FastAPI()

    @app.post("/dicom-web/studies")
    def store(request: Request) -> Response:
        seen.append(request.headers["authorization"])
        return Response(status_code=200)

    with support.Served(app) as server:
        for user in (None, "node"):
            access = Access(user=user, secret=lambda: next(secrets))
            assert StowSender(PACS, url=server.url, access=access).send(objects(support, 1)).complete
    assert seen == ["Bearer first", "Basic " + b64encode(b"node:second").decode()]


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
    ("status", "body", "error"),
    [
        (500, b"oops", DeliveryFailed),
        (503, b"{}", DeliveryFailed),
        (200, b"<html>", DeliveryFailed),
        (202, b"not json", DeliveryFailed),
        (401, b"", DeliveryRefused),
        (404, b"{}", DeliveryRefused),
        (302, b"", DeliveryRefused),
        (501, b"", DeliveryRefused),
    ],
)
def test_request_that_is_refused_as_a_whole_says_whether_it_may_pass_later(
    support: Any, status: int, body: bytes, error: type[Exception]
) -> None:
    app = FastAPI()
    app.post("/dicom-web/studies")(lambda: Response(body, status))
    with support.Served(app) as server, pytest.raises(error, match="pacs"):
        StowSender(PACS, url=server.url, retry=ONCE).send(objects(support, 1))


def test_wait_that_the_service_asks_for_goes_to_the_queue(node: Any, support: Any) -> None:
    service = Flaky(node, Response(status_code=503, headers={"Retry-After": "120"}))
    with support.Served(service.app) as server, pytest.raises(DeliveryFailed) as failed:
        StowSender(PACS, url=server.url, retry=ONCE).send(objects(support, 1))
    assert failed.value.wait_s == 120


@pytest.mark.parametrize(
    ("status", "error"),
    [(200, None), (204, None), (400, None), (404, None), (503, DeliveryFailed), (403, DeliveryRefused)],
)
def test_probe_asks_for_nothing_and_tells_trouble(
    support: Any, status: int, error: type[Exception] | None
) -> None:
    app = FastAPI()
    asked: list[str] = []

    @app.get("/dicom-web/studies")
    def search(request: Request) -> Response:
        asked.append(str(request.query_params))
        return Response(status_code=status)

    with support.Served(app) as server:
        sender = StowSender(PACS, url=server.url, retry=ONCE)
        if error is None:
            sender.probe()
        else:
            with pytest.raises(error, match="pacs"):
                sender.probe()
    assert asked == ["StudyInstanceUID=2.25.0"]


def test_instances_that_the_answer_does_not_name_count_as_failed(support: Any) -> None:
    app = FastAPI()
    app.post("/dicom-web/studies")(lambda: Response(b'{"00081199":{"vr":"SQ","Value":[]}}', 200))
    with support.Served(app) as server:
        report = StowSender(PACS, url=server.url, retry=ONCE).send(objects(support, 1))
    assert list(report.failures) == ["2.25.20.1"]
    assert report.passing == {"2.25.20.1"}


def test_success_without_a_body_is_believed(support: Any) -> None:
    app = FastAPI()
    app.post("/dicom-web/studies")(lambda: Response(status_code=200))
    with support.Served(app) as server:
        assert StowSender(PACS, url=server.url).send(objects(support, 1)).complete


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
    for name, data in zip("ab", files(support, 1, 2), strict=True):
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
