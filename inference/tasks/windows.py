"""Shows a network a large volume patch by patch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from monai.inferers import sliding_window_inference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class SlidingWindow:
    """Patches that overlap; where they do, their middles count more than their rims.

    Parameters
    ----------
    patch
        Voxels along each axis of the network's input.
    overlap
        Share of a patch that it has in common with its neighbour.
    batch
        Patches at once.
    """

    def __init__(self, patch: tuple[int, int, int], overlap: float, batch: int) -> None:
        self._patch = patch
        self._overlap = overlap
        self._batch = batch

    def run(
        self, image: NDArray[np.float32], predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """What the network gives for the whole image.

        Parameters
        ----------
        image
            (channels, ...); what is smaller than a patch is filled up with its darkest value meanwhile.
        predict
            (n, channels, ...) to (n, channels of the output, ...), float32.

        Returns
        -------
        NDArray
            float32 (1, channels of the output, ...).
        """
        with torch.inference_mode():
            made = sliding_window_inference(
                torch.from_numpy(image[np.newaxis]),
                self._patch,
                self._batch,
                lambda patches: torch.from_numpy(predict(patches.numpy())),
                overlap=self._overlap,
                mode="gaussian",
                cval=float(image.min()),
            )
        return np.asarray(made.numpy(), dtype=np.float32)
