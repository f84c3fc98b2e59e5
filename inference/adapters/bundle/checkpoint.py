"""Loads a bundle's weights where its configuration says, as its own handlers would, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.bundle.config import SEPARATOR
from inference.adapters.torch_network import read_torchscript
from inference.adapters.weights import load_state, read_file, state_in

if TYPE_CHECKING:
    from inference.adapters.bundle.config import BundleConfig
    from inference.adapters.bundle.layout import BundleLayout


def load_bundle_network(config: BundleConfig, layout: BundleLayout, device: str) -> torch.nn.Module:
    """The bundle's network with its weights, on the device.

    Raises
    ------
    InvalidModelPackage
        If it has no network, or weights are missing or fit another network.
    """
    network = config.network()
    if network is None:
        if layout.torchscript is None:
            raise InvalidModelPackage("bundle: it describes no network and holds no models/model.ts")
        network = read_torchscript(layout.torchscript, device)
    elif not isinstance(network, torch.jit.ScriptModule):
        _load(config, layout, network)
    return network.to(torch.device(device)).eval()


def _load(config: BundleConfig, layout: BundleLayout, network: torch.nn.Module) -> None:
    loaded = False
    for loader in config.checkpoint_loaders():
        path = Path(layout.root, str(config.made(f"{loader}{SEPARATOR}load_path")))
        if not path.is_file():
            raise InvalidModelPackage(f"bundle: its weights {path.name} are missing in {path.parent.name}")
        strict = str(config.made(f"{loader}{SEPARATOR}strict", default=True)) != "False"
        targets: dict[str, Any] = config.made(f"{loader}{SEPARATOR}load_dict", default={})
        content = read_file(path, trusted=True)
        for name, target in targets.items():
            if isinstance(target, torch.nn.Module):
                own = content.get(name, content) if isinstance(content, dict) else content
                load_state(target, state_in(path.name, own, None), path.name, strict=strict)
                loaded = True
    if loaded:
        return
    if layout.weights is None:
        raise InvalidModelPackage(
            "bundle: its configuration names no weights, and models/model.pt is missing"
        )
    state = state_in(layout.weights.name, read_file(layout.weights, trusted=True), None)
    load_state(network, state, layout.weights.name)
