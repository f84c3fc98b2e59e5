"""Builds a network from its name and parameters."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn

from dicom_node.domain.errors import InvalidModelPackage
from inference.networks.lite import EfficientNetLite0
from inference.networks.plain import SmallCnn, Vgg16
from inference.networks.pyramid import PyramidClassifier, PyramidSegmenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def _efficientnet(name: str, classes: int, in_channels: int = 3, spatial_dims: int = 2) -> nn.Module:
    from monai.networks.nets.efficientnet import EfficientNetBN

    network: nn.Module = EfficientNetBN(
        name, pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels, num_classes=classes
    )
    return network


def _densenet(
    depth: int, classes: int, in_channels: int = 3, spatial_dims: int = 2, dropout: float = 0.0
) -> nn.Module:
    from monai.networks.nets.densenet import DenseNet121, DenseNet169

    make = {121: DenseNet121, 169: DenseNet169}[depth]
    network: nn.Module = make(spatial_dims, in_channels, classes, dropout_prob=dropout)
    return network


def _unet(
    classes: int,
    in_channels: int = 1,
    spatial_dims: int = 3,
    channels: Sequence[int] = (16, 32, 64, 128),
    residual_units: int = 1,
    dropout: float = 0.0,
) -> nn.Module:
    from monai.networks.nets.unet import UNet

    network: nn.Module = UNet(
        spatial_dims,
        in_channels,
        classes,
        channels=tuple(channels),
        strides=(2,) * (len(channels) - 1),
        num_res_units=residual_units,
        dropout=dropout,
    )
    return network


def _segresnet(classes: int, in_channels: int = 1, spatial_dims: int = 3, init_filters: int = 8) -> nn.Module:
    from monai.networks.nets.segresnet import SegResNet

    network: nn.Module = SegResNet(spatial_dims, init_filters, in_channels, classes)
    return network


#: What `build_network` knows; every one takes `classes` (outputs) and `in_channels`.
NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "efficientnet-lite0": EfficientNetLite0,
    **{f"efficientnet-b{n}": partial(_efficientnet, f"efficientnet-b{n}") for n in range(6)},
    "densenet121": partial(_densenet, 121),
    "densenet169": partial(_densenet, 169),
    "vgg16": Vgg16,
    "small-cnn": SmallCnn,
    "pvt": PyramidClassifier,
    "segformer": PyramidSegmenter,
    "unet": _unet,
    "segresnet": _segresnet,
}
#: Those that give a value for each pixel or voxel; the others classify.
SEGMENTERS = ("segformer", "segresnet", "unet")


def build_network(name: str, **parameters: Any) -> nn.Module:
    """Build a network with random weights.

    Raises
    ------
    InvalidModelPackage
        If there is no such network, or it does not take these parameters.
    """
    if name not in NETWORKS:
        raise InvalidModelPackage(f"no network is called {name[:64]}; known: {', '.join(sorted(NETWORKS))}")
    try:
        return NETWORKS[name](**parameters)
    except (TypeError, ValueError, IndexError, RuntimeError) as exc:
        raise InvalidModelPackage(f"network {name} does not take these parameters: {str(exc)[:200]}") from exc


def stages(network: nn.Module) -> list[nn.Module]:
    """Its parts with weights in the order in which data runs through them, lists of blocks taken apart."""
    parts: list[nn.Module] = []
    for child in network.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            parts.extend(child.children())
        else:
            parts.append(child)
    return [part for part in parts if any(True for _ in part.parameters())]
