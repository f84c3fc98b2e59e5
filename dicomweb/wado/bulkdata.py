"""Bulk data: single large values, by the URIs that metadata names.

The path of a value is its tag; within sequences, tags and item indices (from 0) in turn:
`7FE00010`, `54000100/0/54001010`.

References
----------
PS3.18 §10.4.1.1.2 (bulkdata resources), §F.2.6 (BulkDataURI).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.dataelem import RawDataElement

from dicom_node.domain.errors import NotFound
from dicomweb.byte_order import little_endian
from dicomweb.dicom_json import PIXEL_TAGS, resolve_vr, sequence_items, settle_vr, tag_of
from dicomweb.errors import bad_request
from dicomweb.media_types import OCTET_STREAM
from dicomweb.value_json import BINARY_VRS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

PDF = "application/pdf"
_ENCAPSULATED_DOCUMENT = 0x00420011
#: Values up to this length stand in the metadata themselves.
INLINE_LIMIT = 1024


def locate(ds: Dataset, path: str) -> tuple[Dataset, BaseTag]:
    """The data set or item that holds the value of a path, and its tag.

    Raises
    ------
    Problem
        400 if the path is malformed.
    NotFound
        If there is nothing under it.
    """
    pieces = path.strip("/").split("/")
    if len(pieces) % 2 == 0:
        raise bad_request("a bulk data path is a tag, or tag/item/tag for a value within a sequence")
    try:
        tags = [tag_of(piece) for piece in pieces[0::2]]
        items = [int(piece) for piece in pieces[1::2]]
    except ValueError as exc:
        raise bad_request(
            "a bulk data path has tags of 8 hexadecimal digits and item numbers from 0"
        ) from exc
    holder = ds
    for tag, item in zip(tags, items, strict=False):
        sequence = sequence_items(holder, tag) if tag in holder and _vr(holder, tag) == "SQ" else ()
        if not 0 <= item < len(sequence):
            raise NotFound("the instance has no such bulk data")
        holder = sequence[item]
    if tags[-1] not in holder:
        raise NotFound("the instance has no such bulk data")
    return holder, tags[-1]


def value_bytes(holder: Dataset, tag: BaseTag) -> bytes:
    """The bytes of a binary value, little endian.

    Raises
    ------
    NotFound
        If the value is of a VR that is no bulk data.
    """
    element: Any = holder.get_item(tag)
    vr = _vr(holder, tag)
    value = element.value
    if vr not in BINARY_VRS or not isinstance(value, bytes | type(None)):
        raise NotFound("this attribute is no bulk data; its value is in the metadata")
    if value and isinstance(element, RawDataElement) and not element.is_little_endian:
        return little_endian(value, vr)
    return value or b""


def media_type_of(ds: Dataset, tag: BaseTag) -> str:
    """The media type of a value: octets, or PDF for an encapsulated PDF.

    Other encapsulated types (HTML, say) stay octets: a browser shall not run what lies in a data set.
    """
    if tag == _ENCAPSULATED_DOCUMENT and str(ds.get("MIMETypeOfEncapsulatedDocument", "")).lower() == PDF:
        return PDF
    return OCTET_STREAM


def document_bytes(ds: Dataset, tag: BaseTag, content: bytes) -> bytes:
    """Without the padding byte, where the data set tells a document's length (0042,0015)."""
    length = ds.get("EncapsulatedDocumentLength")
    if tag == _ENCAPSULATED_DOCUMENT and isinstance(length, int) and 0 < length <= len(content):
        return content[:length]
    return content


def bulk_paths(ds: Dataset, prefix: str = "") -> Iterator[str]:
    """The paths of all bulk data of a data set without its own pixel data."""
    for tag in sorted(ds.keys()):
        element: Any = ds.get_item(tag)
        vr = _vr(ds, tag)
        if vr == "SQ":
            for index, item in enumerate(sequence_items(ds, tag)):
                yield from bulk_paths(item, f"{prefix}{tag:08X}/{index}/")
        elif vr in BINARY_VRS and (tag in PIXEL_TAGS or len(element.value or b"") > INLINE_LIMIT):
            yield f"{prefix}{tag:08X}"


def _vr(holder: Dataset, tag: BaseTag) -> str:
    element: Any = holder.get_item(tag)
    if isinstance(element, RawDataElement):
        return resolve_vr(tag, element.VR, False)
    return settle_vr(str(element.VR), False)
