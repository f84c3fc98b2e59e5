"""The sections of `node.yaml`; `dicom_node.settings` puts them together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from dicom_node.domain.deidentification import DeidentificationOption
from dicom_node.settings_access import AccessSettings, service_url
from dicom_node.settings_base import Name, Port, Section


class NodeSettings(Section):
    """Where the node keeps its data, and its keys."""

    data_dir: Path = Field(default=Path("data"), description="folder for everything that the node keeps")
    min_free_mb: int = Field(default=1024, ge=0, description="below this many MiB free, stores are refused")
    warn_free_mb: int | None = Field(default=None, ge=0, description="people are told below; 4 * min_free_mb")
    min_free_files: int = Field(default=10_000, ge=0, description="as min_free_mb, for inodes")
    site: str = Field(default="DICOM Node", max_length=64, description="shown on pages")
    warm_up: bool = Field(default=True, description="load models at start, not with the first study")


class HttpSettings(Section):
    """The HTTP side."""

    host: str = "127.0.0.1"
    port: Port = Field(default=8080, description="0 takes a free port")
    max_upload_mb: int = Field(default=4096, ge=1, description="a larger STOW-RS body is answered 413")
    max_uploads: int = Field(default=16, ge=1, description="STOW-RS bodies read at a time; more wait")
    upload_timeout_s: float = Field(default=60.0, gt=0, description="seconds a MiB of a body; slower is 408")


class AuthSettings(Section):
    """Who may use the HTTP side."""

    mode: Literal["none"] = Field(default="none", description="no accounts: loopback only")


class DatabaseSettings(Section):
    """Index and workflow databases."""

    url: str | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in data_dir")


class DeidentificationSettings(Section):
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


class CompletionSettings(Section):
    """When a study is complete."""

    quiet_s: float = Field(default=10, ge=0, description="seconds since the last instance")
    max_wait_s: float = Field(
        default=600, ge=0, description="seconds since the last instance to wait for what the sender counts"
    )


class SourceSettings(Section):
    """An archive that studies are fetched from by DICOMweb."""

    name: Name
    url: str = Field(description="DICOMweb base URL")
    access: AccessSettings = AccessSettings()
    timeout_s: float = Field(default=60, gt=0, description="seconds without a byte")
    count: bool = Field(
        default=False, description="ask it how many instances a study of the DIMSE peer of this name has"
    )

    _url = field_validator("url")(service_url)


class DicomwebSettings(Section):
    """The DICOMweb client side."""

    sources: tuple[SourceSettings, ...] = ()


class ReconciliationSettings(Section):
    """How often what is recorded is compared with what is there."""

    every_h: float = Field(default=24, ge=0, description="hours between two; 0: only by command")
    deep: bool = Field(default=False, description="read all bytes too")


class RetentionSettings(Section):
    """How long things stay."""

    results_days: int = Field(default=30, ge=0)
    inputs_s: float = Field(
        default=0,
        ge=0,
        description="seconds that inputs stay, de-identified, after delivery before the purge",
    )
    purge_undelivered: bool = Field(
        default=True, description="purge inputs though a delivery was given up; a retry does not need them"
    )


class CodeSettings(Section):
    """A code."""

    value: Annotated[str, Field(min_length=1, max_length=16)]
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]


class StationSettings(Section):
    """The node as a performing station."""

    value: str | None = Field(default=None, min_length=1, max_length=16, description="dimse.ae_title")
    scheme: str = Field(default="99DICOMNODE", min_length=1, max_length=16)
    meaning: str | None = Field(default=None, min_length=1, max_length=64, description="node.site")


class WorklistSettings(Section):
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


class InferenceSettings(Section):
    """Models and how they run."""

    model_dirs: tuple[Path, ...] = Field(default=(), description="folders with model packages, besides ours")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    timeout_s: float = Field(default=600, gt=0, description="seconds for one run")
    min_confidence: float = Field(default=0.6, ge=0, le=1, description="below it a run is rejected")
    memory_budget_mb: int | None = Field(
        default=None, ge=1, description="MiB for warm models together; unset: half of the machine's memory"
    )
    concurrency: int = Field(default=1, ge=1, description="runs at once on the processor")
    gpu_runs: int = Field(default=1, ge=1, description="runs at once on a GPU")
    batch_mb: int = Field(
        default=128, ge=0, description="MiB of voxels up to which a model takes series of a study together"
    )


class LoggingSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
