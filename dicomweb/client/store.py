"""STOW-RS as a client: results to a destination.

References
----------
PS3.18 §10.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from dicom_node.domain.delivery import SendReport
from dicom_node.domain.errors import (
    ArchiveFailed,
    ConfigurationError,
    DeliveryFailed,
    DeliveryRefused,
)
from dicomweb.client.connection import NO_ACCESS, Access, Busy, connect, retry_after
from dicomweb.client.response import Verdict, verdicts
from dicomweb.client.retry import Retry
from dicomweb.media_types import DICOM, DICOM_JSON, MULTIPART_RELATED
from dicomweb.multipart import new_boundary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dicom_node.domain.delivery import OutgoingObject
    from dicom_node.domain.destination import Destination

#: Bytes of objects that go in one request.
BATCH_BYTES = 32 * 1024 * 1024
_CHUNK = 1024 * 1024
#: Answers to a whole request that smaller ones may escape.
_TOO_MUCH = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Answers of a service that does not let us in.
_CLOSED = frozenset({401, 403, 407})
#: A UID that no study has (PS3.5 §B.2).
_NO_STUDY = "2.25.0"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One instance to send; `pieces` gives its Part 10 bytes, `size` of them, anew for each attempt."""

    sop_instance_uid: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def _nobody(_uid: str, _reason: str | None) -> None:
    return None


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

    def send(
        self, objects: Sequence[OutgoingObject], told: Callable[[str, str | None], None] = _nobody
    ) -> SendReport:
        """See `ports.ResultSender.send`.

        Raises
        ------
        DeliveryFailed
            If the destination is not there, breaks off, or asks to come back later.
        DeliveryRefused
            If it refuses a request as a whole.
        """

        def done(outcome: Mapping[str, str | None]) -> None:
            for uid, reason in outcome.items():
                told(uid, reason)

        return self._send_all((_of_result(each) for each in objects), done)

    def send_all(self, objects: Iterable[Outgoing], done: Callable[[int], None] | None = None) -> SendReport:
        """The same of instances of any kind.

        Parameters
        ----------
        done
            Called with the count of instances whose fate is known.

        Raises
        ------
        DeliveryFailed, DeliveryRefused
        """
        count = 0

        def counted(outcome: Mapping[str, str | None]) -> None:
            nonlocal count
            count += len(outcome)
            if done is not None:
                done(count)

        return self._send_all(objects, counted)

    def probe(self) -> None:
        """Search for what cannot be there: any answer but that of a service in trouble will do.

        Raises
        ------
        DeliveryFailed, DeliveryRefused
        """
        name = self._destination.name
        try:
            with connect(self._url, self._access, self._timeout_s) as client:
                status = client.get("studies", params={"StudyInstanceUID": _NO_STUDY}).status_code
        except (httpx.HTTPError, ConfigurationError) as exc:
            raise DeliveryFailed(f"destination {name}: no answer ({type(exc).__name__})") from exc
        if status in _PASSING:
            raise DeliveryFailed(f"destination {name}: answered {status}")
        if status in _CLOSED:
            raise DeliveryRefused(f"destination {name}: answered {status}; check its access settings")

    def _send_all(
        self, objects: Iterable[Outgoing], done: Callable[[Mapping[str, str | None]], None]
    ) -> SendReport:
        failures: dict[str, str] = {}
        passing: set[str] = set()
        name = self._destination.name
        try:
            with connect(self._url, self._access, self._timeout_s) as client:
                for batch in _batches(objects):
                    answer = self._send_batch(client, batch)
                    failures |= {uid: reason for uid, (_, reason) in answer.items()}
                    passing |= {uid for uid, (verdict, _) in answer.items() if verdict is Verdict.AGAIN}
                    done({uid: failures.get(uid) for uid in batch})
        except _Refused as exc:
            kind = DeliveryRefused if exc.final else DeliveryFailed
            raise kind(f"destination {name}: {exc}") from exc
        except Busy as exc:
            raise DeliveryFailed(f"destination {name}: {exc}", exc.wait_s) from exc
        except (ArchiveFailed, ConfigurationError) as exc:
            raise DeliveryFailed(f"destination {name}: {exc}") from exc
        return SendReport(failures, frozenset(passing))

    def _send_batch(
        self, client: httpx.Client, batch: Mapping[str, Outgoing]
    ) -> dict[str, tuple[Verdict, str]]:
        """Verdict and reason by SOP Instance UID; what may pass is tried again by itself."""
        failures: dict[str, tuple[Verdict, str]] = {}
        left = dict(batch)
        for attempt in range(1, self._retry.attempts + 1):
            answer = self._retry.run(lambda: self._post(client, left))  # noqa: B023 (called at once)
            if answer is None:  # too much for one request
                for uid, item in left.items():
                    failures |= self._send_batch(client, {uid: item})
                return failures
            failures |= {uid: told for uid, told in answer.items() if told[0] is Verdict.REFUSED}
            again = {uid: told for uid, told in answer.items() if told[0] is Verdict.AGAIN}
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
            raise _Refused(f"answered {status} to STOW-RS", final=status >= HTTPStatus.MULTIPLE_CHOICES)
        return answer


class _Refused(Exception):
    """A request as a whole gets nowhere, and would not a moment later; nor ever, where it is final."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def _of_result(result: OutgoingObject) -> Outgoing:
    data = result.load(result.transfer_syntaxes[0])
    return Outgoing(result.sop_instance_uid, len(data), partial(_whole, data))


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
