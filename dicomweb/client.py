"""STOW-RS as a client: results to a DICOMweb destination, files to a node.

References
----------
PS3.18 §10.5.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx

from dicom_node.domain.delivery import Destination, SendReport
from dicom_node.domain.errors import DeliveryFailed, InvalidInstance
from dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML, MULTIPART_RELATED
from dicomweb.multipart import Payload, new_boundary, write_multipart
from dicomweb.part10 import read_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Bytes of objects that go in one request.
BATCH_BYTES = 32 * 1024 * 1024
_REFERENCED, _FAILED = "00081199", "00081198"
_SOP_INSTANCE, _FAILURE_REASON = "00081155", "00081197"


class StowSender:
    """`ResultSender` to a DICOMweb service.

    Objects go in requests of about 32 MiB. The answer to each instance is read from the response, whatever
    the status; one that the response does not name counts as failed.

    Parameters
    ----------
    url
        DICOMweb base URL, without `/studies`.
    timeout_s
        Seconds for connecting, and between two pieces of an answer.
    headers
        Sent with every request (authorisation, say).
    """

    def __init__(
        self,
        destination: Destination,
        *,
        url: str,
        timeout_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._destination = destination
        self._url = url.rstrip("/") + "/studies"
        self._timeout = timeout_s
        self._headers = dict(headers or {})

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
        failures: dict[str, str] = {}
        with httpx.Client(timeout=self._timeout, headers=self._headers) as client:
            for batch in _batches(objects):
                failures |= self._send_batch(client, batch)
        return SendReport(failures)

    def _send_batch(self, client: httpx.Client, batch: Mapping[str, bytes]) -> dict[str, str]:
        boundary = new_boundary()
        body = b"".join(write_multipart((Payload(data, DICOM) for data in batch.values()), boundary))
        headers = {
            "Content-Type": f'{MULTIPART_RELATED}; type="{DICOM}"; boundary={boundary}',
            "Accept": DICOM_JSON,
        }
        name = self._destination.name
        try:
            response = client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as exc:
            raise DeliveryFailed(f"destination {name}: no answer ({type(exc).__name__})") from exc
        except (httpx.InvalidURL, ValueError) as exc:
            raise DeliveryFailed(f"destination {name}: its url is malformed") from exc
        model = _parse(response)
        if response.status_code == HTTPStatus.OK and (model == {} or _is_xml(response)):
            return {}  # 200 says that all were stored
        if model is None or response.status_code not in {
            HTTPStatus.OK,
            HTTPStatus.ACCEPTED,
            HTTPStatus.CONFLICT,
        }:
            raise DeliveryFailed(f"destination {name}: answered {response.status_code} to STOW-RS")
        return _failures(model, batch)


def send_files(
    paths: Sequence[Path],
    url: str,
    progress: Callable[[int], None] | None = None,
    *,
    timeout_s: float = 60.0,
) -> dict[str, str]:
    """Send files by STOW-RS, for a person at a terminal.

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
    sender = StowSender(Destination(name=_origin(url), original_identity=False), url=url, timeout_s=timeout_s)
    failures: dict[str, str] = {}
    batch: dict[str, tuple[Path, bytes]] = {}
    size = 0
    for done, path in enumerate(paths, 1):
        try:
            data = path.read_bytes()
            uid = read_identity(BytesIO(data)).sop_instance_uid
        except (OSError, InvalidInstance):
            failures[path.name] = "cannot be read as a DICOM file"
        else:
            # A copy of an instance in the same request is one instance.
            batch[uid] = (path, data)
            size += len(data)
        if size >= BATCH_BYTES or done == len(paths):
            report = sender.send([content for _, content in batch.values()])
            failures |= {batch[sop][0].name: reason for sop, reason in report.failures.items()}
            if progress is not None:
                progress(done)
            batch, size = {}, 0
    return failures


def _origin(url: str) -> str:
    """The URL without user, password and query, for messages."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "url"
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}{parsed.path}"


def _batches(objects: Iterable[bytes]) -> Iterator[dict[str, bytes]]:
    """Objects by SOP Instance UID, about `BATCH_BYTES` at a time."""
    batch: dict[str, bytes] = {}
    size = 0
    for data in objects:
        uid = read_identity(BytesIO(data)).sop_instance_uid
        if batch and (size + len(data) > BATCH_BYTES or uid in batch):
            yield batch
            batch, size = {}, 0
        batch[uid] = data
        size += len(data)
    if batch:
        yield batch


def _parse(response: httpx.Response) -> dict[str, Any] | None:
    """The Store Instances Response Module, or `None` where the body is none."""
    if not response.content:
        return {}
    try:
        model = json.loads(response.content)
    except ValueError:
        return None
    if isinstance(model, list):
        model = model[0] if model else {}
    return model if isinstance(model, dict) else None


def _is_xml(response: httpx.Response) -> bool:
    """Whether a service answered with DICOM in XML although JSON was asked for."""
    kind: str = response.headers.get("content-type", "")
    return kind.startswith(DICOM_XML)


def _failures(model: dict[str, Any], batch: Mapping[str, bytes]) -> dict[str, str]:
    failed = {
        _first(item, _SOP_INSTANCE): f"failure reason {_reason(item)}" for item in _items(model, _FAILED)
    }
    stored = {_first(item, _SOP_INSTANCE) for item in _items(model, _REFERENCED)}
    outcome = {}
    for uid in batch:
        if uid in failed:
            outcome[uid] = failed[uid]
        elif uid not in stored:
            outcome[uid] = "the response does not name the instance"
    return outcome


def _items(model: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return [item for item in values or [] if isinstance(item, dict)]


def _first(item: dict[str, Any], tag: str) -> Any:
    attribute = item.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if values else None


def _reason(item: dict[str, Any]) -> str:
    value = _first(item, _FAILURE_REASON)
    return f"{value:04X}" if isinstance(value, int) else "unknown"
