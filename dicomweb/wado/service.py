"""What WADO-RS gives, apart from HTTP: instances, metadata, frames, bulk data.

References
----------
PS3.18 §10.4.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from dicomweb.byte_source import Made, Span, Whole
from dicomweb.element_scan import PIXEL_KEYWORDS
from dicomweb.errors import Problem, bad_request, not_acceptable
from dicomweb.instance_url import Identified, instance_url
from dicomweb.media_types import DICOM, OCTET_STREAM, Offer
from dicomweb.wado.bulkdata import bulk_paths, locate, value_bytes
from dicomweb.wado.encoding import Part
from dicomweb.wado.image_layout import layout_of_json
from dicomweb.wado.instance_encoding import NEVER_SENT, encode_instance
from dicomweb.wado.metadata import metadata_json, metadata_model
from dicomweb.wado.negotiation import NATIVE
from dicomweb.wado.transcoding import can_encode, decode_frame, encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.domain.catalog_record import CatalogRecord
    from dicom_node.ports.catalog import Catalog
    from dicomweb.byte_source import Content
    from dicomweb.instance_cache import InstanceCache, ParsedInstance
    from dicomweb.wado.frames import FrameReader

#: Frames in one request; more is refused (413).
MAX_FRAMES: Final = 10_000
_FEW: Final = 8


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names: a study, a series or an instance."""

    study: str
    series: str | None = None
    instance: str | None = None


class Located(Identified, Protocol):
    """A catalogue entry or record."""

    @property
    def transfer_syntax_uid(self) -> str:
        """As stored."""

    @property
    def ref(self) -> str:
        """Where it lies."""


class RetrieveService:
    """Reads what the catalog lists.

    Parameters
    ----------
    cache
        Instances that were opened, for all that is less than a whole instance.
    """

    def __init__(self, catalog: Catalog, cache: InstanceCache) -> None:
        self._catalog = catalog
        self._cache = cache

    def find(self, target: Target) -> Sequence[CatalogEntry]:
        """The entries under a target with their attributes, at least one.

        Raises
        ------
        NotFound, Gone
        """
        return self._catalog.find(target.study, target.series, target.instance)

    def locate(self, target: Target, *, attributes: bool = False) -> Sequence[CatalogRecord]:
        """The same, for whom their attributes' text or nothing of them is enough.

        Raises
        ------
        NotFound, Gone
        """
        return self._catalog.locate(target.study, target.series, target.instance, attributes=attributes)

    def parsed(self, entry: Located) -> ParsedInstance:
        """The instance, opened and kept for the next request.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        return self._cache.get(entry.ref)

    def instances(self, entries: Iterable[Located], transfer_syntax_uid: str, root: str) -> Iterator[Part]:
        """Whole instances, opened one at a time and not kept.

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        for entry in entries:
            content, used = self.instance(entry, transfer_syntax_uid)
            yield Part(content, f"{DICOM}; transfer-syntax={used}", instance_url(root, entry))

    def instance(self, entry: Located, transfer_syntax_uid: str) -> tuple[Content, str]:
        """One whole instance and its transfer syntax.

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        stored = entry.transfer_syntax_uid
        if stored not in NEVER_SENT and transfer_syntax_uid in {"*", stored}:
            source = self._cache.source(entry.ref)
            return Span(source, 0, source.size), stored
        return encode_instance(self._cache.open(entry.ref), transfer_syntax_uid)

    def refuse_unencodable(self, target: Target, transfer_syntax_uid: str) -> None:
        """Say before anything goes out that not all images under a target can be compressed so.

        Raises
        ------
        NotFound, Gone
        Problem
            406
        """
        for record in self.locate(target, attributes=True):
            attributes = json.loads(record.attributes_json)
            keyword = next((name for tag, name in PIXEL_KEYWORDS.items() if f"{tag:08X}" in attributes), None)
            if keyword is None or record.transfer_syntax_uid == transfer_syntax_uid:
                continue
            image = layout_of_json(attributes, keyword)
            if not can_encode(image, record.transfer_syntax_uid, transfer_syntax_uid):
                raise not_acceptable(
                    "some of the images cannot be given in this transfer syntax; ask for transfer-syntax=*"
                )

    def metadata(self, records: Sequence[CatalogRecord], root: str) -> Iterator[bytes]:
        """JSON of each instance's attributes without bulk data, which is named by URI.

        Parameters
        ----------
        records
            With the text of their attributes.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        for record in records:
            yield metadata_json(record, instance_url(root, record), partial(self.parsed, record))

    def metadata_models(self, records: Sequence[CatalogRecord], root: str) -> Iterator[dict[str, Any]]:
        """The same as objects.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        for record in records:
            yield metadata_model(record, instance_url(root, record), partial(self.parsed, record))

    def frames(self, entry: Located, numbers: Sequence[int], offer: Offer, root: str) -> Iterable[Part]:
        """The frames of a list of numbers, in that order; numbers count from 1. A list where they are few.

        Raises
        ------
        NotFound
            If one of them does not exist.
        Problem
            406 if they cannot be given so.
        """
        instance = self.parsed(entry)
        reader = instance.frames
        missing = next((number for number in numbers if number > reader.count), None)
        if missing is not None:
            reader.stored(missing - 1)  # says what is there
        url = instance_url(root, entry)
        kind = f"{offer.media_type}; transfer-syntax={offer.transfer_syntax}"
        parts = (
            Part(frame_content(reader, number - 1, offer, instance), kind, f"{url}/frames/{number}")
            for number in numbers
        )
        return list(parts) if len(numbers) <= _FEW else parts

    def pixel_parts(self, entry: Located, offer: Offer, root: str, location: str) -> Iterator[Part]:
        """All pixel data of an instance: native as one value, compressed with one part a frame.

        Parameters
        ----------
        location
            The URL of the value as a whole.

        Raises
        ------
        NotFound, Problem, StorageFailure
        """
        instance = self.parsed(entry)
        reader = instance.frames
        kind = f"{offer.media_type}; transfer-syntax={offer.transfer_syntax}"
        if offer.transfer_syntax == NATIVE or reader.video:
            yield Part(_native_pixels(reader), kind, location)
            return
        url = instance_url(root, entry)
        for index in range(reader.count):
            yield Part(frame_content(reader, index, offer, instance), kind, f"{url}/frames/{index + 1}")

    def bulk_values(self, entry: Located, root: str) -> Iterator[Part]:
        """Every large value of an instance but its pixel data.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        ds = self.parsed(entry).dataset
        for path in bulk_paths(ds):
            holder, tag = locate(ds, path)
            url = f"{instance_url(root, entry)}/bulkdata/{path}"
            yield Part(Whole(value_bytes(holder, tag)), OCTET_STREAM, url)


def frame_content(reader: FrameReader, index: int, offer: Offer, instance: ParsedInstance) -> Content:
    """One frame in the form that was negotiated; indices count from 0.

    Raises
    ------
    NotFound, Problem
    """
    if offer.transfer_syntax == NATIVE:
        return reader.native(index)
    if offer.transfer_syntax == instance.transfer_syntax_uid:
        return reader.stored(index)
    if offer.transfer_syntax is None:
        raise not_acceptable("frames go with a transfer syntax")
    return Whole(encode_frame(*decode_frame(reader, index), offer.transfer_syntax))


def _native_pixels(reader: FrameReader) -> Content:
    if not reader.compressed or reader.video:
        return reader.data()

    def pieces() -> Iterator[bytes]:
        for index in range(reader.count):
            yield from reader.native(index).chunks()

    first = b"".join(reader.native(0).chunks())  # what cannot be decoded is told before anything goes out
    return Whole(first) if reader.count == 1 else Made(pieces, len(first) * reader.count)


def parse_frame_list(text: str) -> tuple[int, ...]:
    """The frame numbers of a path such as `1,2,5`; they count from 1.

    Raises
    ------
    Problem
        400 if it is no list of positive integers, 413 if it is too long.
    """
    pieces = text.split(",")
    if not all(
        piece.isascii() and piece.isdigit() and len(piece) <= 9 and int(piece) > 0 for piece in pieces
    ):
        raise bad_request("frames are numbers from 1, separated by commas: frames/1,2,3")
    if len(pieces) > MAX_FRAMES:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"ask for at most {MAX_FRAMES} frames at once", code="size"
        )
    return tuple(int(piece) for piece in pieces)
