"""Single images that are asked about by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.one_image.service import OneImageService
from viewer.api.single_image import ImageLimits

if TYPE_CHECKING:
    from dicom_node.app.services import Built
    from dicom_node.settings import Settings


def build_single_image(settings: Settings, built: Built) -> tuple[OneImageService, ImageLimits] | None:
    """What answers, and what is taken; `None` where the configuration turns it off."""
    wanted = settings.single_image
    if not wanted.enabled:
        return None
    max_pixels = round(wanted.max_megapixels * 1e6)
    service = OneImageService(
        built.registry.models,
        built.engine.predict_image,
        settings.node.data_dir / "scratch",
        max_pixels=max_pixels,
        min_confidence=settings.inference.min_confidence,
    )
    limits = ImageLimits(
        max_bytes=wanted.max_mb << 20,
        max_pixels=max_pixels,
        per_minute=wanted.per_minute,
        at_once=wanted.at_once,
    )
    return service, limits
