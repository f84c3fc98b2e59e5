"""Convolutional classifiers of the plain kind: VGG16 and a small one.

References
----------
Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015, https://arxiv.org/abs/1409.1556
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: Channels of the layers of VGG16; 0 halves the map.
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
_CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOLS = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class Vgg16(nn.Module):
    """VGG16 whose last maps are averaged; `(batch, in_channels, rows, columns)` to `(batch, classes)`.

    Parameters
    ----------
    batch_norm
        Whether each convolution is followed by one.
    hidden
        Width of the two hidden layers of the classifier.
    """

    def __init__(
        self, classes: int, in_channels: int = 3, *, batch_norm: bool = False, hidden: int = 512
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for width in VGG16:
            if not width:
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(),
        )
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of each picture."""
        pooled = self.features(pictures).mean(dim=(2, 3))
        logits: Tensor = self.classifier(self.hidden(pooled))
        return logits


class SmallCnn(nn.Module):
    """A few convolutions, for pictures or volumes; `(batch, in_channels, ...)` to `(batch, classes)`.

    Parameters
    ----------
    widths
        Channels of the layers; each halves the map.
    spatial_dims
        2 or 3.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 1,
        widths: Sequence[int] = (16, 32, 64, 128),
        spatial_dims: int = 2,
    ) -> None:
        super().__init__()
        if spatial_dims not in _CONVOLUTIONS:
            raise ValueError("spatial_dims is 2 or 3")
        layers: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            layers.append(_CONVOLUTIONS[spatial_dims](channels, width, 3, padding=1, bias=False))
            layers.append(_NORMS[spatial_dims](width))
            layers.append(nn.ReLU(inplace=True))
            layers.append(_POOLS[spatial_dims](2))
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of each picture or volume."""
        logits: Tensor = self.classifier(self.features(pictures).flatten(2).mean(dim=2))
        return logits
