"""Cuts healthy heads (NIfTI) into slices for training and tests of `mr-brain-tumour`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import nibabel
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Millimetres below the vertex: where the brain lies, and where its middle does.
BRAIN, MID_BRAIN = (20.0, 130.0), (35.0, 95.0)
#: Height of a coronal or sagittal picture, from the vertex down.
HEAD_HEIGHT = 190.0


@dataclass(frozen=True)
class Head:
    """Voxels with axes that run right, anterior, superior, and their size in mm."""

    voxels: NDArray[np.float32]
    size: tuple[float, float, float]

    @classmethod
    def read(cls, path: Path) -> Head:
        """Read a NIfTI file and turn it."""
        image: Any = nibabel.as_closest_canonical(nibabel.load(path))
        voxels = np.asarray(image.dataobj, dtype=np.float32)
        x, y, z = image.header.get_zooms()[:3]
        return cls(voxels[..., 0] if voxels.ndim > 3 else voxels, (float(x), float(y), float(z)))

    def axial(self, step_mm: float, between: tuple[float, float] = BRAIN) -> Iterator[NDArray[np.uint8]]:
        """Slices from head to foot; rows run to posterior."""
        top = self._extent(2)[1]
        for below in np.arange(between[0], between[1], step_mm):
            place = int(top - below / self.size[2])
            if 0 <= place < self.voxels.shape[2]:
                yield self._picture(self.voxels[:, :, place], self.size[0], self.size[1])

    def coronal(self, step_mm: float) -> Iterator[NDArray[np.uint8]]:
        """Slices through the middle of the head; rows run to the feet."""
        yield from self._upright(1, step_mm)

    def sagittal(self, step_mm: float) -> Iterator[NDArray[np.uint8]]:
        """Slices through the middle of the head; rows run to the feet."""
        yield from self._upright(0, step_mm)

    def _upright(self, axis: int, step_mm: float) -> Iterator[NDArray[np.uint8]]:
        first, last = self._extent(axis)
        lowest = max(0, int(self._extent(2)[1] - HEAD_HEIGHT / self.size[2]))
        margin = 0.2 * (last - first)
        for place in np.arange(first + margin, last - margin, step_mm / self.size[axis]).astype(int):
            plane = np.take(self.voxels, place, axis=axis)[:, lowest:]
            yield self._picture(plane, self.size[1 - axis], self.size[2])

    def _extent(self, axis: int) -> tuple[int, int]:
        bright = self.voxels > 0.15 * np.percentile(self.voxels, 99)
        share = bright.mean(axis=tuple(n for n in range(3) if n != axis))
        places = np.flatnonzero(share > 0.1 * share.max())
        return int(places[0]), int(places[-1])

    def _picture(self, plane: NDArray[np.float32], across: float, down: float) -> NDArray[np.uint8]:
        low, high = np.percentile(plane, [0.5, 99.7])
        grey = np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1) * 255
        shown = np.rot90(grey)
        rows, columns = shown.shape
        square = (round(columns * across / min(across, down)), round(rows * down / min(across, down)))
        out: NDArray[np.uint8] = cv2.resize(np.ascontiguousarray(shown), square).astype(np.uint8)
        return out
