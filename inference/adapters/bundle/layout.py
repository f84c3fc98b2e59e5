"""Finds the parts of a bundle's folder. Runs nothing of it and imports no framework."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from dicom_node.domain.errors import InvalidModelPackage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Where configurations lie: bundles of today, and the first ones.
CONFIG_FOLDERS = ("configs", "config", ".")
CONFIG_NAMES = ("inference.json", "inference.yaml", "inference.yml")
#: Weights where the configuration names none, the first that is there.
WEIGHTS = ("models/model.pt", "models/model.safetensors", "model.pt")
TORCHSCRIPT = ("models/model.ts", "model.ts")


@dataclass(frozen=True, slots=True)
class BundleLayout:
    """The parts of a bundle.

    Attributes
    ----------
    configs
        Configuration files of the inference, merged in this order; empty where there is TorchScript only.
    metadata
        The content of `metadata.json`.
    weights, torchscript
        The bundle's usual files, where they are there.
    """

    root: Path
    configs: tuple[Path, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    torchscript: Path | None = None

    @property
    def channels(self) -> int | None:
        """Channels of the network's image, as the metadata have it."""
        return _whole(self.image.get("num_channels"))

    @property
    def image(self) -> Mapping[str, Any]:
        """What the metadata say of the network's first input."""
        inputs = _mapping(_mapping(self.metadata.get("network_data_format")).get("inputs"))
        return _mapping(inputs.get("image") or next(iter(inputs.values()), None))

    @property
    def prediction(self) -> Mapping[str, Any]:
        """What the metadata say of the network's first output."""
        outputs = _mapping(_mapping(self.metadata.get("network_data_format")).get("outputs"))
        return _mapping(outputs.get("pred") or next(iter(outputs.values()), None))


def read_layout(root: Path, configs: Sequence[str] = ()) -> BundleLayout:
    """Read a bundle's folder.

    Parameters
    ----------
    configs
        Configuration files below the bundle's folder; without any, `inference.json` or `.yaml` is looked for.

    Raises
    ------
    InvalidModelPackage
        If it is no bundle; the message says what is missing.
    """
    if not root.is_dir():
        raise InvalidModelPackage(f"bundle {root.name}: there is no such folder")
    torchscript = _first(root, TORCHSCRIPT)
    found = tuple(root / name for name in configs) or _usual_config(root)
    for path in found:
        if not path.is_file():
            raise InvalidModelPackage(f"bundle {root.name}: the configuration {path.name} is missing")
    if not found and torchscript is None:
        raise InvalidModelPackage(
            f"bundle {root.name}: neither configs/inference.json (or .yaml) nor models/model.ts is there;"
            " name the configuration by adapter.parameters.config"
        )
    return BundleLayout(root, found, _metadata(root), _first(root, WEIGHTS), torchscript)


def read_config(path: Path) -> dict[str, Any]:
    """One configuration file of a bundle as plain values.

    Raises
    ------
    InvalidModelPackage
        If it is no JSON or YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as exc:
        raise InvalidModelPackage(f"bundle: {path.name} cannot be read ({exc.strerror})") from exc
    except (ValueError, yaml.YAMLError, RecursionError) as exc:
        raise InvalidModelPackage(f"bundle: {path.name} is no valid {path.suffix[1:].upper()}") from exc
    if not isinstance(content, dict):
        raise InvalidModelPackage(f"bundle: {path.name} holds no mapping")
    return content


def _metadata(root: Path) -> dict[str, Any]:
    for folder in CONFIG_FOLDERS:
        path = root / folder / "metadata.json"
        if path.is_file():
            return read_config(path)
    return {}


def _usual_config(root: Path) -> tuple[Path, ...]:
    for folder in CONFIG_FOLDERS:
        for name in CONFIG_NAMES:
            if (root / folder / name).is_file():
                return (root / folder / name,)
    return ()


def _first(root: Path, names: Sequence[str]) -> Path | None:
    return next((root / name for name in names if (root / name).is_file()), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
