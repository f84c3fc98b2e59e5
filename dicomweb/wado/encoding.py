"""WADO-RS responses: whole instances, metadata, multipart bodies, validators.

References
----------
PS3.18 §10.4.3 (response), §8.7.3 (DICOM media types and transfer syntaxes), RFC 9110 §8.8 and §14.
"""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from io import BytesIO
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.pixels.utils import decompress
from pydicom.uid import ExplicitVRLittleEndian
from starlette.responses import Response, StreamingResponse

from dicom_node.domain.catalog import CatalogKind
from dicomweb.byte_order import convert_binaries, is_big_endian
from dicomweb.errors import Problem, not_acceptable
from dicomweb.media_types import DICOM, MULTIPART_RELATED, Offer
from dicomweb.multipart import Payload, new_boundary, write_multipart
from dicomweb.part10 import READ_ERRORS, read_dataset
from dicomweb.wado.frames import DECODE_ERRORS, can_decode, is_compressed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dicom_node.domain.catalog import CatalogEntry

#: Transfer syntaxes that never go over the web (PS3.18 §8.7.3.5.2): they become Explicit VR Little Endian.
NEVER_SENT = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"})
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def dicom_offers(entries: Sequence[CatalogEntry]) -> list[Offer]:
    """How whole instances can be given: as stored, as Explicit VR Little Endian, singly where it is one."""
    stored = {entry.transfer_syntax_uid for entry in entries}
    shared = next(iter(stored)) if len(stored) == 1 else "*"
    decodable = all(not is_compressed(uid) or can_decode(uid) for uid in stored)
    offers = []
    for multipart in (True, False) if len(entries) == 1 else (True,):
        if shared not in NEVER_SENT and shared != ExplicitVRLittleEndian:
            offers.append(Offer(DICOM, multipart, shared, default=False))
        if decodable:
            offers.append(Offer(DICOM, multipart, str(ExplicitVRLittleEndian)))
    return offers


def encode_instance(part10: bytes, stored: str, wanted: str) -> tuple[bytes, str]:
    """Part 10 bytes in the transfer syntax that was negotiated, and its UID.

    Stored bytes are given untouched wherever their transfer syntax may go over the web.

    Raises
    ------
    Problem
        406 if the pixel data cannot be decoded here.
    """
    if stored not in NEVER_SENT and (wanted in {"*", stored}):
        return part10, stored
    ds = read_dataset(BytesIO(part10))
    try:
        if is_compressed(stored):
            if "PixelData" in ds:
                decompress(ds, generate_instance_uid=False)
            for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
                if keyword in ds:
                    delattr(ds, keyword)
        elif is_big_endian(ds):
            convert_binaries(ds)
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        out = BytesIO()
        pydicom.dcmwrite(out, ds, implicit_vr=False, little_endian=True, enforce_file_format=True)
    except (*READ_ERRORS, *DECODE_ERRORS) as exc:
        raise not_acceptable(
            "the instance cannot be written as Explicit VR Little Endian; ask for transfer-syntax=*"
        ) from exc
    return out.getvalue(), str(ExplicitVRLittleEndian)


def multipart_response(payloads: Iterable[Payload], media_type: str, headers: Mapping[str, str]) -> Response:
    """A `multipart/related` response that is written while it is sent; at once where it is a list.

    The first part is made before the status goes out, so what is wrong with it still becomes an error
    response.
    """
    boundary = new_boundary()
    content_type = f'{MULTIPART_RELATED}; type="{media_type}"; boundary={boundary}'
    headers = {**headers, "Content-Type": content_type}
    if isinstance(payloads, list):
        return Response(b"".join(write_multipart(payloads, boundary)), headers=headers)
    pending = iter(payloads)
    first = list(islice(pending, 1))
    return StreamingResponse(write_multipart(chain(first, pending), boundary), headers=headers)


def absolute(attributes: dict[str, Any], instance_url: str) -> dict[str, Any]:
    """Attributes of the index with their relative BulkDataURIs made absolute; the input stays as it is."""
    result: dict[str, Any] = {}
    for key, attribute in attributes.items():
        uri = attribute.get("BulkDataURI")
        if uri is not None:
            attribute = {**attribute, "BulkDataURI": f"{instance_url}/{uri}"}
        elif attribute.get("vr") == "SQ" and "Value" in attribute:
            items = [absolute(item or {}, instance_url) for item in attribute["Value"]]
            attribute = {**attribute, "Value": items}
        result[key] = attribute
    return result


def complete(attributes: dict[str, Any], is_bulk: Callable[[str], bool]) -> bool:
    """Whether the index holds everything that metadata shows: only bulk data was left out."""
    for attribute in attributes.values():
        vr = attribute.get("vr", "UN")
        if "BulkDataURI" in attribute and not is_bulk(vr):
            return False
        if vr == "SQ" and not all(complete(item or {}, is_bulk) for item in attribute.get("Value", ())):
            return False
    return True


def validators(entries: Sequence[CatalogEntry], variant: str) -> dict[str, str]:
    """ETag and Cache-Control of a representation.

    Instances never change under their UID, so the tag needs no content. Results may be reused for an
    hour; inputs are asked for again each time, so that a purge (410) shows at once.
    """
    digest = hashlib.sha256(variant.encode())
    for entry in entries:
        digest.update(f"\n{entry.sop_instance_uid} {entry.version} {entry.ref}".encode())
    results = all(entry.kind is CatalogKind.RESULT for entry in entries) and len(entries) == 1
    return {
        "ETag": f'"{digest.hexdigest()[:32]}"',
        "Cache-Control": "private, max-age=3600" if results else "private, no-cache",
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


def ranged_response(
    content: bytes, media_type: str, headers: Mapping[str, str], asked: str | None
) -> Response:
    """A single-part response that honours a `Range` of one span (206).

    Raises
    ------
    Problem
        416 if the span lies outside.
    """
    headers = {**headers, "Accept-Ranges": "bytes", "Content-Type": media_type}
    match = _RANGE.fullmatch(asked.replace(" ", "")) if asked else None
    if match is None or match.group(0) == "bytes=-":
        return Response(content, headers=headers)
    first, last = match.groups()
    size = len(content)
    start = int(first) if first else max(0, size - int(last))
    end = min(size - 1, int(last)) if first and last else size - 1
    if start >= size or end < start:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the content has {size} bytes; ask for a range within",
            code="range",
            headers={"Content-Range": f"bytes */{size}"},
        )
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Response(content[start : end + 1], HTTPStatus.PARTIAL_CONTENT, headers=headers)
