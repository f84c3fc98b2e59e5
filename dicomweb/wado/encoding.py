"""WADO-RS over HTTP: validators, ranges, multipart bodies that are written while they are sent.

References
----------
PS3.18 §10.4.3 (response), §8.6.1.2 (multipart payloads), RFC 9110 §8.8 (validators) and §14 (ranges).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol

from starlette.responses import Response

from dicom_node.domain.catalog import CatalogKind
from dicomweb.byte_source import CHUNK_BYTES, Whole
from dicomweb.media_types import MULTIPART_RELATED
from dicomweb.multipart import CRLF, Payload, new_boundary
from dicomweb.wado.ranges import parse_range, range_holds
from dicomweb.wado.streaming import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fastapi import Request

    from dicomweb.byte_source import Content

#: Content up to this size is sent in one piece.
_ONE_PIECE = 4 * CHUNK_BYTES


class Listed(Protocol):
    """What validators need of a catalogue entry or record."""

    @property
    def kind(self) -> CatalogKind:
        """Whether it came in or was made here."""

    @property
    def sop_instance_uid(self) -> str:
        """Pseudonymous."""

    @property
    def ref(self) -> str:
        """Where it lies."""

    @property
    def version(self) -> int:
        """The run that made it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a response, or all of it."""

    content: Content
    content_type: str
    location: str | None = None


def validators(entries: Sequence[Listed], variant: str) -> dict[str, str]:
    """ETag and Cache-Control of a representation.

    Instances never change under their UID, so the tag needs no content. A result may be reused for an
    hour; inputs are asked for again each time, so that a purge (410) shows at once.
    """
    digest = hashlib.sha256(variant.encode("utf-8", "replace"))
    for entry in entries:
        digest.update(f"\n{entry.sop_instance_uid} {entry.version} {entry.ref}".encode())
    result = len(entries) == 1 and entries[0].kind is CatalogKind.RESULT
    return {
        "ETag": f'"{digest.hexdigest()[:32]}"',
        "Cache-Control": "private, max-age=3600, immutable" if result else "private, no-cache",
        "Vary": "Accept",
    }


def not_modified(if_none_match: str | None, headers: Mapping[str, str]) -> Response | None:
    """304 where the client has this representation already."""
    if if_none_match is None:
        return None
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if "*" in tags or headers["ETag"] in tags:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=dict(headers))
    return None


def single_response(request: Request, part: Part, headers: Mapping[str, str]) -> Response:
    """One part as the whole body; of content whose size is known a range (206) where one is asked for.

    Raises
    ------
    Problem
        416 if the range lies outside.
    """
    merged = {**headers, "Content-Type": part.content_type}
    if part.location is not None:
        merged["Content-Location"] = part.location
    size = part.content.size
    if size is None:
        return StreamedResponse(part.content.chunks(), merged)
    merged["Accept-Ranges"] = "bytes"
    spans = None
    if request.method == "GET" and range_holds(request.headers.get("if-range"), headers["ETag"]):
        spans = parse_range(request.headers.get("range"), size)
    if spans is None:
        return _sized(part.content.chunks(), size, merged)
    if len(spans) == 1:
        ((start, stop),) = spans
        merged["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return _sized(part.content.chunks(start, stop), stop - start, merged, HTTPStatus.PARTIAL_CONTENT)
    return _byte_ranges(part, spans, size, merged)


def _byte_ranges(
    part: Part, spans: Sequence[tuple[int, int]], size: int, headers: dict[str, str]
) -> Response:
    boundary = new_boundary()
    heads = [
        (
            f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
            f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n\r\n"
        ).encode("ascii", "replace")
        for start, stop in spans
    ]
    close = f"--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        for head, (start, stop) in zip(heads, spans, strict=True):
            yield head
            yield from part.content.chunks(start, stop)
            yield CRLF
        yield close

    length = sum(
        len(head) + stop - start + len(CRLF) for head, (start, stop) in zip(heads, spans, strict=True)
    )
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return _sized(body(), length + len(close), headers, HTTPStatus.PARTIAL_CONTENT)


def multipart_response(
    parts: Iterable[Part | Payload], media_type: str, headers: Mapping[str, str]
) -> Response:
    """A `multipart/related` response that is written while it is sent.

    The first part is made before the status goes out, so what is wrong with it still becomes an error
    response. Of a list the length is told beforehand.
    """
    boundary = new_boundary()
    headers = {
        **headers,
        "Content-Type": f'{MULTIPART_RELATED}; type="{media_type}"; boundary={boundary}',
    }
    if isinstance(parts, list):
        made = [_part(part) for part in parts]
        sizes = [part.content.size for part in made]
        if None not in sizes:
            heads = sum(len(_head(part, boundary)) + len(CRLF) for part in made)
            length = heads + sum(size for size in sizes if size is not None) + len(boundary) + 6
            return _sized(_body(made, boundary), length, headers)
        return StreamedResponse(_gathered(_body(made, boundary)), headers)
    pending = (_part(part) for part in parts)
    first = list(islice(pending, 1))
    return StreamedResponse(_gathered(_body(chain(first, pending), boundary)), headers)


def _part(part: Part | Payload) -> Part:
    if isinstance(part, Part):
        return part
    return Part(Whole(part.content), part.content_type, part.location)


def _body(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    for part in parts:
        yield _head(part, boundary)
        yield from part.content.chunks()
        yield CRLF
    yield f"--{boundary}--\r\n".encode("ascii")


def _head(part: Part, boundary: str) -> bytes:
    lines = [f"--{boundary}", f"Content-Type: {part.content_type}"]
    if part.content.size is not None:
        lines.append(f"Content-Length: {part.content.size}")
    if part.location is not None:
        lines.append(f"Content-Location: {part.location}")
    return "\r\n".join([*lines, "", ""]).encode("ascii", "replace")


def _sized(
    pieces: Iterator[bytes], size: int, headers: dict[str, str], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    headers["Content-Length"] = str(size)
    if size <= _ONE_PIECE:
        return Response(b"".join(pieces), status, headers=headers)
    return StreamedResponse(_gathered(pieces), headers, status)


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about a chunk: each one costs a change of threads and a packet."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            yield held[0] if len(held) == 1 else b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
