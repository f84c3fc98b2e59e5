"""Loads a package whose model is a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.bundle.adapters import adapter_for
from inference.adapters.bundle.checkpoint import load_bundle_network
from inference.adapters.bundle.config import BundleConfig
from inference.adapters.bundle.layout import read_layout
from inference.adapters.bundle.run import BundleRunner
from inference.contract.inputs import InputKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from inference.adapters.bundle.layout import BundleLayout
    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Adapter


def load_bundle(
    manifest: ModelManifest, weights: Mapping[str, Path], device: str, *, trusted: Collection[str] = ()
) -> Adapter:
    """Load the bundle of a package.

    Raises
    ------
    InvalidModelPackage
        If it is not trusted, is no bundle, takes more than one series, or a part of it cannot be made.
    """
    if len(weights) != 1:
        raise InvalidModelPackage("weights: a bundle is one entry, its folder")
    ((role, root),) = weights.items()
    if not any(weight.role == role and weight.sha256 in trusted for weight in manifest.weights):
        raise InvalidModelPackage(
            f"{root.name} is a MONAI bundle: its configuration is code of its author. If you trust it, run"
            f" `dicom-node models trust {manifest.name}`"
        )
    named = manifest.adapter.parameters.get("config", ())
    layout = read_layout(root, (named,) if isinstance(named, str) else tuple(named))
    channels = manifest.adapter.parameters.get("channels", layout.channels)
    if manifest.input.kind is InputKind.VOLUME and channels not in {None, 1}:
        raise InvalidModelPackage(f"the bundle takes {_named(layout, channels)}; the node gives one series")
    config = BundleConfig(layout, device)
    network = load_bundle_network(config, layout, device)
    return adapter_for(manifest, BundleRunner(config, network, device), channels)


def _named(layout: BundleLayout, channels: int) -> str:
    names = layout.image.get("channel_def")
    listed = ", ".join(str(name) for name in names.values()) if isinstance(names, dict) else "unnamed"
    return f"{channels} channels ({listed})"
