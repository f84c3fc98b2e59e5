"""Explains a classifier's decision, and brings the map back to the slices of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.explain.attribution import explain
from inference.explain.methods import ExplanationImpossible, choose_method, title
from inference.runner.adapter import Heat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.contract.outputs import ExplanationRequest
    from inference.preprocess.grid import GridPlacement
    from inference.preprocess.picture import Placement
    from inference.preprocess.slices import Cut
    from inference.runner.adapter import LoadedNetwork


@dataclass(frozen=True, slots=True)
class SliceView:
    """Slices of the input that a network was shown one by one.

    Attributes
    ----------
    cut
        Which slices, along which direction.
    placements
        Of the network's grid in each of them.
    shape
        (slices, rows, columns) of the input.
    """

    cut: Cut
    placements: tuple[Placement, ...]
    shape: tuple[int, int, int]

    @property
    def source_slices(self) -> tuple[int, ...]:
        """The slice of the input that each picture is, or nothing where the input was cut another way."""
        return self.cut.index if self.cut.is_acquired else ()

    def picked(self, weights: NDArray[np.floating], count: int) -> tuple[int, ...]:
        """The pictures to explain: those that weigh most, or all where they are no slices of the input."""
        if not self.cut.is_acquired:
            return tuple(range(len(weights)))
        return tuple(sorted(int(n) for n in np.argsort(-weights, kind="stable")[:count]))

    def to_source(
        self, maps: NDArray[np.float32], picked: tuple[int, ...], count: int
    ) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """Maps over pictures (n, rows, columns) as maps over slices of the input, and which slices."""
        plane = self.cut.slices(np.broadcast_to(np.float32(0), self.shape)).shape[1:3]
        drawn = np.stack(
            [
                self.cut.unstretched(self.placements[number].to_source(one), plane)
                for number, one in zip(picked, maps, strict=True)
            ]
        )
        if self.cut.is_acquired:
            return drawn, tuple(self.cut.index[number] for number in picked)
        volume = self.cut.order.turned_back(self._between(drawn, [self.cut.index[n] for n in picked]))
        return warmest(volume, count)

    def _between(self, drawn: NDArray[np.float32], index: list[int]) -> NDArray[np.float32]:
        """All slices of the cut, linearly between those that were explained, 0 beyond them."""
        length = self.cut.slices(np.broadcast_to(np.float32(0), self.shape)).shape[0]
        volume = np.zeros((length, *drawn.shape[1:]), np.float32)
        for k, first in enumerate(index):
            volume[first] = drawn[k]
            if k + 1 == len(index):
                break
            step = index[k + 1] - first
            for between in range(1, step):
                share = np.float32(between / step)
                volume[first + between] = (1 - share) * drawn[k] + share * drawn[k + 1]
        return volume


@dataclass(frozen=True, slots=True)
class GridView:
    """A whole volume that a network was shown at once."""

    placement: GridPlacement

    def picked(self, weights: NDArray[np.floating], count: int) -> tuple[int, ...]:  # noqa: ARG002
        """The one volume."""
        return (0,)

    def to_source(
        self,
        maps: NDArray[np.float32],
        picked: tuple[int, ...],  # noqa: ARG002
        count: int,
    ) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """A map over the volume (1, ...) as maps over the warmest slices of the input, and which slices."""
        return warmest(self.placement.to_source(maps[0]), count)


def draw_heat(
    network: LoadedNetwork,
    request: ExplanationRequest | None,
    view: SliceView | GridView,
    images: NDArray[np.float32],
    *,
    weights: NDArray[np.floating],
    target: tuple[int, str],
) -> Heat | None:
    """Explain why a class was said, on the slices that speak most for it.

    Parameters
    ----------
    images
        What the network was given, (n, channels, ...).
    weights
        Probability of the class for each of them.
    target
        The network's output to explain, and the class's name.

    Raises
    ------
    InferenceFailed
        If the manifest asks for a layer that the network does not have, say.
    """
    if request is None:
        return None
    picked = view.picked(weights, request.slices)
    try:
        method = choose_method(network, request.method)
        maps = explain(network, images[list(picked)], target[0], method, request.layers)
    except ExplanationImpossible as exc:
        raise InferenceFailed(f"explanation: {exc}") from exc
    values, slices = view.to_source(maps, picked, request.slices)
    return Heat(np.clip(values, 0, 1), slices, title(method), target[1])


def warmest(volume: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """The slices of a volume that hold the most heat, in their order, and which they are."""
    heat = volume.sum(axis=(1, 2))
    index = tuple(sorted(int(n) for n in np.argsort(-heat, kind="stable")[:count]))
    return np.ascontiguousarray(volume[list(index)]), index
