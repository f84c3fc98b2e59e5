"""Who is told of events: the `notifications` of `node.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from dicom_node.settings_access import service_url
from dicom_node.settings_base import AeTitle, Name, Section

EventName = Literal["results-available", "study-ended", "delivery-failed"]


class NotificationSettings(Section):
    """Who is told, of what, and how."""

    name: Name
    kind: Literal["webhook", "availability"] = "webhook"
    events: tuple[EventName, ...] = Field(
        default=("results-available",), min_length=1, description="what it is told of"
    )
    of: str | None = Field(default=None, description="name of the destination whose deliveries count")
    url: str | None = Field(default=None, description="for webhook")
    secret_file: Path | None = Field(default=None, description="for webhook: the signing secrets, one a line")
    secret_variable: str | None = Field(default=None, description="name of an environment variable instead")
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    allow_link_local: bool = Field(default=False, description="link-local and metadata addresses too")
    base_url: str = Field(default="", description="of this node, for links in webhooks")
    peer: str | None = Field(default=None, description="name of a dimse.peers entry, for availability")
    retrieve_ae_title: AeTitle | None = Field(default=None, description="for availability: who has results")
    timeout_s: float = Field(default=10, gt=0, le=60)
    max_age_h: float = Field(default=72, gt=0, description="hours after which a message is given up")

    @field_validator("url")
    @classmethod
    def _no_secrets(cls, url: str | None) -> str | None:
        return None if url is None else service_url(url)

    @model_validator(mode="after")
    def _complete(self) -> NotificationSettings:
        if self.kind == "webhook":
            if not self.url:
                raise ValueError(f"notification {self.name}: kind webhook needs `url`")
            if (self.secret_file is None) == (self.secret_variable is None):
                raise ValueError(f"notification {self.name}: give secret_file or secret_variable")
            if self.key_file is not None and self.certificate_file is None:
                raise ValueError(f"notification {self.name}: key_file needs certificate_file")
            return self
        if not self.peer:
            raise ValueError(f"notification {self.name}: kind availability needs `peer`")
        if self.events != ("results-available",):
            raise ValueError(
                f"notification {self.name}: DICOM has a message for results-available only; other events go"
                " to a webhook"
            )
        return self
