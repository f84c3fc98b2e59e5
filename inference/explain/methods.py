"""The methods by name, and which of them a network allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.runner.adapter import LoadedNetwork

GRAD_CAM = "grad-cam"
GRAD_CAM_PLUS_PLUS = "grad-cam++"
LAYER_CAM = "layer-cam"
#: Those that look into a layer.
CAM = (GRAD_CAM, GRAD_CAM_PLUS_PLUS, LAYER_CAM)
OCCLUSION = "occlusion"
INTEGRATED_GRADIENTS = "integrated-gradients"

_TITLES = {
    GRAD_CAM: "Grad-CAM",
    GRAD_CAM_PLUS_PLUS: "Grad-CAM++",
    LAYER_CAM: "LayerCAM",
    OCCLUSION: "Occlusion sensitivity",
    INTEGRATED_GRADIENTS: "Integrated gradients",
}


class ExplanationImpossible(ValueError):
    """A network does not allow the method, or has no such layer or class; the text says what to do."""


def title(method: str) -> str:
    """The name of a method for people.

    Raises
    ------
    ExplanationImpossible
        If there is no such method.
    """
    if method not in _TITLES:
        raise ExplanationImpossible(f"no method {method!r}; there are {', '.join(_TITLES)}")
    return _TITLES[method]


def possible_methods(network: LoadedNetwork) -> tuple[str, ...]:
    """The methods that a network allows.

    Without gradients (ONNX) only occlusion is left. A TorchScript network gives gradients of its input, but
    its layers cannot be looked into.
    """
    module = network.module
    if module is None:
        return (OCCLUSION,)
    if any(kind.__name__ == "ScriptModule" for kind in type(module).__mro__):
        return (OCCLUSION, INTEGRATED_GRADIENTS)
    return (*CAM, OCCLUSION, INTEGRATED_GRADIENTS)


def choose_method(network: LoadedNetwork, method: str) -> str:
    """The method that was asked for where the network allows it, else occlusion, which every one allows.

    What was used belongs beside the picture: `title` of the answer.

    Raises
    ------
    ExplanationImpossible
        If there is no such method.
    """
    title(method)
    return method if method in possible_methods(network) else OCCLUSION
