"""Grad-CAM, Grad-CAM++ and LayerCAM: a layer's channels, weighted by what they do for an output.

References
----------
Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.
Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations, WACV 2018.
Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, IEEE Transactions on
Image Processing 30, 2021.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from inference.explain.methods import GRAD_CAM, GRAD_CAM_PLUS_PLUS, LAYER_CAM, ExplanationImpossible
from inference.explain.parts import parts
from inference.explain.scores import as_input, gradients, score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def class_activation(
    module: Any, batch: NDArray[np.float32], target: int, layer: str | None, method: str
) -> NDArray[np.float32]:
    """Maps of a layer's evidence for an output, interpolated onto the grid of the batch.

    Parameters
    ----------
    batch
        (n, channels, ...), 2D or 3D.
    layer
        Dotted name; `None` takes the last one with a spatial grid.
    method
        `grad-cam`, `grad-cam++` or `layer-cam`.

    Returns
    -------
    NDArray[np.float32]
        (n, ...), 0 and more: more is more evidence. A channel that speaks against the output, and what is
        left negative after the sum, count nothing.
    """
    out = np.empty((len(batch), *batch.shape[2:]), np.float32)
    with gradients(module):
        place = _Place(module, batch.ndim, layer)
        for part in parts(len(batch), batch[0].size):
            tensor = as_input(module, batch[part])
            with place.watched() as seen:
                total = score(module, tensor, target).sum()
            activation = place.activation(seen)
            (slope,) = torch.autograd.grad(total, activation, allow_unused=True)
            if slope is None:
                raise ExplanationImpossible("the output does not depend on this layer; name another one")
            # Half precision would lose the small numbers.
            activation, slope = activation.detach().float(), slope.float()
            evidence = (
                (_WEIGHTS[method](activation, slope) * activation).sum(dim=1, keepdim=True).clamp(min=0)
            )
            mode = "bilinear" if batch.ndim == 4 else "trilinear"
            drawn = torch.nn.functional.interpolate(
                evidence, size=batch.shape[2:], mode=mode, align_corners=False
            )
            out[part] = drawn[:, 0].cpu().numpy()
    return out


def _weights(activation: Any, slope: Any) -> Any:
    return slope.mean(dim=tuple(range(2, activation.ndim)), keepdim=True)


def _plus_plus_weights(activation: Any, slope: Any) -> Any:
    """Equation 19: pixels share a channel's weight, so that several places of one class count the same."""
    space = tuple(range(2, activation.ndim))
    below = 2 * slope**2 + activation.sum(dim=space, keepdim=True) * slope**3
    share = torch.where(below != 0, slope**2 / torch.where(below != 0, below, 1), 0)
    return (share * slope.clamp(min=0)).sum(dim=space, keepdim=True)


def _weights_of_cells(_activation: Any, slope: Any) -> Any:
    """Each cell by its own slope, so that early layers with a fine grid can be shown."""
    return slope.clamp(min=0)


_WEIGHTS = {GRAD_CAM: _weights, GRAD_CAM_PLUS_PLUS: _plus_plus_weights, LAYER_CAM: _weights_of_cells}


class _Place:
    """The layer whose output is looked at."""

    def __init__(self, module: Any, axes: int, layer: str | None) -> None:
        self._axes = axes
        if layer is None:
            # Every module that holds no other; the last of them to answer is the one.
            self._watched = [m for m in module.modules() if not any(True for _ in m.children())]
            return
        named = dict(module.named_modules())
        if not layer or layer not in named:
            raise ExplanationImpossible(
                f"the network has no layer {layer!r}; its last ones are {', '.join(list(named)[-5:])}"
            )
        self._watched = [named[layer]]

    @contextmanager
    def watched(self) -> Iterator[list[Any]]:
        """Collect the answers that have a spatial grid, the last one at the end."""
        seen: list[Any] = []

        def note(_module: Any, _inputs: Any, output: Any) -> Any:
            if not self._has_grid(output):
                return output
            seen[:] = [output]
            # What comes after may write into it: that shall not change what was seen.
            return output.clone()

        hooks = [module.register_forward_hook(note) for module in self._watched]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()

    def activation(self, seen: list[Any]) -> Any:
        """What was seen last.

        Raises
        ------
        ExplanationImpossible
            If nothing had a spatial grid.
        """
        if not seen:
            raise ExplanationImpossible(
                "no layer with a spatial grid was seen; name another one, or occlusion"
            )
        return seen[0]

    def _has_grid(self, output: Any) -> bool:
        return (
            isinstance(output, torch.Tensor)
            and output.ndim == self._axes
            and output.is_floating_point()
            and max(output.shape[2:]) > 1
        )
