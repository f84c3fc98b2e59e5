"""The sections of `node.yaml`; `dicom_node.settings` puts them together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dicom_node.domain.deidentification import DeidentificationOption

Port = Annotated[int, Field(ge=0, le=65535)]
AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[\x20-\x5b\x5d-\x7e]+$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSettings(_Section):
    """Where the node keeps its data, and its keys."""

    data_dir: Path = Field(default=Path("data"), description="folder for everything that the node keeps")
    min_free_mb: int = Field(default=1024, ge=0, description="below this many MiB free, stores are refused")
    site: str = Field(default="DICOM Node", max_length=64, description="shown on pages")


class PeerSettings(_Section):
    """A DICOM peer."""

    name: Name
    ae_title: AeTitle
    host: str
    port: Port


class DimseSettings(_Section):
    """The DIMSE side."""

    host: str = "127.0.0.1"
    port: Port = Field(default=11112, description="0 takes a free port")
    ae_title: AeTitle = "DICOMNODE"
    peers: tuple[PeerSettings, ...] = ()
    allow_list: bool = Field(default=False, description="refuse calling AE titles that are no peer's")
    require_called_ae_title: bool = Field(default=False, description="refuse calls to other AE titles")
    max_associations: int = Field(default=32, ge=1)
    max_pdu: int = Field(default=65536, ge=0, description="bytes; 0 is unlimited")
    timeout_s: float = Field(default=30, gt=0, description="seconds without a message before an abort")


class HttpSettings(_Section):
    """The HTTP side."""

    host: str = "127.0.0.1"
    port: Port = Field(default=8080, description="0 takes a free port")
    max_upload_mb: int = Field(default=4096, ge=1, description="a larger STOW-RS body is answered 413")
    max_uploads: int = Field(default=16, ge=1, description="STOW-RS bodies read at a time; more wait")
    upload_timeout_s: float = Field(default=60.0, gt=0, description="seconds a MiB of a body; slower is 408")


class AuthSettings(_Section):
    """Who may use the HTTP side."""

    mode: Literal["none"] = Field(default="none", description="no accounts: loopback only")


class DatabaseSettings(_Section):
    """Index and workflow databases."""

    url: str | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in data_dir")


class DeidentificationSettings(_Section):
    """What is taken off."""

    profile: Literal["basic"] = "basic"
    options: tuple[DeidentificationOption, ...] = Field(
        default=(
            "clean-descriptors",
            "clean-graphics",
            "clean-pixel-data",
            "clean-structured-content",
            "retain-patient-characteristics",
        ),
        description="options of PS3.15 §E.3",
    )
    burned_in: Literal["redact", "quarantine"] = Field(
        default="redact", description="text in pixels: black it out, or keep the instance back"
    )
    unknown_attributes: Literal["remove", "read"] = Field(
        default="remove", description="text that no module of the SOP Class knows: remove, or read and keep"
    )
    ct_faces: Literal["quarantine", "experimental"] = Field(default="quarantine", description="CT heads")


class CompletionSettings(_Section):
    """When a study is complete."""

    quiet_s: float = Field(default=10, ge=0, description="seconds since the last instance")


class RouteWhen(_Section):
    """Conditions of a route; all that are given must hold."""

    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    sop_class: tuple[str, ...] = Field(default=(), description="SOP Class UIDs")
    min_instances: int = Field(default=1, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                k: (v,) if isinstance(v, str) and k in {"modality", "body_part", "sop_class"} else v
                for k, v in value.items()
            }
        return value


class RouteSettings(_Section):
    """A routing rule."""

    name: Name
    when: RouteWhen
    models: tuple[str, ...] = Field(min_length=1)


class AccessSettings(_Section):
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


def _service_url(url: str) -> str:
    """Refuse secrets in URLs, which stand in messages."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a DICOMweb URL begins with http:// or https://, such as http://pacs:8042/dicom-web")
    if parts.username or parts.password or parts.query:
        raise ValueError("no user, password or query in the URL: set access.user and access.password_file")
    return url


class SourceSettings(_Section):
    """An archive that studies are fetched from by DICOMweb."""

    name: Name
    url: str = Field(description="DICOMweb base URL")
    access: AccessSettings = AccessSettings()
    timeout_s: float = Field(default=60, gt=0, description="seconds without a byte")

    _url = field_validator("url")(_service_url)


class DicomwebSettings(_Section):
    """The DICOMweb client side."""

    sources: tuple[SourceSettings, ...] = ()


class DestinationSettings(_Section):
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


class RetentionSettings(_Section):
    """How long things stay."""

    results_days: int = Field(default=30, ge=0)
    inputs_s: float = Field(
        default=0,
        ge=0,
        description="seconds that inputs stay, de-identified, after delivery before the purge",
    )


class CodeSettings(_Section):
    """A code."""

    value: Annotated[str, Field(min_length=1, max_length=16)]
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]


class StationSettings(_Section):
    """The node as a performing station."""

    value: str | None = Field(default=None, min_length=1, max_length=16, description="dimse.ae_title")
    scheme: str = Field(default="99DICOMNODE", min_length=1, max_length=16)
    meaning: str | None = Field(default=None, min_length=1, max_length=64, description="node.site")


class WorklistSettings(_Section):
    """Work items (UPS-RS)."""

    perform: bool = Field(default=True, description="perform work items that are addressed to the node")
    label: str = Field(default="DICOM-NODE", min_length=1, max_length=64)
    station: StationSettings = StationSettings()
    workitem_codes: tuple[CodeSettings, ...] = Field(
        default=(CodeSettings(value="110004", scheme="DCM", meaning="Computer Aided Detection"),),
        min_length=1,
        description="what the node performs; the first stands for work items without a code",
    )
    hosts: tuple[str, ...] = Field(default=(), description="names besides loopback to answer under")
    retention_days: int = Field(default=30, ge=0, description="after their end, without a deletion lock")


class InferenceSettings(_Section):
    """Models and how they run."""

    model_dirs: tuple[Path, ...] = Field(default=(), description="folders with model packages, besides ours")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    timeout_s: float = Field(default=600, gt=0, description="seconds for one run")
    min_confidence: float = Field(default=0.6, ge=0, le=1, description="below it a run is rejected")


class LoggingSettings(_Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


DEFAULT_ROUTES = (
    RouteSettings(
        name="mr-brain",
        when=RouteWhen(modality=("MR",), body_part=("BRAIN", "HEAD")),
        models=("mr-brain-extraction",),
    ),
)
