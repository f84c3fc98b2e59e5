"""Feeds a network in batches that fit into the memory of a GPU."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from inference.runner.adapter import LoadedNetwork

#: Images that are given to a network at once, to begin with.
BATCH = 16


class Batches:
    """Runs a network over many images; a batch too large for the GPU is halved, and stays so."""

    def __init__(self, network: LoadedNetwork, size: int = BATCH) -> None:
        self._network = network
        self._size = max(1, size)

    def outputs(self, images: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """All outputs of the network by name, for all images.

        Parameters
        ----------
        images
            (n, channels, ...).
        """
        parts = list(self._parts(images))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def output(self, images: NDArray[np.float32], name: str | None = None) -> NDArray[np.float32]:
        """One output, float32: the named one, or the first.

        Raises
        ------
        InferenceFailed
            If the network has no such output, or it holds values that are no numbers.
        """
        return chosen(self.outputs(images), name)

    def _parts(self, images: NDArray[np.float32]) -> Iterator[Mapping[str, NDArray[np.float32]]]:
        done = 0
        while done < len(images):
            try:
                part = self._network(images[done : done + self._size])
            except Exception as exc:
                if self._size == 1 or type(exc).__name__ != "OutOfMemoryError":
                    raise
                self._size = (self._size + 1) // 2
                release_gpu_memory()
                continue
            yield part
            done += self._size


def chosen(outputs: Mapping[str, NDArray[np.float32]], name: str | None) -> NDArray[np.float32]:
    """One of a network's outputs; raises as `Batches.output` does."""
    if name is not None and name not in outputs:
        raise InferenceFailed(f"the network has no output {name!r}, only {', '.join(outputs)}")
    found = np.asarray(outputs[name] if name is not None else next(iter(outputs.values())), dtype=np.float32)
    if not np.isfinite(found).all():
        raise InferenceFailed("the network gave values that are no numbers")
    return found


def release_gpu_memory() -> None:
    """Give back what the allocator of torch keeps on the GPU; nothing where torch was not imported."""
    torch = sys.modules.get("torch")
    if torch is not None:
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()
