"""Where results go: the `destinations` of `node.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dicom_node.settings_access import AccessSettings
from dicom_node.settings_base import Name, Section


class DestinationSettings(Section):
    """Where results go."""

    name: Name
    kind: Literal["dimse", "stow"]
    peer: str | None = Field(default=None, description="name of a dimse.peers entry, for kind dimse")
    url: str | None = Field(default=None, description="DICOMweb base URL, for kind stow")
    access: AccessSettings = Field(default=AccessSettings(), description="for kind stow")
    identity: Literal["original", "pseudonymous"] = "original"
    max_attempts: int = Field(default=10, ge=1)
    backoff_s: float = Field(
        default=2, gt=0, description="first wait after a failure; doubles, at most 300 s"
    )

    @model_validator(mode="after")
    def _address(self) -> DestinationSettings:
        if self.kind == "dimse" and not self.peer:
            raise ValueError(
                f"destination {self.name}: kind dimse needs `peer`, the name of a dimse.peers entry"
            )
        if self.kind == "stow" and not self.url:
            raise ValueError(f"destination {self.name}: kind stow needs `url`, the DICOMweb base URL")
        return self
