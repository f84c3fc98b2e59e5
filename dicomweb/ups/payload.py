"""Data sets in requests to the worklist: JSON or XML, small, without bulk data.

References
----------
PS3.18 §11.1.3 (media types; "The transactions shall not support Metadata or Bulkdata objects"), §8.7.3.2.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicom_node.domain.errors import InvalidInstance
from dicomweb.dicom_json import JsonRules, encode_dataset
from dicomweb.errors import Problem, bad_request
from dicomweb.json_reader import decode, loads
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, MediaType, parse_media_type
from dicomweb.multipart import MultipartError, MultipartParser
from dicomweb.native_model_reader import from_xml

if TYPE_CHECKING:
    from fastapi import Request

#: Bytes of one request; work items have a few KB.
MAX_BYTES: Final = 1 << 20
_TYPES: Final = (DICOM_JSON, JSON, DICOM_XML)
_RULES: Final = JsonRules(bulk_root="", binary_limit=MAX_BYTES)
_ACCEPTED: Final = f'{DICOM_JSON}, {DICOM_XML}, multipart/related; type="{DICOM_XML}"'


async def read_model(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """The one data set of a body, checked and in the form in which the node writes DICOM JSON.

    Parameters
    ----------
    optional
        Whether an empty body stands for an empty data set.

    Raises
    ------
    Problem
        400, 413 or 415; names attributes, never values.
    """
    body = await _body(request)
    if optional and not body.strip():
        return {}
    kind = parse_media_type(request.headers.get("content-type", ""))
    content = kind.content if kind is not None else ""
    if kind is None or content not in _TYPES:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"send one data set as {_ACCEPTED}",
            code="unsupported-media-type",
            headers={"Accept": _ACCEPTED},
        )
    return parse_model(_single_part(body, kind) if kind.multipart else body, content)


def parse_model(body: bytes, content_type: str) -> dict[str, Any]:
    """Read a document.

    Raises
    ------
    Problem
        400.
    """
    try:
        models = [from_xml(body)] if content_type == DICOM_XML else loads(body)
        if len(models) != 1:
            raise bad_request(f"the body holds {len(models)} data sets; send one")
        _check_vrs(models[0], "")
        return encode_dataset(decode(models[0]), _RULES)
    except InvalidInstance as exc:
        raise bad_request(str(exc)) from exc


async def _body(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a data set of the worklist has at most {MAX_BYTES} bytes",
                code="too-large",
            )
        pieces.append(chunk)
    return b"".join(pieces)


def _single_part(body: bytes, kind: MediaType) -> bytes:
    boundary = kind.params.get("boundary")
    if not boundary:
        raise bad_request("Content-Type multipart/related needs a boundary parameter")
    try:
        parser = MultipartParser(boundary)
        try:
            parts = [part.stream.read() for part in parser.feed(body)]
            parser.finish()
        finally:
            parser.close()
    except MultipartError as exc:
        raise bad_request(f"the multipart body cannot be read: {exc}") from exc
    if len(parts) != 1:
        raise bad_request(f"the body has {len(parts)} parts; send one")
    return parts[0]


def _check_vrs(model: Any, path: str) -> None:
    """Refuse a standard attribute under another VR: nothing that looks for its value would find it."""
    if not isinstance(model, dict):
        return  # the reader says what is wrong
    for tag, attribute in model.items():
        vr = attribute.get("vr") if isinstance(attribute, dict) else None
        known = _known_vr(tag)
        if vr and known and vr not in known:
            name = keyword_for_tag(int(tag, 16))
            raise bad_request(f"{path}{name} ({tag}) has the VR {'/'.join(known)} (PS3.6)")
        values = attribute.get("Value") if vr == "SQ" else None
        for item in values if isinstance(values, list) else ():
            _check_vrs(item, f"{path}{keyword_for_tag(int(tag, 16)) or tag}." if known else f"{path}{tag}.")


def _known_vr(tag: Any) -> list[str]:
    try:
        return dictionary_VR(int(str(tag), 16)).split(" or ")
    except (KeyError, ValueError, OverflowError):
        return []
