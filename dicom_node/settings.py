"""Configuration: `node.yaml` and `DICOM_NODE_*` variables, frozen, unknown keys refused.

Variables nest with two underscores: `DICOM_NODE_HTTP__PORT=8081`. They win over the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dicom_node.domain.errors import ConfigurationError
from dicom_node.settings_base import is_loopback
from dicom_node.settings_delivery import DestinationSettings
from dicom_node.settings_dimse import DimseSettings
from dicom_node.settings_notifications import NotificationSettings
from dicom_node.settings_results import ResultsSettings
from dicom_node.settings_routing import DEFAULT_ROUTES, RouteSettings
from dicom_node.settings_sections import (
    AuthSettings,
    CompletionSettings,
    DatabaseSettings,
    DeidentificationSettings,
    DicomwebSettings,
    HttpSettings,
    InferenceSettings,
    LoggingSettings,
    NodeSettings,
    ReconciliationSettings,
    RetentionSettings,
    WorklistSettings,
)
from dicom_node.settings_single_image import SingleImageSettings

if TYPE_CHECKING:
    from pathlib import Path


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix="DICOM_NODE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    node: NodeSettings = NodeSettings()
    dimse: DimseSettings = DimseSettings()
    http: HttpSettings = HttpSettings()
    auth: AuthSettings = AuthSettings()
    database: DatabaseSettings = DatabaseSettings()
    deidentification: DeidentificationSettings = DeidentificationSettings()
    completion: CompletionSettings = CompletionSettings()
    inference: InferenceSettings = InferenceSettings()
    results: ResultsSettings = ResultsSettings()
    routes: tuple[RouteSettings, ...] = DEFAULT_ROUTES
    destinations: tuple[DestinationSettings, ...] = ()
    notifications: tuple[NotificationSettings, ...] = ()
    dicomweb: DicomwebSettings = DicomwebSettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    retention: RetentionSettings = RetentionSettings()
    worklist: WorklistSettings = WorklistSettings()
    single_image: SingleImageSettings = SingleImageSettings()
    logging: LoggingSettings = LoggingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let environment variables win over the file, which comes in as init values."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def database_url(self) -> str:
        """The index's SQLAlchemy URL."""
        return self.database.url or f"sqlite:///{self.node.data_dir / 'node.db'}"

    @model_validator(mode="after")
    def _sources(self) -> Settings:
        peers = {peer.name: peer for peer in self.dimse.peers}
        for source in self.dicomweb.sources:
            if source.count and source.name not in peers:
                raise ValueError(
                    f"dicomweb.sources: {source.name}: count needs a dimse.peers entry of the same name,"
                    " which says whose studies are counted there"
                )
            if source.name in peers and peers[source.name].retrieve != "none":
                raise ValueError(
                    f"{source.name} is a source in dicomweb.sources, and a peer in dimse.peers with"
                    " `retrieve`: a pull would not say which is meant. Take one away, or give the source"
                    " another name"
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        peers = {peer.name for peer in self.dimse.peers}
        for destination in self.destinations:
            if destination.kind == "dimse" and destination.peer not in peers:
                raise ValueError(
                    f"destination {destination.name}: peer {destination.peer!r} is not in dimse.peers"
                    f" (known: {', '.join(sorted(peers)) or 'none'})"
                )
        destinations = {destination.name for destination in self.destinations}
        for listener in self.notifications:
            if listener.of is not None and listener.of not in destinations:
                raise ValueError(f"notification {listener.name}: {listener.of!r} is not in destinations")
            if listener.kind == "availability" and listener.peer not in peers:
                unknown = f"peer {listener.peer!r} is not in dimse.peers"
                raise ValueError(f"notification {listener.name}: {unknown}")
        for what, names in (
            ("dimse.peers", [p.name for p in self.dimse.peers]),
            ("destinations", [d.name for d in self.destinations]),
            ("notifications", [n.name for n in self.notifications]),
            ("dicomweb.sources", [s.name for s in self.dicomweb.sources]),
            ("routes", [r.name for r in self.routes]),
        ):
            if len(names) != len(set(names)):
                raise ValueError(f"{what}: every name may stand once")
        if self.auth.mode == "none" and not is_loopback(self.http.host):
            raise ValueError(
                f"http.host is {self.http.host} and auth.mode is none: without accounts the node serves"
                " loopback only. Set http.host to 127.0.0.1 (put a proxy with a login in front for others)"
            )
        dimse = self.dimse
        if not is_loopback(dimse.host) and not dimse.knows_callers and set(dimse.other_services) - {"store"}:
            raise ValueError(
                f"dimse.host is {dimse.host} and dimse.other_services lets any caller read what the node"
                " holds: set dimse.allow_list to true, or other_services to [store]"
            )
        return self


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read settings from a YAML file, environment variables and overrides.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, a key is unknown, or the combination is unsafe; the message names
        the key and what to do.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as exc:
            raise ConfigurationError(
                f"{path}: cannot be read ({exc.strerror}); give --config a file"
            ) from exc
        except yaml.YAMLError as exc:
            raise ConfigurationError(f"{path}: is no YAML: {exc}") from exc
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigurationError(
                f"{path}: a mapping of sections is needed, such as `http: {{port: 8080}}`"
            )
        values = loaded or {}
    values.update(overrides)
    try:
        return Settings(**values)
    except ValidationError as exc:
        where = path or "settings"
        lines = [
            f"{where}: {'.'.join(str(p) for p in error['loc']) or 'configuration'}: {error['msg']}"
            for error in exc.errors()
        ]
        raise ConfigurationError("\n".join(lines)) from exc
