"""Which rendered form a study, series or instance takes, and making it.

References
----------
PS3.18 §10.4.1.1.3 (rendered resources), §10.4.3.3.3, §8.7.4 and Table 8.7.4-1 (rendered media types).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.errors import Gone, NodeError, NotFound
from dicomweb.errors import Problem, bad_request, not_acceptable
from dicomweb.instance_url import instance_url
from dicomweb.media_types import Offer, negotiate
from dicomweb.multipart import Payload
from dicomweb.wado.bulkdata import PDF
from dicomweb.wado.documents import REPORT_TYPES, document_offers, encode_document
from dicomweb.wado.kept_bytes import KeptBytes
from dicomweb.wado.presentation_state import PresentationState, is_presentation_state
from dicomweb.wado.rendered import (
    GIF,
    JPEG,
    PNG,
    WITH_PROFILE,
    encode_animation,
    encode_image,
    frame_count,
    placeholder,
)
from dicomweb.wado.rendering_parameters import Viewport
from dicomweb.wado.representative import is_image, representative
from dicomweb.wado.service import Target
from dicomweb.wado.video import (
    MP4,
    MPEG,
    can_encode,
    encode_mp4,
    frame_rate,
    is_video,
    stored_media_type,
    stored_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from dicomweb.instance_cache import ParsedInstance
    from dicomweb.wado.rendered import FrameRenderer
    from dicomweb.wado.rendering_parameters import Rendering
    from dicomweb.wado.service import RetrieveService

_STILLS = (JPEG, PNG, GIF)
#: Frames of an animation or a film; a longer instance is thinned out evenly.
MAX_ANIMATION = 256
#: Bytes of films that are kept.
_KEPT_FILMS = 64 * 1024 * 1024
#: Of a picture that could not be made.
_TILE = Viewport(256, 256)


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered form: one part, or a multipart body that is made while it is read."""

    media_type: str
    content: bytes | None = None
    parts: Iterator[Payload] | None = None


@dataclass(frozen=True, slots=True)
class _Scene:
    """An image that is to be shown: its entry, its frames from 1 (`None`: all), and how."""

    entry: CatalogEntry
    numbers: Sequence[int] | None = None
    presentation: PresentationState | None = None


def rendered_media_types() -> tuple[str, ...]:
    """All media types of rendered resources, the default first, as far as encoders are here."""
    films = (MP4, MPEG) if can_encode() else (MPEG,)
    parts = tuple(f'multipart/related; type="{media_type}"' for media_type in (*_STILLS, *REPORT_TYPES))
    return (*_STILLS, *films, *REPORT_TYPES, PDF, *parts)


class PictureService:
    """Renders what `RetrieveService` finds."""

    def __init__(self, retrieve: RetrieveService, renderer: FrameRenderer) -> None:
        self._retrieve = retrieve
        self._renderer = renderer
        self._films = KeptBytes(_KEPT_FILMS)

    def rendered(
        self,
        entries: Sequence[CatalogEntry],
        numbers: Sequence[int] | None,
        rendering: Rendering,
        accept: str | None,
        root: str,
        presentation: PresentationState | None = None,
    ) -> Picture:
        """The rendered form of everything under a target, or of frames of one instance.

        One part shows the representative image; a multipart body holds every image, or every frame
        of an instance. Reports become HTML, text or XML, encapsulated PDFs stay PDFs. A presentation
        state shows the images that it refers to.

        Raises
        ------
        NotFound, StorageFailure, Problem
        """
        scenes = self._scenes(entries, numbers, presentation)
        if numbers is not None and not scenes:
            raise NotFound("the instance has no pixel data, so it has no frames")
        if any(scene.presentation is not None for scene in scenes):
            _refuse_with_presentation(rendering)
        if not scenes:
            return self._document(entries, accept, root)
        alone = self._retrieve.parsed(scenes[0].entry) if len(scenes) == 1 else None
        changed = rendering.viewport is not None or rendering.annotation
        own = _own_film(alone) if alone is not None and numbers is None and not changed else None
        several = alone is not None and len(_frames(scenes[0], alone)) > 1
        offer = negotiate(accept, _image_offers(several=several, own=own.media_type if own else None))
        if rendering.icc_profile not in {None, "no"} and offer.media_type not in WITH_PROFILE:
            raise bad_request(f"{offer.media_type} carries no ICC profile; leave iccprofile out")
        if offer.multipart:
            return Picture(offer.media_type, parts=self._all(scenes, rendering, offer.media_type, root))
        shown = next(scene for scene in scenes if scene.entry is representative([s.entry for s in scenes]))
        instance = alone or self._retrieve.parsed(shown.entry)
        if own is not None and offer.media_type == own.media_type:
            return own
        chosen = _frames(shown, instance)
        if offer.media_type == MP4 or (offer.media_type == GIF and len(chosen) > 1):
            return Picture(offer.media_type, self._film(shown, instance, rendering, offer.media_type))
        if shown.numbers is not None and len(chosen) > 1:
            raise not_acceptable('several frames need multipart/related; type="image/jpeg" or image/gif')
        image = self._renderer.render(instance, chosen[0] - 1, rendering, shown.presentation)
        return Picture(offer.media_type, encode_image(image, offer.media_type, rendering.quality))

    def _scenes(
        self,
        entries: Sequence[CatalogEntry],
        numbers: Sequence[int] | None,
        presentation: PresentationState | None,
    ) -> list[_Scene]:
        if len(entries) == 1 and is_presentation_state(entries[0].sop_class_uid):
            return self._presented(entries[0])
        return [_Scene(entry, numbers, presentation) for entry in entries if is_image(entry)]

    def _presented(self, entry: CatalogEntry) -> list[_Scene]:
        """The images that a presentation state refers to, as far as they are here."""
        state = PresentationState(self._retrieve.parsed(entry).dataset)
        scenes = []
        for reference in state.references:
            target = Target(
                entry.study_instance_uid, reference.series_instance_uid, reference.sop_instance_uid
            )
            try:
                found = self._retrieve.find(target)
            except (NotFound, Gone):
                continue
            scenes += [_Scene(image, reference.frames or None, state) for image in found if is_image(image)]
        if not scenes:
            raise NotFound("none of the images that the presentation state refers to is here")
        return scenes

    def _all(
        self, scenes: Sequence[_Scene], rendering: Rendering, media_type: str, root: str
    ) -> Iterator[Payload]:
        first = True
        for scene in scenes:
            url = instance_url(root, scene.entry)
            instance = self._retrieve.parsed(scene.entry)
            for number in _frames(scene, instance):
                try:
                    image = self._renderer.render(instance, number - 1, rendering, scene.presentation)
                except (Problem, NodeError):
                    if first:
                        raise
                    # The status is sent already; a tile keeps the others in their places.
                    image = placeholder("not shown", rendering.viewport or _TILE)
                first = False
                content = encode_image(image, media_type, rendering.quality)
                yield Payload(content, media_type, f"{url}/frames/{number}/rendered")

    def _film(self, scene: _Scene, instance: ParsedInstance, rendering: Rendering, media_type: str) -> bytes:
        chosen = _frames(scene, instance)
        if scene.presentation is not None:
            return self._make_film(scene, instance, chosen, rendering, media_type)
        # A player asks for one film in many pieces.
        key = (scene.entry.ref, scene.entry.version, tuple(chosen), rendering, media_type)
        return self._films.get(key, lambda: self._make_film(scene, instance, chosen, rendering, media_type))

    def _make_film(
        self,
        scene: _Scene,
        instance: ParsedInstance,
        chosen: Sequence[int],
        rendering: Rendering,
        media_type: str,
    ) -> bytes:
        step = -(-len(chosen) // MAX_ANIMATION)
        rate = frame_rate(instance.dataset) / step
        indices = [number - 1 for number in chosen[::step]]
        images = self._renderer.render_all(instance, indices, rendering, scene.presentation)
        if media_type == GIF:
            return encode_animation(list(images), round(1000 / rate))
        film = encode_mp4(images, rate)
        if film is None:
            raise not_acceptable("no encoder for video/mp4 is installed here; image/gif can be given")
        return film

    def _document(self, entries: Sequence[CatalogEntry], accept: str | None, root: str) -> Picture:
        entry = representative(entries)
        ds = self._retrieve.parsed(entry).dataset
        offers = document_offers(ds)
        if not offers:
            raise not_acceptable("this instance has no rendered form; retrieve it as application/dicom")
        offer = negotiate(accept, [*offers, *(Offer(o.media_type, multipart=True) for o in offers)])
        if not offer.multipart:
            kind, content = encode_document(ds, offer.media_type, instance_url(root, entry))
            return Picture(kind, content)
        return Picture(offer.media_type, parts=self._documents(entries, offer.media_type, root))

    def _documents(self, entries: Sequence[CatalogEntry], media_type: str, root: str) -> Iterator[Payload]:
        for entry in entries:
            ds = self._retrieve.parsed(entry).dataset
            if any(offer.media_type == media_type for offer in document_offers(ds)):
                url = instance_url(root, entry)
                kind, content = encode_document(ds, media_type, url)
                yield Payload(content, kind, f"{url}/rendered")


def _image_offers(*, several: bool, own: str | None) -> list[Offer]:
    """How images can be given; `own` is the media type of a stored film, which then comes first."""
    offers = [Offer(own)] if own is not None else []
    offers += [Offer(media_type) for media_type in _STILLS]
    if several and own != MP4 and can_encode():
        offers.append(Offer(MP4))
    return [*offers, *(Offer(media_type, multipart=True) for media_type in _STILLS)]


def _own_film(instance: ParsedInstance) -> Picture | None:
    """The stored video as it is, where browsers play it."""
    syntax = instance.transfer_syntax_uid
    if not is_video(syntax):
        return None
    stream = stored_stream(instance)
    media_type = stored_media_type(stream, syntax)
    return None if media_type is None else Picture(media_type, stream)


def _frames(scene: _Scene, instance: ParsedInstance) -> Sequence[int]:
    """The frame numbers to show, from 1.

    Raises
    ------
    NotFound
        If the instance lacks one of them.
    """
    count = frame_count(instance)
    if scene.numbers is None:
        return range(1, count + 1)
    if max(scene.numbers) > count:
        raise NotFound(f"the instance has no frame {max(scene.numbers)}; it has {count}")
    return scene.numbers


def _refuse_with_presentation(rendering: Rendering) -> None:
    """What a presentation state decides cannot be asked for besides (PS3.18 §8.3.5.1)."""
    if rendering.window is not None:
        raise bad_request("a presentation state brings its own window; leave the window out")
    if rendering.viewport is not None and not rendering.viewport.whole:
        raise bad_request("a presentation state brings its own displayed area; viewport is width,height")
