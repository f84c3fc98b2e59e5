"""The DIMSE sections of `node.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dicom_node.settings_base import AeTitle, Name, Port, Section


class PeerSettings(Section):
    """A DICOM peer."""

    name: Name
    ae_title: AeTitle
    host: str
    port: Port


class DimseSettings(Section):
    """The DIMSE side."""

    host: str = "127.0.0.1"
    port: Port = Field(default=11112, description="0 takes a free port")
    ae_title: AeTitle = "DICOMNODE"
    peers: tuple[PeerSettings, ...] = ()
    allow_list: bool = Field(default=False, description="refuse calling AE titles that are no peer's")
    require_called_ae_title: bool = Field(default=False, description="refuse calls to other AE titles")
    max_associations: int = Field(default=32, ge=1)
    receivers: Literal["auto"] | Annotated[int, Field(ge=0, le=16)] = Field(
        default="auto", description="processes that receive; 0: the main process does"
    )
    max_pdu: int = Field(default=65536, ge=0, description="bytes; 0 is unlimited")
    timeout_s: float = Field(default=30, gt=0, description="seconds without a message before an abort")
