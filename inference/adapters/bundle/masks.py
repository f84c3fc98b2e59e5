"""Masks of the manifest's segments from what a segmenting bundle gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.adapters.bundle.grid import SourceGrid
    from inference.adapters.bundle.run import BundleOutput

#: From this on a voxel belongs to a channel whose values were not made discrete.
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Outlined:
    """What was outlined, on the source's grid.

    Attributes
    ----------
    mask
        uint8 (slices, rows, columns), numbers of segments.
    probability
        float32 of the same shape, of any segment; `None` where the bundle gives only labels.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32] | None


def outlined(
    output: BundleOutput, grid: SourceGrid, *, segments: int, labels: Sequence[int] | None = None
) -> Outlined:
    """Map what a bundle gives to the segments of the manifest.

    Parameters
    ----------
    segments
        How many the manifest describes.
    labels
        For each of them the value (of a label map) or the channel that it has in the bundle; without it the
        first segment is 1 and so on. Where channels overlap, the later segment has the voxel.

    Raises
    ------
    InferenceFailed
        If the result cannot be mapped.
    """
    if output.final is None:
        raise InferenceFailed("the bundle's postprocessing keeps no prediction")
    final = torch.as_tensor(output.final)
    wanted = list(labels) if labels else _usual_labels(final.shape[0], segments)
    if len(wanted) != segments:
        raise InferenceFailed(f"adapter.parameters.labels names {len(wanted)} of {segments} segments")
    if final.shape[0] > 1 and not output.discrete:
        final = _discrete(final, activated=output.activated)
    values = grid.back(final, nearest=True)
    mask = np.zeros(values.shape[1:], dtype=np.uint8)
    found = np.rint(values[0]) if values.shape[0] == 1 else None
    for number, label in enumerate(wanted, 1):
        if found is not None:
            mask[found == label] = number
        elif label < values.shape[0]:
            mask[values[label] >= THRESHOLD] = number
        else:
            raise InferenceFailed(f"the bundle gives {values.shape[0]} channels; there is no channel {label}")
    soft = _foreground(output, wanted)
    return Outlined(mask, None if soft is None else np.clip(grid.back(soft, nearest=False)[0], 0, 1))


def _usual_labels(channels: int, segments: int) -> list[int]:
    return list(range(segments)) if channels == segments and channels > 1 else list(range(1, segments + 1))


def _discrete(final: torch.Tensor, *, activated: bool) -> torch.Tensor:
    """Channels of 0 and 1: the highest of exclusive ones, or each by itself."""
    if activated and not _exclusive(final):
        return (final >= THRESHOLD).to(final.dtype)
    highest = final.argmax(dim=0, keepdim=True)
    numbers = torch.arange(final.shape[0], device=final.device).reshape(-1, *[1] * (final.ndim - 1))
    return (highest == numbers).to(final.dtype)


def _foreground(output: BundleOutput, wanted: Sequence[int]) -> torch.Tensor | None:
    """Probability that a voxel belongs to any segment, (1, ...); `None` where only labels are given."""
    if output.soft is None or (output.discrete and output.soft is output.final):
        return None
    soft = torch.as_tensor(output.soft)
    if not output.activated:
        soft = torch.softmax(soft, dim=0) if soft.shape[0] > 1 else torch.sigmoid(soft)
    if soft.shape[0] == 1:
        return soft
    if 0 not in wanted and _exclusive(soft):
        return 1 - soft[:1]
    return soft[list(wanted)].max(dim=0, keepdim=True).values


def _exclusive(soft: torch.Tensor) -> bool:
    """Whether the channels share out one voxel among them, as softmax does."""
    some = soft.reshape(soft.shape[0], -1)[:, :1000].float().sum(dim=0)
    return bool(torch.allclose(some, torch.ones_like(some), atol=0.02))
