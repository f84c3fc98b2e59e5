"""Rendered forms of what is no image: reports as pages, text or XML, encapsulated PDFs as they are.

References
----------
PS3.18 §8.7.4 and Table 8.7.4-1, category Text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomweb.dicom_json import JsonRules, encode_dataset
from dicomweb.media_types import Offer
from dicomweb.native_model import to_xml
from dicomweb.wado.bulkdata import PDF, document_bytes, media_type_of
from dicomweb.wado.report_text import is_report, to_html, to_text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

HTML = "text/html"
TEXT = "text/plain"
XML = "text/xml"
REPORT_TYPES = (HTML, TEXT, XML)
_CHARSET = "; charset=utf-8"


def document_offers(ds: Dataset) -> list[Offer]:
    """How a document can be given; empty for what is none."""
    if is_report(ds):
        return [Offer(media_type) for media_type in REPORT_TYPES]
    if "EncapsulatedDocument" in ds and media_type_of(ds, ds["EncapsulatedDocument"].tag) == PDF:
        return [Offer(PDF)]
    return []


def encode_document(ds: Dataset, media_type: str, url: str) -> tuple[str, bytes]:
    """The document in one of its `document_offers`: Content-Type and content.

    Parameters
    ----------
    url
        Of the instance; bulk data of XML is named below it.
    """
    if media_type == HTML:
        return HTML + _CHARSET, to_html(ds).encode("utf-8", "replace")
    if media_type == TEXT:
        return TEXT + _CHARSET, to_text(ds).encode("utf-8", "replace")
    if media_type == XML:
        return XML + _CHARSET, to_xml(encode_dataset(ds, JsonRules(bulk_root=f"{url}/bulkdata/")))
    tag: BaseTag = ds["EncapsulatedDocument"].tag
    return PDF, document_bytes(ds, tag, ds.EncapsulatedDocument)
