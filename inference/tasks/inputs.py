"""What a task does to its input before the network's own preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.runner.adapter import ModelInput

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: What is above counts as inside: of a mask every segment, of a probability what is likelier than not.
INSIDE = 0.5


def shown_within(volume: ModelInput, feed: str | None) -> NDArray[np.float32]:
    """The voxels, with the darkest value where a feed is empty; unchanged where no feed is named.

    Parameters
    ----------
    feed
        `<model>.<array>`: a mask, or a probability.

    Raises
    ------
    InferenceFailed
        If the feed was not handed over.
    """
    if feed is None:
        return volume.voxels
    if feed not in volume.feeds:
        raise InferenceFailed(f"{feed} is needed, but the model that should give it has no such array")
    values = np.asarray(volume.feeds[feed], dtype=np.float32)
    inside = values > INSIDE
    return np.where(inside, volume.voxels, volume.voxels.min()).astype(np.float32)


def noise_input(shape: tuple[int, int, int] = (4, 32, 32)) -> ModelInput:
    """A small axial volume of noise with voxels of 1 mm, the same each time."""
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    return ModelInput(np.random.default_rng(0).random(shape, dtype=np.float32), affine)
