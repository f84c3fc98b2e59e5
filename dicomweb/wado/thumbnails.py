"""Thumbnails: small pictures without any text of the data set, kept for the next request.

References
----------
PS3.18 §10.4.1.1.4 (resources), §10.4.3.3.4 (no patient identifying information), §8.3.5.2 (parameters).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from dicomweb.errors import Problem, bad_request
from dicomweb.media_types import Offer, negotiate
from dicomweb.wado.kept_bytes import KeptBytes
from dicomweb.wado.rendered import GIF, JPEG, PNG, encode_image, placeholder, telling_frame
from dicomweb.wado.rendering_parameters import DEFAULT_QUALITY, Rendering, Viewport
from dicomweb.wado.representative import is_image, modality_label, representative, shows_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from dicom_node.domain.catalog import CatalogEntry
    from dicomweb.wado.rendered import FrameRenderer
    from dicomweb.wado.service import RetrieveService

THUMBNAIL_TYPES = (JPEG, PNG, GIF)
DEFAULT_SIZE = Viewport(128, 128)
#: Bytes of encoded thumbnails that are kept: some 4000 of the default size.
_KEPT_BYTES = 16 * 1024 * 1024


class ThumbnailService:
    """Thumbnails of what `RetrieveService` finds."""

    def __init__(self, retrieve: RetrieveService, renderer: FrameRenderer) -> None:
        self._retrieve = retrieve
        self._renderer = renderer
        self._kept = KeptBytes(_KEPT_BYTES)

    def thumbnail(
        self,
        entries: Sequence[CatalogEntry],
        numbers: Sequence[int] | None,
        viewport: Viewport | None,
        accept: str | None,
    ) -> tuple[str, bytes]:
        """Media type and content of the thumbnail of everything under a target.

        A tile with the modality stands for what is no image or cannot be decoded, and for an image that
        says it has identity burned in (0028,0301).

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        media_type = negotiate(accept, [Offer(kind) for kind in THUMBNAIL_TYPES]).media_type
        if numbers is not None and len(numbers) > 1:
            raise bad_request("a thumbnail shows one frame; ask for frames/N/thumbnail")
        number = numbers[0] if numbers else None
        entry = representative(entries)
        size = viewport or DEFAULT_SIZE
        key = (entry.ref, entry.version, number, size.width, size.height, media_type)
        return media_type, self._kept.get(key, lambda: self._make(entry, number, size, media_type))

    def _make(self, entry: CatalogEntry, number: int | None, size: Viewport, media_type: str) -> bytes:
        image = placeholder(modality_label(entry), size)
        if is_image(entry) and not shows_identity(entry):
            try:
                image = self._picture(entry, number, size)
            except Problem as exc:
                # What cannot be decoded here is listed all the same.
                if exc.status is not HTTPStatus.NOT_ACCEPTABLE:
                    raise
        return encode_image(image, media_type, DEFAULT_QUALITY)

    def _picture(self, entry: CatalogEntry, number: int | None, size: Viewport) -> Image.Image:
        instance = self._retrieve.parsed(entry)
        index = telling_frame(instance) if number is None else number - 1
        return self._renderer.render(instance, index, Rendering(viewport=size))
