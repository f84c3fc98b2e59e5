"""What WADO-RS gives, apart from HTTP: instances, metadata, frames.

References
----------
PS3.18 §10.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dicomweb.dicom_json import JsonRules, encode_dataset
from dicomweb.errors import Problem, bad_request
from dicomweb.media_types import DICOM, EXPLICIT_VR_LITTLE_ENDIAN, OCTET_STREAM, Offer, negotiate
from dicomweb.multipart import Payload
from dicomweb.value_json import BINARY_VRS
from dicomweb.wado.encoding import NEVER_SENT, absolute, complete, encode_instance
from dicomweb.wado.frames import COMPRESSED_MEDIA_TYPES, can_decode, is_compressed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.ports.catalog import Catalog
    from dicomweb.instance_cache import InstanceCache, ParsedInstance

#: Frames in one request; more is refused (413).
MAX_FRAMES = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names: a study, a series or an instance."""

    study: str
    series: str | None = None
    instance: str | None = None


class RetrieveService:
    """Reads what the catalog lists.

    Parameters
    ----------
    read_blob
        Part 10 bytes of a ref.
    cache
        Parsed instances, for all that is less than a whole instance.
    """

    def __init__(self, catalog: Catalog, read_blob: Callable[[str], bytes], cache: InstanceCache) -> None:
        self._catalog = catalog
        self._read_blob = read_blob
        self._cache = cache

    def find(self, target: Target) -> Sequence[CatalogEntry]:
        """The entries under a target, at least one.

        Raises
        ------
        NotFound, Gone
        """
        return self._catalog.find(target.study, target.series, target.instance)

    def parsed(self, entry: CatalogEntry) -> ParsedInstance:
        """The instance, parsed and kept for the next request.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        return self._cache.get(entry.ref)

    def instances(
        self, entries: Sequence[CatalogEntry], transfer_syntax_uid: str, root: str
    ) -> Iterator[Payload]:
        """Whole instances, read one at a time.

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        for entry in entries:
            part10, used = encode_instance(
                self._read_blob(entry.ref), entry.transfer_syntax_uid, transfer_syntax_uid
            )
            yield Payload(part10, f"{DICOM}; transfer-syntax={used}", instance_url(root, entry))

    def metadata(self, entries: Sequence[CatalogEntry], root: str) -> list[dict[str, Any]]:
        """DICOM JSON of all attributes but bulk data, which is named by URI.

        The index answers for instances that it holds completely; the file is read for the others.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        return [self._metadata_of(entry, instance_url(root, entry)) for entry in entries]

    def _metadata_of(self, entry: CatalogEntry, url: str) -> dict[str, Any]:
        if complete(entry.attributes, BINARY_VRS.__contains__):
            model = absolute(entry.attributes, url)
        else:
            rules = JsonRules(bulk_root=f"{url}/bulkdata/")
            model = encode_dataset(self.parsed(entry).dataset, rules)
        model["00083002"] = {"vr": "UI", "Value": [entry.transfer_syntax_uid]}
        return dict(sorted(model.items()))

    def frames(self, entry: CatalogEntry, numbers: Sequence[int], offer: Offer, root: str) -> list[Payload]:
        """The frames of a list of numbers, in that order; numbers count from 1.

        Raises
        ------
        NotFound
            If one of them does not exist.
        Problem
            406 if they cannot be decoded here.
        """
        reader = self.parsed(entry).frames
        decode = reader.compressed and offer.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN
        url = instance_url(root, entry)
        kind = f"{offer.media_type}; transfer-syntax={offer.transfer_syntax}"
        return [
            Payload(
                reader.native(number - 1) if decode else reader.stored(number - 1),
                kind,
                f"{url}/frames/{number}",
            )
            for number in numbers
        ]


def instance_url(root: str, entry: CatalogEntry) -> str:
    """The WADO-RS URL of an instance."""
    return (
        f"{root}/studies/{entry.study_instance_uid}/series/{entry.series_instance_uid}"
        f"/instances/{entry.sop_instance_uid}"
    )


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


def negotiate_frames(accept: str | None, stored: str, count: int) -> Offer:
    """How the pixel data of an instance is given.

    Native data goes as octets in Explicit VR Little Endian. Compressed data goes decoded, or as stored:
    as its own media type, or as octets, where a client names its transfer syntax or takes any (`*`).

    Raises
    ------
    Problem
        406
    """
    native = EXPLICIT_VR_LITTLE_ENDIAN
    offers: list[Offer] = []
    for multipart in (True, False) if count == 1 else (True,):
        if not is_compressed(stored) or stored in NEVER_SENT:
            offers.append(Offer(OCTET_STREAM, multipart, native))
            continue
        media_type = COMPRESSED_MEDIA_TYPES.get(stored)
        if media_type is not None:
            offers.append(Offer(media_type, multipart, stored, default=False))
        offers.append(Offer(OCTET_STREAM, multipart, stored, default=False))
        if can_decode(stored):
            offers.append(Offer(OCTET_STREAM, multipart, native))
        if media_type is not None:
            offers.append(Offer(media_type, multipart, stored))
    return negotiate(accept, offers)
