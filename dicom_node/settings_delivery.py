"""Where results go: the `destinations` of `node.yaml`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dicom_node.settings_access import AccessSettings
from dicom_node.settings_base import Name, Section

_ONE_OR_MANY = frozenset({"modality", "body_part", "model", "source", "state"})


class DeliveryWhen(Section):
    """Which studies go to a destination; all that are given must hold, and one value of each will do."""

    modality: tuple[str, ...] = Field(default=(), description="of the study")
    body_part: tuple[str, ...] = Field(default=(), description="as routing found it")
    model: tuple[str, ...] = Field(default=(), description="that gave a result")
    source: tuple[str, ...] = Field(default=(), description="AE title that sent it, or `stow` or `upload`")
    state: tuple[Literal["done", "rejected"], ...] = Field(
        default=("done", "rejected"), description="how it ended; a rejected one has reports that say why"
    )

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: (v,) if isinstance(v, str) and k in _ONE_OR_MANY else v for k, v in value.items()}
        return value


class DestinationSettings(Section):
    """Where results go."""

    name: Name
    kind: Literal["dimse", "stow"]
    peer: str | None = Field(default=None, description="name of a dimse.peers entry, for kind dimse")
    url: str | None = Field(default=None, description="DICOMweb base URL, for kind stow")
    access: AccessSettings = Field(default=AccessSettings(), description="for kind stow")
    identity: Literal["original", "pseudonymous"] = "original"
    results: tuple[Literal["SR", "SEG", "SC", "PMAP", "PDF", "KOS", "PR", "RTSTRUCT"], ...] = Field(
        default=(), description="kinds that it gets; empty: all"
    )
    when: DeliveryWhen = DeliveryWhen()
    transfer_syntax: Literal["as-made", "explicit", "implicit", "jpeg-ls", "jpeg-2000", "rle"] = Field(
        default="as-made", description="compressed only without loss, and where the pixels can be"
    )
    concurrency: int = Field(default=2, ge=1, le=32, description="associations or requests at a time")
    confirm: Literal["none", "query", "commitment"] = Field(
        default="none", description="ask what it keeps: C-FIND or QIDO-RS, or storage commitment"
    )
    confirm_timeout_s: float = Field(default=300, gt=0, description="then what is missing is sent again")
    max_attempts: int = Field(default=10, ge=1, description="tries without progress before it is given up")
    max_age_s: float = Field(default=259_200, gt=0, description="seconds before it is given up")
    backoff_s: float = Field(
        default=2, gt=0, description="the most that is waited after a first failure; doubles"
    )
    max_backoff_s: float = Field(default=300, gt=0, description="the most that it becomes")
    breaker_failures: int = Field(default=5, ge=1, description="failures in a row that open the breaker")
    breaker_open_s: float = Field(default=30, gt=0, description="seconds to the first probe; doubles")

    @model_validator(mode="after")
    def _address(self) -> DestinationSettings:
        if self.kind == "dimse" and not self.peer:
            raise ValueError(
                f"destination {self.name}: kind dimse needs `peer`, the name of a dimse.peers entry"
            )
        if self.kind == "stow" and not self.url:
            raise ValueError(f"destination {self.name}: kind stow needs `url`, the DICOMweb base URL")
        if self.kind == "stow" and self.confirm == "commitment":
            raise ValueError(
                f"destination {self.name}: storage commitment is for kind dimse; set `confirm: query`"
            )
        if self.kind == "stow" and self.transfer_syntax == "implicit":
            raise ValueError(
                f"destination {self.name}: Implicit VR does not go over the web (PS3.18 §8.7.3); set"
                " `transfer_syntax: explicit`"
            )
        return self
