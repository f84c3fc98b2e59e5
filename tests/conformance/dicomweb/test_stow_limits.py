"""STOW-RS within bounds, and what real clients send, one test a clause (PS3.18 §10.5, RFC 9110)."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dicom_node.pipeline.senders import OpenSenders
from dicomweb.stow import body as stow_body
from dicomweb.stow.body import UploadLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.clause("10.5.3.1")
URL = "/dicom-web/studies"


@pytest.fixture
def one(support: Any) -> bytes:
    return support.to_bytes(support.slice_dataset(1))


class Gate:
    """A receiver whose stores wait until it is opened."""

    def __init__(self, receiver: Any) -> None:
        self._receive = receiver.receive
        self.opened, self.entered = threading.Event(), threading.Event()
        receiver.receive = self

    def __call__(self, incoming: Any) -> Any:
        self.entered.set()
        assert self.opened.wait(30)
        return self._receive(incoming)


async def post(client: httpx.AsyncClient, content: Any, kind: dict[str, str]) -> httpx.Response:
    return await client.post(URL, content=content, headers=kind)


def client_of(node: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(node.app), base_url="http://node.test")


def test_too_many_bodies_at_once_are_503_with_retry_after(
    support: Any, one: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow_body, "QUEUE_S", 0.05)
    node = support.Node(uploads=UploadLimits(10**6, at_once=1))
    gate = Gate(node.receiver)
    body, kind = support.multipart(one)

    async def run() -> tuple[httpx.Response, httpx.Response]:
        async with client_of(node) as client:
            first = asyncio.create_task(post(client, body, kind))
            await asyncio.to_thread(gate.entered.wait, 30)
            refused = await post(client, body, kind)
            gate.opened.set()
            return refused, await first

    refused, first = asyncio.run(run())
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["code"] == "too-many-uploads"
    assert first.status_code == 200


def test_study_is_known_to_be_on_its_way_while_the_body_comes(support: Any, one: bytes) -> None:
    senders = OpenSenders()
    node = support.Node(senders=senders)
    body, kind = support.multipart(one, bytes(2 * stow_body.BLOCK_BYTES))
    on_its_way = []

    async def slow() -> AsyncIterator[bytes]:
        cut = stow_body.BLOCK_BYTES + len(one)
        yield body[:cut]
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if senders._studies:
                break
        on_its_way.append(senders.bring("id-1"))
        yield body[cut:]

    async def run() -> httpx.Response:
        async with client_of(node) as client:
            return await post(client, slow(), kind)

    assert asyncio.run(run()).status_code == 202
    assert on_its_way == [True]
    assert not senders.bring("id-1")


def test_body_waits_for_its_turn(support: Any, one: bytes) -> None:
    node = support.Node(uploads=UploadLimits(10**6, at_once=1))
    gate = Gate(node.receiver)
    body, kind = support.multipart(one)

    async def run() -> list[httpx.Response]:
        async with client_of(node) as client:
            waiting = [asyncio.create_task(post(client, body, kind)) for _ in range(3)]
            await asyncio.to_thread(gate.entered.wait, 30)
            gate.opened.set()
            return await asyncio.gather(*waiting)

    assert [response.status_code for response in asyncio.run(run())] == [200, 200, 200]


@pytest.mark.clause("8.5")
def test_slow_body_is_408_and_frees_its_place(support: Any, one: bytes) -> None:
    node = support.Node(uploads=UploadLimits(10**6, at_once=1, timeout_s=0.05))
    body, kind = support.multipart(one)

    async def stalls() -> Any:
        yield body[:100]
        await asyncio.sleep(30)

    async def run() -> tuple[httpx.Response, httpx.Response]:
        async with client_of(node) as client:
            return await post(client, stalls(), kind), await post(client, body, kind)

    slow, next_one = asyncio.run(run())
    assert slow.status_code == 408
    assert next_one.status_code == 200


def test_large_part_takes_a_scratch_file_which_is_closed(
    support: Any, one: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Scratch(stow_body.MemoryScratch):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    node = support.Node(uploads=UploadLimits(10**8, open_scratch=Scratch))
    large = support.to_bytes(support.slice_dataset(1, rows=2100, columns=2100))
    body, kind = support.multipart(one, large)
    response = support.Client(node.app).post(URL, content=body, headers=kind)
    assert response.status_code == 202  # the same UID twice, with other bytes
    single = {"Content-Type": "application/dicom"}
    assert support.Client(node.app).post(URL, content=large, headers=single).status_code == 202
    assert [scratch.size for scratch in made] == [0, 0]


def test_full_disk_under_a_large_part_is_503(support: Any) -> None:
    def full() -> Any:
        raise OSError(28, "no space left")

    node = support.Node(uploads=UploadLimits(10**8, open_scratch=full))
    large = support.to_bytes(support.slice_dataset(1, rows=2100, columns=2100))
    body, kind = support.multipart(large)
    response = support.Client(node.app).post(URL, content=body, headers=kind)
    assert response.status_code == 503
    assert "retry-after" in response.headers


@pytest.mark.clause("8.4")
def test_compressed_body_is_415_and_told_what_to_send(client: Any, support: Any, one: bytes) -> None:
    body, kind = support.multipart(one)
    response = client.post(URL, content=body, headers={**kind, "Content-Encoding": "gzip"})
    assert response.status_code == 415
    assert response.headers["accept-encoding"] == "identity"
    plain = client.post(URL, content=body, headers={**kind, "Content-Encoding": "identity"})
    assert plain.status_code == 200


@pytest.mark.clause("8.6.1")
@pytest.mark.parametrize(
    "kind",
    [
        "multipart/related; boundary=BoUnDaRy",
        "multipart/related; type=application/dicom; boundary=BoUnDaRy",
        'multipart/related;type="application/dicom";boundary="BoUnDaRy"',
        'multipart/related; boundary=BoUnDaRy; type="application/dicom"; start="<0>"',
        'Multipart/Related; Type="Application/DICOM"; Boundary=BoUnDaRy',
    ],
)
def test_spellings_of_the_content_type_are_understood(
    client: Any, support: Any, one: bytes, kind: str
) -> None:
    body, _ = support.multipart(one)
    assert client.post(URL, content=body, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.clause("8.6.1")
@pytest.mark.parametrize(
    ("before", "head", "after"),
    [
        (b"", b"\r\n", b"\r\n--b--"),
        (b"preamble\r\n", b"Content-Type: application/dicom\r\n\r\n", b"\r\n--b--\r\nepilogue"),
        (b"\r\n", b"MIME-Version: 1.0\r\nContent-Type: application/dicom\r\n\r\n", b"\r\n--b--\r\n"),
        (b"", b"Content-Type:\r\n application/dicom\r\nContent-Length: 5\r\n\r\n", b"\r\n--b--\r\n"),
    ],
)
def test_forms_of_the_message_are_understood(
    client: Any, node: Any, one: bytes, before: bytes, head: bytes, after: bytes
) -> None:
    body = before + b"--b\r\n" + head + one + after
    kind = {"Content-Type": "multipart/related; boundary=b"}
    assert client.post(URL, content=body, headers=kind).status_code == 200
    assert list(node.receiver.kept.values()) == [one]


def test_message_with_bare_line_feeds_is_understood(client: Any, node: Any, one: bytes) -> None:
    body = b"--b\nContent-Type: application/dicom\n\n" + one + b"\n--b--\n"
    kind = {"Content-Type": "multipart/related; boundary=b"}
    assert client.post(URL, content=body, headers=kind).status_code == 200
    assert list(node.receiver.kept.values()) == [one]


def ask(url: str, head: str, *, then: bytes = b"") -> bytes:
    """Send raw bytes; `then` only after the server's first answer."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        answer = connection.recv(65536)
        if then:
            connection.sendall(then)
            answer += connection.recv(65536)
        return answer


def test_client_that_expects_to_be_asked_is(support: Any, node: Any, one: bytes) -> None:
    """RFC 9110 §10.1.1: 100 before the body; a refusal comes instead of it."""
    with support.Served(node.app) as server:
        head = (
            "POST /dicom-web/studies HTTP/1.1\nHost: node.test\nContent-Type: application/dicom\n"
            "Expect: 100-continue\nContent-Length: {}\n\n"
        )
        answer = ask(server.url, head.format(len(one)), then=one)
        assert answer.startswith(b"HTTP/1.1 100")
        assert b"HTTP/1.1 200" in answer
        assert ask(server.url, head.format(10**12)).startswith(b"HTTP/1.1 413")


def test_connection_that_ends_in_mid_body_stores_nothing_of_the_last_part(
    support: Any, node: Any, one: bytes
) -> None:
    body, kind = support.multipart(one, one)
    with support.Served(node.app) as server:
        address = httpx.URL(server.url)
        with socket.create_connection((address.host, address.port), timeout=30) as connection:
            head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
            head += f"Content-Type: {kind['Content-Type']}\r\n\r\n"
            connection.sendall(head.encode() + body[:-200])
        single = {"Content-Type": "application/dicom"}
        assert httpx.post(f"{server.url}/studies", content=io.BytesIO(one), headers=single).status_code == 200
    assert list(node.receiver.kept.values()) == [one]
