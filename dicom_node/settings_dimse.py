"""The DIMSE sections of `node.yaml`."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from dicom_node.settings_base import AeTitle, Name, Port, Section
from dicom_node.settings_query import CommitmentSettings, QuerySettings
from dicom_node.settings_tls import PeerTlsSettings, TlsSettings

_UID = re.compile(r"(?=.{1,64}$)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
ServiceName = Literal["store", "query", "retrieve", "commitment"]


class UserSettings(Section):
    """A user of user identity negotiation. Passcodes stand in files or variables only."""

    name: str = Field(min_length=1, max_length=255)
    passcode_file: Path | None = None
    passcode_variable: str | None = Field(default=None, description="name of an environment variable")

    @model_validator(mode="after")
    def _one_way(self) -> UserSettings:
        if self.passcode_file is not None and self.passcode_variable is not None:
            raise ValueError("give passcode_file or passcode_variable, not both")
        return self


class ShownUserSettings(UserSettings):
    """The user as whom the node calls a peer."""

    confirmed: bool = Field(default=False, description="whether the peer must say that it took the identity")


class PeerSettings(Section):
    """A DICOM peer."""

    name: Name
    ae_title: AeTitle
    host: str
    port: Port
    hosts: tuple[str, ...] = Field(default=(), description="addresses, networks or names that it calls from")
    services: tuple[ServiceName, ...] = ("store", "query", "retrieve", "commitment")
    tls: PeerTlsSettings | None = None
    user: ShownUserSettings | None = Field(default=None, description="as whom the node calls it")
    users: tuple[UserSettings, ...] = Field(default=(), description="users of whom it must show one")
    max_associations: int | None = Field(default=None, ge=1, description="at a time")
    associations_per_minute: float | None = Field(default=None, gt=0)
    instances_per_second: float | None = Field(default=None, gt=0, description="more are slowed down")
    timeout_s: float | None = Field(default=None, gt=0, description="instead of dimse.timeout_s, calling it")
    retrieve: Literal["none", "get", "move"] = Field(
        default="none", description="how studies can be pulled from it: C-GET, or C-MOVE to the node"
    )
    count: bool = Field(default=False, description="ask it by C-FIND how many instances its studies have")

    @field_validator("hosts")
    @classmethod
    def _readable(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "/" in host:
                ipaddress.ip_network(host, strict=False)
            elif not host or host.strip() != host:
                raise ValueError("hosts: an address, a network such as 192.0.2.0/24, or a name")
        return hosts


class DimseSettings(Section):
    """The DIMSE side."""

    host: str = "127.0.0.1"
    port: Port | None = Field(default=11112, description="0 takes a free port; null serves TLS only")
    ae_title: AeTitle = "DICOMNODE"
    tls: TlsSettings | None = None
    peers: tuple[PeerSettings, ...] = ()
    allow_list: bool = Field(default=False, description="refuse calling AE titles that are no peer's")
    require_called_ae_title: bool = Field(default=False, description="refuse calls to other AE titles")
    other_services: tuple[ServiceName, ...] = Field(
        default=("store",), description="what callers may do that are no peers"
    )
    users: tuple[UserSettings, ...] = Field(default=(), description="users of whom callers must show one")
    private_sop_classes: bool | tuple[str, ...] = Field(
        default=False, description="SOP Classes outside the standard that are stored; true for all"
    )
    max_associations: int = Field(default=32, ge=1)
    max_waiting: int = Field(default=256, ge=1, description="connections that asked for no association yet")
    max_waiting_per_host: int = Field(default=64, ge=1)
    receivers: Literal["auto"] | Annotated[int, Field(ge=0, le=16)] = Field(
        default="auto", description="processes that receive; 0: the main process does"
    )
    max_instance_mb: int = Field(default=2048, ge=1, description="a larger instance is answered A701")
    max_pdu: int = Field(default=131072, ge=0, description="bytes; 0 is unlimited")
    timeout_s: float = Field(default=30, gt=0, description="seconds without a message before an abort")
    artim_s: float | None = Field(default=None, gt=0, description="seconds for the association request")
    pdu_s: float | None = Field(default=None, gt=0, description="seconds without a byte within a PDU")
    query: QuerySettings = QuerySettings()
    commitment: CommitmentSettings = CommitmentSettings()

    @property
    def knows_callers(self) -> bool:
        """Whether a caller is somebody in particular: on a list, or by a certificate, wherever it calls."""
        by_certificate = self.tls is not None and self.tls.client_certificates == "required"
        return self.allow_list or bool(self.users) or (by_certificate and self.port is None)

    @field_validator("private_sop_classes")
    @classmethod
    def _uids(cls, value: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        for uid in () if isinstance(value, bool) else value:
            if not _UID.fullmatch(uid):
                raise ValueError(f"{uid}: a UID has digits and dots, at most 64 characters")
            if uid.startswith("1.2.840.10008."):
                raise ValueError(f"{uid} is the standard's: what of it can be stored is stored already")
        return value

    @model_validator(mode="after")
    def _reachable(self) -> DimseSettings:
        if self.port is None and self.tls is None:
            raise ValueError("dimse: port is null and there is no tls: the node would listen nowhere")
        if self.tls is None or self.tls.client_certificates == "none":
            for peer in self.peers:
                if peer.tls is not None and peer.tls.binds_caller:
                    raise ValueError(
                        f"peer {peer.name}: caller_fingerprint and caller_name need client certificates;"
                        " set dimse.tls.client_certificates to optional or required"
                    )
        return self
