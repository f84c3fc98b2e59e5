"""STOW-RS as a client: results to a destination, files to a node.

References
----------
PS3.18 §10.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING

import httpx

from dicom_node.domain.delivery import Destination, SendReport
from dicom_node.domain.errors import ArchiveFailed, ConfigurationError, DeliveryFailed, InvalidInstance
from dicomweb.client.connection import NO_ACCESS, Access, Busy, connect, origin, retry_after
from dicomweb.client.response import Verdict, verdicts
from dicomweb.client.retry import Retry
from dicomweb.media_types import DICOM, DICOM_JSON, MULTIPART_RELATED
from dicomweb.multipart import new_boundary
from dicomweb.part10 import read_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Bytes of objects that go in one request.
BATCH_BYTES = 32 * 1024 * 1024
_CHUNK = 1024 * 1024
#: Answers to a whole request that smaller ones may escape.
_TOO_MUCH = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One instance to send; `pieces` gives its Part 10 bytes, `size` of them, anew for each attempt."""

    sop_instance_uid: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


class StowSender:
    """`ResultSender` to a DICOMweb service.

    Objects go in requests of about 32 MiB. The answer to each instance is read from the response, whatever
    the status. An instance that failed for a passing reason, or that the response does not name, is sent
    again by itself; one that the service refuses is not.

    Parameters
    ----------
    url
        DICOMweb base URL, without `/studies`.
    timeout_s
        Seconds for connecting, and between two pieces of an answer.
    retry
        Attempts within one `send`; the wait that the service asks for (Retry-After) is kept.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        url: str,
        timeout_s: float = 30.0,
        access: Access = NO_ACCESS,
        retry: Retry | None = None,
    ) -> None:
        self._destination = destination
        self._url = url
        self._timeout_s = timeout_s
        self._access = access
        self._retry = retry or Retry(attempts=3)

    @property
    def destination(self) -> Destination:
        """Where to."""
        return self._destination

    def send(self, objects: Iterable[bytes]) -> SendReport:
        """Send Part 10 objects; per-instance failures are in the report.

        Raises
        ------
        DeliveryFailed
            If the destination is not there or refuses a request as a whole.
        InvalidInstance
            If an object is no DICOM file.
        """
        return self.send_all(_of_bytes(data) for data in objects)

    def send_all(self, objects: Iterable[Outgoing], done: Callable[[int], None] | None = None) -> SendReport:
        """The same of instances that are read when they are sent.

        Parameters
        ----------
        done
            Called with the count of instances whose fate is known.

        Raises
        ------
        DeliveryFailed
        """
        failures: dict[str, str] = {}
        count = 0
        try:
            with connect(self._url, self._access, self._timeout_s) as client:
                for batch in _batches(objects):
                    failures |= self._send_batch(client, batch)
                    count += len(batch)
                    if done is not None:
                        done(count)
        except (ArchiveFailed, ConfigurationError, _Refused) as exc:
            raise DeliveryFailed(f"destination {self._destination.name}: {exc}") from exc
        return SendReport(failures)

    def _send_batch(self, client: httpx.Client, batch: Mapping[str, Outgoing]) -> dict[str, str]:
        """Reasons by SOP Instance UID; what may pass is tried again by itself."""
        failures: dict[str, str] = {}
        left = dict(batch)
        for attempt in range(1, self._retry.attempts + 1):
            answer = self._retry.run(lambda: self._post(client, left))  # noqa: B023 (called at once)
            if answer is None:  # too much for one request
                for uid, item in left.items():
                    failures |= self._send_batch(client, {uid: item})
                return failures
            failures |= {
                uid: reason for uid, (verdict, reason) in answer.items() if verdict is Verdict.REFUSED
            }
            again = {uid: reason for uid, (verdict, reason) in answer.items() if verdict is Verdict.AGAIN}
            if not again or attempt == self._retry.attempts:
                return failures | again
            left = {uid: left[uid] for uid in again}
            self._retry.pause(attempt)
        return failures

    def _post(
        self, client: httpx.Client, batch: Mapping[str, Outgoing]
    ) -> dict[str, tuple[Verdict, str]] | None:
        boundary = new_boundary()
        head = f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode()
        tail = f"--{boundary}--\r\n".encode()
        size = sum(len(head) + item.size + 2 for item in batch.values()) + len(tail)
        try:
            response = client.post(
                "studies",
                content=_body(batch.values(), head, tail),
                headers={
                    "Content-Type": f'{MULTIPART_RELATED}; type="{DICOM}"; boundary={boundary}',
                    "Content-Length": str(size),
                    "Accept": DICOM_JSON,
                },
            )
        except httpx.ConnectError as exc:
            # Nobody listens: whoever delivers tries again much later.
            raise _Refused(f"no answer ({type(exc).__name__})") from exc
        except httpx.HTTPError as exc:
            raise Busy(f"no answer ({type(exc).__name__})") from exc
        status = response.status_code
        if status in _TOO_MUCH:
            one = dict.fromkeys(batch, (Verdict.REFUSED, f"answered {status}"))
            return one if len(batch) == 1 else None
        if status in _PASSING:
            raise Busy(f"answered {status} to STOW-RS", retry_after(response))
        answer = verdicts(response, batch)
        if answer is None:
            raise _Refused(f"answered {status} to STOW-RS")
        return answer


class _Refused(Exception):
    """A request as a whole gets nowhere, and would not a moment later."""


def send_files(
    paths: Sequence[Path],
    url: str,
    progress: Callable[[int], None] | None = None,
    *,
    access: Access = NO_ACCESS,
    timeout_s: float = 60.0,
) -> dict[str, str]:
    """Send files by STOW-RS, for a person at a terminal; a file is read as it is sent.

    Parameters
    ----------
    progress
        Called with the count of files that are done, after each request.

    Returns
    -------
    dict
        Reasons of the files that were not taken, by file name.

    Raises
    ------
    DeliveryFailed
        If the destination is not there or refuses a request as a whole.
    """
    sender = StowSender(
        Destination(name=origin(url), original_identity=False), url=url, timeout_s=timeout_s, access=access
    )
    failures: dict[str, str] = {}
    files: dict[str, Path] = {}

    def readable() -> Iterator[Outgoing]:
        for path in paths:
            try:
                with path.open("rb") as file:
                    uid = read_identity(file).sop_instance_uid
                size = path.stat().st_size
            except (OSError, InvalidInstance):
                failures[path.name] = "cannot be read as a DICOM file"
            else:
                files[uid] = path
                yield Outgoing(uid, size, partial(_read, path))

    report = sender.send_all(
        readable(), lambda count: progress(count + len(failures)) if progress is not None else None
    )
    if progress is not None:
        progress(len(paths))
    return failures | {files[uid].name: reason for uid, reason in report.failures.items()}


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


def _of_bytes(data: bytes) -> Outgoing:
    return Outgoing(read_identity(BytesIO(data)).sop_instance_uid, len(data), partial(_whole, data))


def _whole(data: bytes) -> Iterator[bytes]:
    yield data


def _batches(objects: Iterable[Outgoing]) -> Iterator[dict[str, Outgoing]]:
    """Objects by SOP Instance UID, about `BATCH_BYTES` at a time."""
    batch: dict[str, Outgoing] = {}
    size = 0
    for item in objects:
        if batch and (size + item.size > BATCH_BYTES or item.sop_instance_uid in batch):
            yield batch
            batch, size = {}, 0
        batch[item.sop_instance_uid] = item
        size += item.size
    if batch:
        yield batch


def _body(items: Iterable[Outgoing], head: bytes, tail: bytes) -> Iterator[bytes]:
    for item in items:
        yield head
        yield from item.pieces()
        yield b"\r\n"
    yield tail
