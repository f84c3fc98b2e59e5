"""Requests of metadata and bulk data parts: which instances they hold, and how these are put together.

References
----------
PS3.18 §10.5.1.4 (request payload), §8.6.1 (parts), §F.2.6 and PS3.19 §A.1 (BulkDataURI).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

from dicom_node.domain.errors import InvalidInstance
from dicomweb.json_reader import loads
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, MediaType, parse_media_type
from dicomweb.native_model_reader import from_xml
from dicomweb.part10 import ClaimedIdentity
from dicomweb.part_spool import PartWriter
from dicomweb.stow.assembly import assemble
from dicomweb.stow.pixel_data import BulkPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.ports.stores import ScratchFile
    from dicomweb.multipart import Part

#: Bytes of one metadata part: it is read in memory, which takes about ten times as much.
MAX_METADATA = 64 * 1024 * 1024
METADATA_TYPES = frozenset({DICOM_JSON, DICOM_XML, JSON, "text/xml", "application/xml"})
_STUDY, _SOP_CLASS, _SOP_INSTANCE = "0020000D", "00080016", "00080018"


class MetadataRequest:
    """Collects the parts of one request; no instance can be put together before the last came."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []
        self._bulk: dict[str, list[BulkPart]] = {}

    def add(self, part: Part, default: str) -> None:
        """Take a part: metadata, or a value under its Content-Location.

        Parameters
        ----------
        default
            Media type of a first part that names none: the request's `type`.

        Raises
        ------
        InvalidInstance
            If metadata cannot be read, or a value has no Content-Location.
        """
        text = part.headers.get("content-type")
        media_type = parse_media_type(text) if text else MediaType(OCTET_STREAM if self.models else default)
        if media_type is None:
            raise InvalidInstance("a part's Content-Type is malformed")
        if media_type.name in METADATA_TYPES and not _locations(part):
            self.models += read_models(part.stream, media_type.name)
            return
        locations = _locations(part)
        if not locations:
            raise InvalidInstance("a bulk data part has no Content-Location, which says whose value it is")
        for location in locations:
            self._bulk.setdefault(location, []).append(BulkPart(media_type, part.stream))

    def resolve(self, uri: str) -> Sequence[BulkPart]:
        """The parts of a BulkDataURI, in their order.

        Raises
        ------
        InvalidInstance
            If none came.
        """
        parts = self._bulk.get(uri) or self._bulk.get(unquote(uri))
        if parts is None:
            raise InvalidInstance(
                "metadata names bulk data that did not come; send it with its BulkDataURI as Content-Location"
            )
        return parts

    def assemble(self, model: dict[str, Any], open_scratch: Callable[[], ScratchFile]) -> BinaryIO:
        """The PS3.10 instance that a model describes.

        Raises
        ------
        InvalidInstance, SopClassMismatch, UnsupportedTransferSyntax
        """
        writer = PartWriter(open_scratch)
        try:
            assemble(model, self.resolve, writer)
        except BaseException:
            writer.close()
            raise
        return writer.finish()


def read_models(stream: BinaryIO, media_type: str) -> list[dict[str, Any]]:
    """The DICOM JSON models of a metadata part, in XML or JSON.

    Raises
    ------
    InvalidInstance
        If it cannot be read, or is larger than `MAX_METADATA`.
    """
    document = stream.read(MAX_METADATA + 1)
    if len(document) > MAX_METADATA:
        raise InvalidInstance(f"a metadata part has more than {MAX_METADATA} bytes; send fewer instances")
    models = loads(document) if media_type in (DICOM_JSON, JSON) else [from_xml(document)]
    return [{tag.upper(): attribute for tag, attribute in model.items()} for model in models]


def claimed(model: dict[str, Any]) -> ClaimedIdentity | None:
    """What a model calls its instance, or `None` where that cannot be told."""
    study, sop_class, sop_instance = (_text(model, tag) for tag in (_STUDY, _SOP_CLASS, _SOP_INSTANCE))
    return ClaimedIdentity(study, sop_class, sop_instance) if sop_class and sop_instance else None


def _text(model: dict[str, Any], tag: str) -> str:
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    value = values[0] if isinstance(values, list) and values else ""
    return value.strip(" \0") if isinstance(value, str) and len(value) <= 64 else ""


def _locations(part: Part) -> set[str]:
    """The names that a part goes by: Content-Location, and Content-ID as a `cid:` URI (RFC 2392)."""
    names = set()
    location = part.headers.get("content-location", "").strip("<> ")
    if location:
        names |= {location, unquote(location)}
    identifier = part.headers.get("content-id", "").strip("<> ")
    if identifier:
        names.add(f"cid:{identifier}")
    return names
