"""Networks of torch: our architectures with weights, and TorchScript."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.outputs import by_name
from inference.adapters.weights import load_state, only_weight, read_state

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest

#: `adapter.parameters` that are not the architecture's own.
OWN_PARAMETERS = ("state_key", "outputs")


class TorchNetwork:
    """`LoadedNetwork` over a torch module.

    Parameters
    ----------
    outputs
        Names for outputs that have none.
    half
        Whether it runs in half precision (on a GPU only).
    """

    def __init__(
        self, module: torch.nn.Module, device: str, *, outputs: tuple[str, ...] = (), half: bool = False
    ) -> None:
        self._device = torch.device(device)
        self._module = module.to(self._device).eval()
        self._outputs = outputs
        self._half = half and self._device.type == "cuda"

    @property
    def module(self) -> torch.nn.Module:
        """The network itself, for gradients."""
        return self._module

    def __call__(self, batch: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Outputs by name for a batch (n, channels, ...)."""
        tensor = torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32)).to(self._device)
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._half):
            given = self._module(tensor)
        return by_name(given, self._outputs, _to_array)


def load_network(
    manifest: ModelManifest, weights: Mapping[str, Path], device: str, *, trusted: Collection[str] = ()
) -> TorchNetwork:
    """An architecture of `inference.networks` with the package's weights.

    Raises
    ------
    InvalidModelPackage
    """
    from inference.networks.build import build_network

    role, path = only_weight(manifest, weights)
    parameters = dict(manifest.adapter.parameters)
    key = parameters.get("state_key")
    own = {name: value for name, value in parameters.items() if name not in OWN_PARAMETERS}
    try:
        module = build_network(manifest.adapter.target or "", **own)
    except (TypeError, ValueError, KeyError) as exc:
        raise InvalidModelPackage(
            f"adapter: network {manifest.adapter.target} cannot be built with these parameters ({exc})"
        ) from exc
    load_state(module, read_state(path, trusted=is_trusted(manifest, role, trusted), key=key), path.name)
    return _wrapped(manifest, module, device)


def load_torchscript(manifest: ModelManifest, weights: Mapping[str, Path], device: str) -> TorchNetwork:
    """A TorchScript file; it holds network and weights, and no Python code.

    Raises
    ------
    InvalidModelPackage
    """
    _, path = only_weight(manifest, weights)
    return _wrapped(manifest, read_torchscript(path, device), device)


def read_torchscript(path: Path, device: str) -> Any:
    """Load a TorchScript file onto a device.

    Raises
    ------
    InvalidModelPackage
    """
    try:
        with warnings.catch_warnings():
            # torch asks for torch.export instead; the files that people have are TorchScript.
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(str(path), map_location=torch.device(device))
    except (RuntimeError, ValueError, OSError) as exc:
        raise InvalidModelPackage(
            f"{path.name} is no TorchScript file; write it with torch.jit.trace(...).save(...)"
        ) from exc


def is_trusted(manifest: ModelManifest, role: str, trusted: Collection[str]) -> bool:
    """Whether the operator lets the weights of a role run code."""
    return any(weight.role == role and weight.sha256 in trusted for weight in manifest.weights)


def _wrapped(manifest: ModelManifest, module: torch.nn.Module, device: str) -> TorchNetwork:
    names = tuple(manifest.adapter.parameters.get("outputs", ()))
    return TorchNetwork(module, device, outputs=names, half=manifest.half_precision)


def _to_array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.float().cpu().numpy())
