"""Which rendered form a study, series or instance takes, and making it.

References
----------
PS3.18 §10.4.1.1.3 and §10.4.1.1.4 (rendered resources and thumbnails), §8.7.4 (rendered media types).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomweb.errors import bad_request, not_acceptable
from dicomweb.media_types import Offer, negotiate
from dicomweb.multipart import Payload
from dicomweb.wado.bulkdata import PDF, document_bytes, media_type_of
from dicomweb.wado.rendered import (
    GIF,
    JPEG,
    PNG,
    encode_animation,
    encode_image,
    first_number,
    fit,
    placeholder,
    render_frame,
)
from dicomweb.wado.rendering_parameters import Rendering, Viewport
from dicomweb.wado.report_text import is_report, to_html, to_text
from dicomweb.wado.service import instance_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.tag import BaseTag

    from dicom_node.domain.catalog import CatalogEntry
    from dicomweb.instance_cache import ParsedInstance
    from dicomweb.wado.service import RetrieveService

HTML = "text/html"
TEXT = "text/plain"
THUMBNAIL = Viewport(128, 128)
#: Frames of an animation; a longer instance is thinned out evenly.
MAX_ANIMATION = 256
_DOCUMENT_TAG = 0x00420011
_ROWS, _MODALITY, _BURNED_IN = "00280010", "00080060", "00280301"


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered form: one part, or a multipart body that is made while it is read."""

    media_type: str
    content: bytes | None = None
    parts: Iterator[Payload] | None = None


def is_image(entry: CatalogEntry) -> bool:
    """Whether the instance has rows of pixels."""
    return _ROWS in entry.attributes


def representative(entries: Sequence[CatalogEntry]) -> CatalogEntry:
    """The instance that stands for a study or series: the middle image of its first series of images."""
    images = [entry for entry in entries if is_image(entry)]
    if not images:
        return entries[0]
    series = images[0].series_instance_uid
    within = [entry for entry in images if entry.series_instance_uid == series]
    return within[len(within) // 2]


class PictureService:
    """Renders what `RetrieveService` finds."""

    def __init__(self, retrieve: RetrieveService) -> None:
        self._retrieve = retrieve

    def rendered(
        self,
        entries: Sequence[CatalogEntry],
        numbers: Sequence[int] | None,
        rendering: Rendering,
        accept: str | None,
        root: str,
    ) -> Picture:
        """The rendered form of everything under a target, or of frames of one instance.

        One part shows the representative image; a multipart body holds every image, or every frame
        of an instance. Reports become HTML or text, encapsulated PDFs stay PDFs.

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        entry = representative(entries)
        if not is_image(entry):
            return self._document(entry, accept)
        instance = self._retrieve.parsed(entry) if len(entries) == 1 else None
        count = instance.frames.count if instance is not None else 1
        offers = [Offer(JPEG), Offer(PNG), Offer(JPEG, multipart=True), Offer(PNG, multipart=True)]
        if instance is not None and count > 1:
            offers.insert(2, Offer(GIF))
        offer = negotiate(accept, offers)
        if offer.multipart:
            return Picture(offer.media_type, parts=self._all(entries, numbers, rendering, offer, root))
        instance = instance or self._retrieve.parsed(entry)
        if offer.media_type == GIF:
            return Picture(GIF, _animate(instance, numbers, rendering))
        if numbers is not None and len(numbers) > 1:
            raise not_acceptable('several frames need multipart/related; type="image/jpeg" or image/gif')
        image = render_frame(instance, (numbers[0] if numbers else 1) - 1, rendering)
        return Picture(offer.media_type, encode_image(image, offer.media_type, rendering.quality))

    def thumbnail(
        self,
        entries: Sequence[CatalogEntry],
        numbers: Sequence[int] | None,
        rendering: Rendering,
        accept: str | None,
    ) -> Picture:
        """A small picture without any text of the data set.

        A tile with the modality stands for what is no image, and for an image that says it has
        identity burned in (0028,0301).

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        offer = negotiate(accept, [Offer(JPEG), Offer(PNG)])
        if numbers is not None and len(numbers) > 1:
            raise bad_request("a thumbnail shows one frame; ask for frames/N/thumbnail")
        entry = representative(entries)
        viewport = rendering.viewport or THUMBNAIL
        burned_in = entry.attributes.get(_BURNED_IN, {}).get("Value") == ["YES"]
        if not is_image(entry) or burned_in:
            modality = (entry.attributes.get(_MODALITY, {}).get("Value") or [""])[0]
            image = placeholder(str(modality or "?"), (viewport.width, viewport.height))
        else:
            instance = self._retrieve.parsed(entry)
            number = numbers[0] if numbers else instance.frames.count // 2 + 1
            image = fit(
                render_frame(instance, number - 1, Rendering(window=rendering.window)),
                viewport,
            )
        return Picture(offer.media_type, encode_image(image, offer.media_type, rendering.quality))

    def _all(
        self,
        entries: Sequence[CatalogEntry],
        numbers: Sequence[int] | None,
        rendering: Rendering,
        offer: Offer,
        root: str,
    ) -> Iterator[Payload]:
        for entry in entries:
            if not is_image(entry):
                continue
            instance = self._retrieve.parsed(entry)
            url = instance_url(root, entry)
            for number in numbers or range(1, instance.frames.count + 1):
                image = render_frame(instance, number - 1, rendering)
                content = encode_image(image, offer.media_type, rendering.quality)
                yield Payload(content, offer.media_type, f"{url}/frames/{number}/rendered")

    def _document(self, entry: CatalogEntry, accept: str | None) -> Picture:
        ds = self._retrieve.parsed(entry).dataset
        if is_report(ds):
            offer = negotiate(accept, [Offer(HTML), Offer(TEXT)])
            text = to_html(ds) if offer.media_type == HTML else to_text(ds)
            return Picture(f"{offer.media_type}; charset=utf-8", text.encode("utf-8", "replace"))
        if "EncapsulatedDocument" in ds:
            tag: BaseTag = ds["EncapsulatedDocument"].tag
            if media_type_of(ds, tag) == PDF:
                negotiate(accept, [Offer(PDF)])
                return Picture(PDF, document_bytes(ds, tag, ds.EncapsulatedDocument))
        raise not_acceptable("this instance has no rendered form; retrieve it as application/dicom")


def _animate(instance: ParsedInstance, numbers: Sequence[int] | None, rendering: Rendering) -> bytes:
    chosen = list(numbers) if numbers is not None else list(range(1, instance.frames.count + 1))
    step = -(-len(chosen) // MAX_ANIMATION)
    images = [render_frame(instance, number - 1, rendering) for number in chosen[::step]]
    return encode_animation(images, int((first_number(instance.dataset, "FrameTime") or 100) * step))
