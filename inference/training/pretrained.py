"""Starts a network from weights that were trained on something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

#: Share of the network's tensors that must fit.
MIN_SHARE = 0.8


def load_pretrained(network: nn.Module, path: Path) -> None:
    """Give the network the weights of a file, apart from its last layer where the classes differ.

    Weights are matched by name, or, where the names differ, by their order: then every tensor but those of
    the last layer must have the shape of its counterpart.

    Raises
    ------
    ConfigurationError
        If the file cannot be read safely or belongs to another architecture.
    """
    try:
        found: dict[str, Tensor] = (
            load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
        )
    except Exception as exc:  # torch and safetensors raise many kinds for a damaged file
        raise ConfigurationError(f"{path.name} holds no weights that can be loaded safely") from exc
    own = network.state_dict()
    if not set(own) & set(found) and len(own) == len(found):
        found = dict(zip(own, found.values(), strict=True))
    fitting = {name: t for name, t in found.items() if name in own and own[name].shape == t.shape}
    if len(fitting) < MIN_SHARE * len(own):
        raise ConfigurationError(
            f"{path.name} fits {len(fitting)} of {len(own)} tensors of the network: another architecture"
        )
    network.load_state_dict({**own, **fitting})
