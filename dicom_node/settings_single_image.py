"""The section of `node.yaml` about single images that are asked about by HTTP."""

from __future__ import annotations

from pydantic import Field

from dicom_node.settings_base import Section


class SingleImageSettings(Section):
    """`/predict`, `/heatmap`, `/meta` and the page `/try`."""

    enabled: bool = Field(default=True, description="whether there are these paths")
    max_mb: int = Field(default=32, ge=1, description="MiB of one image; a larger one is answered 413")
    max_megapixels: float = Field(default=40, gt=0, le=85, description="pixels of one image, in millions")
    per_minute: int = Field(default=120, ge=1, description="images of one client; more are answered 429")
    at_once: int = Field(default=2, ge=1, description="images worked on at the same time; more wait")
