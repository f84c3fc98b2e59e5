"""TLS for DICOM in `node.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from dicom_node.settings_base import Port, Section

Profile = Literal["bcp195", "bcp195-modified", "bcp195-nd"]
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def plain_fingerprint(value: str) -> str:
    """The 64 hexadecimal digits of a SHA-256 fingerprint, from the way openssl prints it.

    Raises
    ------
    ValueError
        If it is none.
    """
    plain = value.rpartition("=")[2].replace(":", "").replace(" ", "").lower()
    if not _FINGERPRINT.fullmatch(plain):
        raise ValueError(
            "a SHA-256 fingerprint has 64 hexadecimal digits:"
            " `openssl x509 -noout -fingerprint -sha256 -in peer.pem` prints it"
        )
    return plain


class TlsSettings(Section):
    """The node's TLS port. Files are PEM, and read again when they change."""

    port: Port = Field(default=2762, description="0 takes a free port")
    certificate_file: Path = Field(description="the node's own, with the intermediate ones after it")
    key_file: Path | None = Field(default=None, description="its private key, where that is another file")
    key_password_file: Path | None = None
    key_password_variable: str | None = Field(default=None, description="name of an environment variable")
    ca_file: Path | None = Field(default=None, description="whose client certificates are trusted")
    crl_file: Path | None = Field(default=None, description="revocation lists of those authorities")
    client_certificates: Literal["none", "optional", "required"] = "none"
    profile: Profile = Field(default="bcp195", description="PS3.15 §B.12, §B.13, or the retired §B.10")

    @model_validator(mode="after")
    def _trusts(self) -> TlsSettings:
        if self.client_certificates != "none" and self.ca_file is None:
            raise ValueError("tls: client_certificates needs ca_file, the authorities that are trusted")
        if self.crl_file is not None and self.ca_file is None:
            raise ValueError("tls: crl_file needs ca_file")
        return self


class PeerTlsSettings(Section):
    """TLS with one peer: when the node calls it, and what it must show when it calls."""

    enabled: bool = Field(default=True, description="whether the node calls it with TLS")
    required: bool = Field(default=False, description="refuse its calls without TLS")
    ca_file: Path | None = Field(default=None, description="trusted authorities, or its own certificate")
    crl_file: Path | None = Field(default=None, description="revocation lists of those authorities")
    certificate_file: Path | None = Field(
        default=None, description="what the node shows it; else dimse.tls's"
    )
    key_file: Path | None = None
    key_password_file: Path | None = None
    key_password_variable: str | None = Field(default=None, description="name of an environment variable")
    server_name: str | None = Field(default=None, description="the name in its certificate; else its host")
    check_name: bool = Field(default=True, description="whether that name is compared at all")
    fingerprint: str | None = Field(default=None, description="SHA-256 of the certificate that it must have")
    caller_fingerprint: str | None = Field(default=None, description="the same, when it calls the node")
    caller_name: str | None = Field(default=None, description="a name in the certificate that it calls with")
    profile: Profile = "bcp195"

    @field_validator("fingerprint", "caller_fingerprint")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        return None if value is None else plain_fingerprint(value)

    @property
    def binds_caller(self) -> bool:
        """Whether its calls need one certificate."""
        return self.caller_fingerprint is not None or self.caller_name is not None

    @model_validator(mode="after")
    def _complete(self) -> PeerTlsSettings:
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("tls: key_file needs certificate_file")
        return self
