"""What the DIMSE side answers beside storage: `dimse.query` and `dimse.commitment` of `node.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dicom_node.settings_base import Section


class QuerySettings(Section):
    """Query and retrieve, by peers that may."""

    max_matches: int = Field(default=10_000, ge=1, le=1_000_000, description="more are refused, A700")
    max_retrievals: int = Field(default=4, ge=1, description="C-GET and C-MOVE at a time, in each receiver")


class CommitmentSettings(Section):
    """Storage commitment, when a peer asks for it."""

    promise: Literal["nothing", "held", "received"] = Field(
        default="nothing", description="what is committed to: nothing, what is held, or all that ever came"
    )
