"""Load on a DICOMweb server: plain keep-alive connections, one client process each."""

from __future__ import annotations

import http.client
import multiprocessing
import socket
import statistics
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BOUNDARY = "benchmark-boundary"
STOW_TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
_HEAD = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
_TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
_TIMEOUT_S = 300
_CHUNK = 1 << 20


class Client:
    """One keep-alive connection to a DICOMweb root."""

    def __init__(self, root: str) -> None:
        parts = urlsplit(root)
        self._prefix = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, int]:
        """Status and bytes of the answer's body, which is read but not kept."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, self._prefix + path, body=body, headers=names)
        response = self._connection.getresponse()
        size = 0
        while chunk := response.read(_CHUNK):
            size += len(chunk)
        return response.status, size

    def get(self, path: str, accept: str) -> int:
        """Bytes of an answer that must be 200."""
        status, size = self.ask("GET", path, Accept=accept)
        if status != 200:
            raise SystemExit(f"GET {path} was answered {status}")
        return size

    def stow(self, instance: bytes) -> None:
        """Store one instance in a request of its own."""
        body = b"".join((_HEAD, instance, _TAIL))
        status, _ = self.ask(
            "POST", "/studies", body, Content_Type=STOW_TYPE, Accept="application/dicom+json"
        )
        if status != 200:
            raise SystemExit(f"STOW-RS was answered {status}")

    def stow_stream(self, instances: Iterable[bytes], each: int, count: int) -> None:
        """Store many in one request whose body is made while it is sent; `each` is the size of one."""
        lead = b"\r\n" + _HEAD
        length = count * (len(lead) + each) - 2 + len(_TAIL)

        def body() -> Iterator[bytes]:
            for number, instance in enumerate(instances):
                yield (_HEAD if number == 0 else lead) + instance
            yield _TAIL

        status, _ = self.ask(
            "POST",
            "/studies",
            body(),
            Content_Type=STOW_TYPE,
            Content_Length=str(length),
            Accept="application/dicom+json",
        )
        if status != 200:
            raise SystemExit(f"STOW-RS of {count} instances was answered {status}")


def timed(action: Callable[[], object], *, most: int, limit_s: float) -> list[float]:
    """Milliseconds of each call: `most` calls, fewer where they take longer than `limit_s` together."""
    action()  # what is read for the first time is not counted
    found: list[float] = []
    begun = time.perf_counter()
    while len(found) < most and time.perf_counter() - begun < limit_s:
        start = time.perf_counter()
        action()
        found.append((time.perf_counter() - start) * 1000)
    return found


def percentiles(found: list[float]) -> tuple[float, float]:
    """p50 and p95."""
    ordered = sorted(found)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def at_once(work: Callable[..., None], arguments: list[tuple[object, ...]]) -> float:
    """Seconds that calls in a process each take together, once all of them are ready."""
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(len(arguments) + 1)
    processes = [context.Process(target=_behind, args=(gate, work, given)) for given in arguments]
    for process in processes:
        process.start()
    gate.wait(60)
    begun = time.perf_counter()
    for process in processes:
        process.join(_TIMEOUT_S)
    elapsed = time.perf_counter() - begun
    if any(process.exitcode for process in processes):
        raise SystemExit("a client failed")
    return elapsed


def _behind(gate: object, work: Callable[..., None], given: tuple[object, ...]) -> None:
    gate.wait(60)  # type: ignore[attr-defined]
    work(*given)
