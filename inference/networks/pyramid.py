"""Transformers over a pyramid of ever coarser maps: a classifier (PVT) and a segmenter (SegFormer).

References
----------
Wang et al., PVT v2, Computational Visual Media 2022, https://arxiv.org/abs/2106.13797; Xie et al.,
SegFormer, NeurIPS 2021, https://arxiv.org/abs/2105.15203. Both encoders are built alike: overlapping
patches, attention to a coarse copy of the map, and a depthwise convolution in place of positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

WIDTHS, DEPTHS = (32, 64, 160, 256), (2, 2, 2, 2)
#: Heads of the attention and how much coarser its keys are, at each level.
HEADS, REDUCTIONS = (1, 2, 5, 8), (8, 4, 2, 1)
EXPANSION = 4


class PyramidClassifier(nn.Module):
    """Pictures `(batch, in_channels, rows, columns)` to logits `(batch, classes)`.

    Parameters
    ----------
    widths, depths
        Channels and blocks of the four levels; each width is a multiple of 1, 2, 5 and 8.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = WIDTHS,
        depths: Sequence[int] = DEPTHS,
    ) -> None:
        super().__init__()
        self.encoder = _Encoder(in_channels, widths, depths)
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of each picture."""
        logits: Tensor = self.classifier(self.encoder(pictures)[-1].mean(dim=(2, 3)))
        return logits


class PyramidSegmenter(nn.Module):
    """Pictures `(batch, in_channels, rows, columns)` to logits `(batch, classes, rows, columns)`."""

    def __init__(
        self,
        classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = WIDTHS,
        depths: Sequence[int] = DEPTHS,
        decoder_width: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = _Encoder(in_channels, widths, depths)
        self.narrow = nn.ModuleList(nn.Conv2d(width, decoder_width, 1) for width in widths)
        self.fuse = nn.Sequential(
            nn.Conv2d(decoder_width * len(widths), decoder_width, 1, bias=False),
            nn.BatchNorm2d(decoder_width),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Conv2d(decoder_width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of each pixel."""
        levels = self.encoder(pictures)
        size = levels[0].shape[2:]
        narrowed = [
            interpolate(layer(maps), size=size, mode="bilinear", align_corners=False)
            for layer, maps in zip(self.narrow, levels, strict=True)
        ]
        logits = self.classifier(self.fuse(torch.cat(narrowed, dim=1)))
        return interpolate(logits, size=pictures.shape[2:], mode="bilinear", align_corners=False)


class _Encoder(nn.Module):
    def __init__(self, in_channels: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        if len(widths) != len(HEADS) or len(depths) != len(HEADS):
            raise ValueError("widths and depths have four numbers each")
        if any(width % heads for width, heads in zip(widths, HEADS, strict=True)):
            raise ValueError("the widths are multiples of 1, 2, 5 and 8")
        inputs = (in_channels, *widths[:-1])
        self.levels = nn.ModuleList(
            _Level(inputs[n], widths[n], depths[n], HEADS[n], REDUCTIONS[n], is_first=n == 0)
            for n in range(len(HEADS))
        )

    def forward(self, maps: Tensor) -> list[Tensor]:
        """Maps of each level, at 1/4, 1/8, 1/16 and 1/32 of the size."""
        out = []
        for level in self.levels:
            maps = level(maps)
            out.append(maps)
        return out


class _Level(nn.Module):
    def __init__(
        self, inputs: int, width: int, depth: int, heads: int, reduction: int, *, is_first: bool
    ) -> None:
        super().__init__()
        kernel, stride = (7, 4) if is_first else (3, 2)
        self.patches = nn.Conv2d(inputs, width, kernel, stride, kernel // 2)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(_Block(width, heads, reduction) for _ in range(depth))
        self.last_norm = nn.LayerNorm(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of this level."""
        patches = self.patches(maps)
        rows, columns = patches.shape[2:]
        tokens = self.norm(patches.flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, rows, columns)
        return _as_maps(self.last_norm(tokens), rows, columns)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = _Attention(width, heads, reduction)
        self.norm_2 = nn.LayerNorm(width)
        self.widen = nn.Linear(width, width * EXPANSION)
        self.filter = nn.Conv2d(width * EXPANSION, width * EXPANSION, 3, padding=1, groups=width * EXPANSION)
        self.activation = nn.GELU()
        self.narrow = nn.Linear(width * EXPANSION, width)

    def forward(self, tokens: Tensor, rows: int, columns: int) -> Tensor:
        """Tokens after attention and the mixing of channels."""
        tokens = tokens + self.attention(self.norm_1(tokens), rows, columns)
        wide = self.filter(_as_maps(self.widen(self.norm_2(tokens)), rows, columns))
        mixed: Tensor = self.narrow(self.activation(wide.flatten(2).transpose(1, 2)))
        return tokens + mixed


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self._heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.reduce = nn.Conv2d(width, width, reduction, reduction) if reduction > 1 else nn.Identity()
        self.norm = nn.LayerNorm(width) if reduction > 1 else nn.Identity()
        self._reduction = reduction

    def forward(self, tokens: Tensor, rows: int, columns: int) -> Tensor:
        """What each token takes from the coarse map."""
        if min(rows, columns) >= self._reduction:
            coarse = self.reduce(_as_maps(tokens, rows, columns)).flatten(2).transpose(1, 2)
        else:
            coarse = tokens
        key, value = self.key_value(self.norm(coarse)).chunk(2, dim=-1)
        mixed = scaled_dot_product_attention(
            self._split(self.query(tokens)), self._split(key), self._split(value)
        )
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self._heads, -1)).transpose(1, 2)


def _as_maps(tokens: Tensor, rows: int, columns: int) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, (rows, columns))
