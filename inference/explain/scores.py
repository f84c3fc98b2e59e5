"""A torch network as the gradient methods call it: numbers of one output, with gradients."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from inference.explain.methods import ExplanationImpossible

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


@contextmanager
def gradients(module: Any) -> Iterator[None]:
    """Let gradients be taken, the same each time; the module is left as it was."""
    trains = module.training
    module.eval()
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            yield
    finally:
        module.train(trains)


def as_input(module: Any, batch: NDArray[np.float32]) -> Any:
    """A batch as a tensor where the module lies, that gradients reach."""
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    tensor = torch.from_numpy(batch.copy())
    if like is not None:
        tensor = tensor.to(device=like.device, dtype=like.dtype)
    return tensor.requires_grad_()


def score(module: Any, tensor: Any, target: int) -> Any:
    """The target's number for each image: of a classifier its logit, of other outputs the mean over the grid.

    Raises
    ------
    ExplanationImpossible
        If there is no such output.
    """
    outputs = module(tensor)
    if isinstance(outputs, dict):
        outputs = outputs.get("output", next(iter(outputs.values()), None))
    elif isinstance(outputs, (tuple, list)):
        outputs = outputs[0]
    if not isinstance(outputs, torch.Tensor) or outputs.ndim < 2 or not 0 <= target < outputs.shape[1]:
        raise ExplanationImpossible(f"the network's first output has no class {target}")
    return outputs[:, target].flatten(1).mean(dim=1) if outputs.ndim > 2 else outputs[:, target]
