"""The files through which model processes get their inputs and give their arrays back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dicom_node.domain.errors import ModelProcessFailed
from inference.runner.arrays import pack_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.runner.source import RunInput


@dataclass(frozen=True, slots=True)
class HandedInput:
    """One input in files, as the process of any model reads it.

    Attributes
    ----------
    voxels, feeds
        Where its arrays lie; `None` where it is fed with nothing.
    arrays
        Where the arrays of the output shall lie.
    affine, kept
        As `RunInput` has them.
    """

    voxels: Path
    feeds: Path | None
    arrays: Path
    affine: list[list[float]] | None
    kept: tuple[int, ...] | None

    @property
    def request(self) -> dict[str, Any]:
        """What is said of it to the process."""
        return {
            "voxels": str(self.voxels),
            "feeds": str(self.feeds) if self.feeds else None,
            "arrays": str(self.arrays),
            "affine": self.affine,
            "kept": self.kept,
        }


class Handover:
    """Writes inputs into a folder, and removes them at the end.

    Attributes
    ----------
    voxel_bytes
        What the voxels of all inputs take.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._given: list[HandedInput] = []
        self.voxel_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The images themselves: no longer on the disk than needed.
        for handed in self._given:
            for path in (handed.voxels, handed.feeds, handed.arrays):
                if path is not None:
                    path.unlink(missing_ok=True)

    def give(self, given: RunInput, feeds: Mapping[str, NDArray[Any]]) -> HandedInput:
        """Write an input; from here on only the disk has it.

        Raises
        ------
        ModelProcessFailed
            If it cannot be written.
        """
        number = len(self._given)
        affine = given.affine
        handed = HandedInput(
            self._scratch / f"voxels-{number}.npy",
            self._scratch / f"feeds-{number}.npz" if feeds else None,
            self._scratch / f"prediction-{number}.npz",
            None if affine is None else affine.tolist(),
            given.kept,
        )
        self._given.append(handed)
        self.voxel_bytes += given.voxels.nbytes
        try:
            np.save(handed.voxels, given.voxels, allow_pickle=False)
            if handed.feeds is not None:
                handed.feeds.write_bytes(pack_arrays(feeds))
        except OSError as exc:
            raise ModelProcessFailed(f"arrays cannot be handed over ({exc.strerror})") from exc
        return handed
