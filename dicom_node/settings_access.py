"""How the node reaches other DICOMweb services."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from dicom_node.settings_base import Section


class AccessSettings(Section):
    """How the node logs in to another DICOMweb service. Secrets stand in files or variables only."""

    user: str | None = Field(default=None, description="for Basic authentication")
    password_file: Path | None = None
    password_variable: str | None = Field(default=None, description="name of an environment variable")
    token_file: Path | None = Field(default=None, description="for Bearer authentication")
    token_variable: str | None = Field(default=None, description="name of an environment variable")
    ca_file: Path | None = Field(default=None, description="certificates trusted instead of the system's")
    certificate_file: Path | None = Field(default=None, description="the node's own certificate")
    key_file: Path | None = Field(default=None, description="its private key")

    @model_validator(mode="after")
    def _one_way(self) -> AccessSettings:
        passwords = [self.password_file, self.password_variable]
        tokens = [self.token_file, self.token_variable]
        given = sum(secret is not None for secret in (*passwords, *tokens))
        if given > 1:
            raise ValueError("access: give one password or token: _file or _variable")
        if (self.user is not None) != any(secret is not None for secret in passwords):
            raise ValueError("access: user and password_file (or password_variable) belong together")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("access: key_file needs certificate_file")
        return self


def service_url(url: str) -> str:
    """Refuse secrets in URLs, which stand in messages."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a DICOMweb URL begins with http:// or https://, such as http://pacs:8042/dicom-web")
    if parts.username or parts.password or parts.query:
        raise ValueError("no user, password or query in the URL: set access.user and access.password_file")
    return url
