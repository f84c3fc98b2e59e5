"""EfficientNet-Lite0: an image classifier without squeeze-and-excitation, small enough for two cores.

References
----------
Tan and Le, EfficientNet, ICML 2019, https://arxiv.org/abs/1905.11946; the Lite variant replaces swish by
ReLU6 and leaves squeeze-and-excitation out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.functional import pad

if TYPE_CHECKING:
    from torch import Tensor

#: Kernel, stride, expansion, channels and repeats of the seven stages.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280


class EfficientNetLite0(nn.Module):
    """Pictures `(batch, in_channels, rows, columns)` to logits `(batch, classes)`.

    Parameters
    ----------
    dropout
        Share of the last features that is left out in training.
    in_channels
        Of the picture; pretrained weights want 3.
    norm_momentum
        How fast running statistics follow the batches; small sets need more than TensorFlow's 0.01.
    """

    def __init__(
        self, classes: int, dropout: float = 0.2, in_channels: int = 3, norm_momentum: float = 0.01
    ) -> None:
        super().__init__()
        self.stem = _ConvNorm(in_channels, STEM_CHANNELS, 3, 2)
        blocks: list[nn.Module] = []
        channels = STEM_CHANNELS
        for kernel, stride, expansion, out_channels, repeats in STAGES:
            for repeat in range(repeats):
                blocks.append(_Block(channels, out_channels, kernel, stride if repeat == 0 else 1, expansion))
                channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.head = _ConvNorm(channels, HEAD_CHANNELS, 1, 1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(HEAD_CHANNELS, classes)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = norm_momentum

    def features(self, pictures: Tensor) -> Tensor:
        """The last feature maps, `(batch, 1280, rows / 32, columns / 32)`."""
        maps: Tensor = self.head(self.blocks(self.stem(pictures)))
        return maps

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of each picture."""
        pooled = self.features(pictures).mean(dim=(2, 3))
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


class _ConvNorm(nn.Module):
    """Convolution that pads as TensorFlow does (more at the end), batch norm and ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1, *, active: bool = True
    ) -> None:
        super().__init__()
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self._padding = (before, after, before, after)
        self._is_even = before == after
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, before if self._is_even else 0, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.activation = nn.ReLU6(inplace=True) if active else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps of the next layer."""
        padded = maps if self._is_even else pad(maps, self._padding)
        out: Tensor = self.activation(self.norm(self.conv(padded)))
        return out


class _Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_ConvNorm(inputs, wide, 1, 1)]
        layers.append(_ConvNorm(wide, wide, kernel, stride, groups=wide))
        layers.append(_ConvNorm(wide, outputs, 1, 1, active=False))
        self.layers = nn.Sequential(*layers)
        self._is_residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps of the next block."""
        out: Tensor = self.layers(maps)
        return out + maps if self._is_residual else out
