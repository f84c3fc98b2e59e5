"""Feeds a network in batches that fit into the memory of a GPU."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from inference.runner.adapter import LoadedNetwork

    Outputs = Mapping[str, NDArray[np.float32]]

#: Images that are given to a network at once, to begin with.
BATCH = 16

T = TypeVar("T")


class Batches:
    """Runs a network over many images; a batch too large for the GPU is halved, and stays so."""

    def __init__(self, network: LoadedNetwork, size: int = BATCH) -> None:
        self._network = network
        self._size = max(1, size)

    def each(self, inputs: Iterable[tuple[NDArray[np.float32], T]]) -> Iterator[tuple[T, Outputs]]:
        """All outputs of the network for the images of each input, in order; inputs share batches.

        An input is asked for when a batch needs more images, and its outputs come once all of it was shown.

        Parameters
        ----------
        inputs
            Images (n, channels, ...), n from 1, and what comes back beside their outputs.

        Raises
        ------
        InferenceFailed
            If inputs share a batch, and what the network gives is not one value for each image.
        """
        begun: deque[tuple[T, int]] = deque()
        made: deque[tuple[int, Outputs]] = deque()

        def images() -> Iterator[NDArray[np.float32]]:
            for shown, companion in inputs:
                begun.append((companion, len(shown)))
                yield from shown

        for part in self._parts(images()):
            made.append(part)
            while begun and begun[0][1] <= sum(count for count, _ in made):
                companion, count = begun.popleft()
                yield companion, _taken(made, count)

    def outputs(self, images: NDArray[np.float32]) -> Outputs:
        """All outputs of the network by name, for all images.

        Parameters
        ----------
        images
            (n, channels, ...).
        """
        return next(self.each([(images, None)]))[1]

    def output(self, images: NDArray[np.float32], name: str | None = None) -> NDArray[np.float32]:
        """One output, float32: the named one, or the first.

        Raises
        ------
        InferenceFailed
            If the network has no such output, or it holds values that are no numbers.
        """
        return chosen(self.outputs(images), name)

    def _parts(self, images: Iterator[NDArray[np.float32]]) -> Iterator[tuple[int, Outputs]]:
        """How many images were shown at once, and what the network gave for them."""
        waiting: list[NDArray[np.float32]] = []
        while True:
            waiting += islice(images, max(0, self._size - len(waiting)))
            if not waiting:
                return
            batch = _alike(waiting[: self._size])
            try:
                part = self._network(batch[0][np.newaxis] if len(batch) == 1 else np.stack(batch))
            except Exception as exc:
                if self._size == 1 or type(exc).__name__ != "OutOfMemoryError":
                    raise
                self._size = (self._size + 1) // 2
                release_gpu_memory()
                continue
            del waiting[: len(batch)]
            yield len(batch), part


def chosen(outputs: Outputs, name: str | None) -> NDArray[np.float32]:
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


def _alike(images: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The first images as far as they are of one shape."""
    other = (number for number, image in enumerate(images) if image.shape != images[0].shape)
    return images[: next(other, len(images))]


def _taken(made: deque[tuple[int, Outputs]], count: int) -> Outputs:
    """Outputs of the first `count` images, which leave `made`."""
    parts: list[Outputs] = []
    while count:
        there, part = made.popleft()
        if there > count:
            _check_by_image(part, there)
            made.appendleft((there - count, {name: values[count:] for name, values in part.items()}))
            there, part = count, {name: values[:count] for name, values in part.items()}
        parts.append(part)
        count -= there
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_by_image(part: Outputs, images: int) -> None:
    if any(values.ndim == 0 or len(values) != images for values in part.values()):
        raise InferenceFailed(
            f"the network does not give one value of each output for each of {images} images; say"
            " `batch: 1` under preprocessing"
        )
