"""Reads the weights of a torch network without running what a file says, unless it is trusted."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dicom_node.domain.errors import InvalidModelPackage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inference.contract.package import ModelManifest

#: Where training programs put the state of the network inside what they save.
STATE_KEYS = ("state_dict", "model_state_dict", "model", "network_weights", "net", "weights")


def only_weight(manifest: ModelManifest, weights: Mapping[str, Path]) -> tuple[str, Path]:
    """Role and path of the one file that a network is loaded from.

    Raises
    ------
    InvalidModelPackage
        If there are several, and none has the role `network`.
    """
    if "network" in weights:
        return "network", weights["network"]
    if len(weights) != 1:
        raise InvalidModelPackage(
            f"weights: adapter.kind {manifest.adapter.kind} takes one file; give it the role network"
        )
    return next(iter(weights.items()))


def read_state(path: Path, *, trusted: bool, key: str | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a file by their names: safetensors, or what `torch.save` wrote.

    A pickle that holds more than tensors and plain values is read only where it is `trusted`.

    Parameters
    ----------
    key
        Where in the file the state lies; without it the usual places are tried.

    Raises
    ------
    InvalidModelPackage
        If it cannot be read, holds no state, or wants to run code and is not trusted.
    """
    return state_in(path.name, read_file(path, trusted=trusted), key)


def load_state(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str, *, strict: bool = True
) -> None:
    """Put a state into a network; where `strict`, every parameter must be there and fit.

    Raises
    ------
    InvalidModelPackage
        If the names or shapes are those of another network.
    """
    names = {key.removeprefix("module."): value for key, value in state.items()}
    full = {key: value.float() if value.is_floating_point() else value for key, value in names.items()}
    try:
        module.load_state_dict(full, strict=strict)
    except RuntimeError as exc:
        first = " ".join(str(exc).split())[:300]
        raise InvalidModelPackage(f"{name} does not fit the network that adapter describes: {first}") from exc


def read_file(path: Path, *, trusted: bool) -> Any:
    """What a file of weights holds: tensors by name (safetensors), or what `torch.save` was given.

    Raises
    ------
    InvalidModelPackage
        If it cannot be read, or wants to run code and is not `trusted`.
    """
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as exc:
            raise InvalidModelPackage(f"{path.name} is no safetensors file ({type(exc).__name__})") from exc
    try:
        with warnings.catch_warnings():
            # Of the pickle's protocol; whatever it is, the file loads or the error says so.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=not trusted)
    except pickle.UnpicklingError as exc:
        if trusted:
            raise InvalidModelPackage(f"{path.name} is no file that torch.save wrote") from exc
        raise InvalidModelPackage(
            f"{path.name} is a pickle that holds more than weights: loading it would run code of its author."
            " Save the weights as safetensors, or if you trust the file, run `dicom-node models trust`"
            " with the model's name"
        ) from exc
    except (RuntimeError, OSError, EOFError, ValueError, ImportError, AttributeError) as exc:
        raise InvalidModelPackage(f"{path.name} cannot be read as weights ({type(exc).__name__})") from exc


def state_in(name: str, loaded: Any, key: str | None) -> dict[str, torch.Tensor]:
    """The state of a network in what a file held.

    Parameters
    ----------
    name
        Of the file, for the message.
    key
        Where it lies, or `None` for the usual places.

    Raises
    ------
    InvalidModelPackage
        If there is none.
    """
    if isinstance(loaded, torch.nn.Module):
        return dict(loaded.state_dict())
    if isinstance(loaded, dict):
        places = (key,) if key else STATE_KEYS
        for place in places:
            if isinstance(loaded.get(place), dict):
                return state_in(name, loaded[place], None)
        if not key and loaded and all(isinstance(value, torch.Tensor) for value in loaded.values()):
            return dict(loaded)
    raise InvalidModelPackage(
        f"{name} holds no state of a network; name where it lies by adapter.parameters.state_key"
    )
