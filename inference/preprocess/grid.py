"""Brings a volume to the grid and the intensities of a three-dimensional network, and results back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import InvalidModelPackage
from inference.preprocess.intensity import Intensity
from inference.preprocess.orientation import AxisOrder, closest_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Triple = tuple[int, int, int]

ACQUIRED = "acquired"
_AS_ACQUIRED = AxisOrder((0, 1, 2), (False, False, False))
_KEYS = {"channels", "orientation", "spacing_mm", "size", "divisor", "patch", "overlap", "intensity"}


@dataclass(frozen=True, slots=True)
class GridRules:
    """How a volume becomes a network's input; `adapter.preprocessing` of a manifest.

    Attributes
    ----------
    orientation
        Where the network's three axes run: `RAS` (right, anterior, superior: what nibabel and MONAI call
        so), any other three letters, or `acquired` (slices, rows, columns).
    spacing_mm
        Of the network's voxels along its axes; `None` leaves the spacing as it is.
    size
        Voxels of the network's input along its axes, stretched to it; instead of `spacing_mm`.
    divisor
        The input is filled up to a multiple of it along each axis.
    patch
        Of a sliding window, voxels along each axis; `None` shows the network the whole volume at once.
    overlap
        Of neighbouring windows, as a share of the patch.
    channels
        Of the network's input; the volume is repeated.
    """

    orientation: str
    spacing_mm: tuple[float, float, float] | None
    size: Triple | None
    divisor: int
    patch: Triple | None
    overlap: float
    channels: int
    intensity: Intensity

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> GridRules:
        """Read `adapter.preprocessing`.

        Raises
        ------
        InvalidModelPackage
            If a key is unknown or of the wrong kind.
        """
        if unknown := sorted(set(raw) - _KEYS):
            raise InvalidModelPackage(
                f"preprocessing: unknown key {unknown[0]} (of volumes there are {', '.join(sorted(_KEYS))};"
                " single pictures have size: [rows, columns])"
            )
        try:
            spacing, size, patch = (_triple(raw.get(key), key) for key in ("spacing_mm", "size", "patch"))
            rules = cls(
                orientation=str(raw.get("orientation", "RAS")),
                spacing_mm=spacing,
                size=_whole(size),
                divisor=int(raw.get("divisor", 1)),
                patch=_whole(patch),
                overlap=float(raw.get("overlap", 0.25)),
                channels=int(raw.get("channels", 1)),
                intensity=Intensity.of(raw.get("intensity", {"percentiles": [1, 99]})),
            )
        except (TypeError, ValueError) as exc:
            raise InvalidModelPackage("preprocessing: a number was expected") from exc
        rules._check()
        return rules

    def _check(self) -> None:
        if self.spacing_mm is not None and self.size is not None:
            raise InvalidModelPackage("preprocessing: spacing_mm and size exclude each other")
        if self.divisor < 1 or self.channels < 1 or not 0 <= self.overlap < 1:
            raise InvalidModelPackage(
                "preprocessing: divisor and channels are positive, overlap is from 0 to below 1"
            )
        if self.orientation != ACQUIRED:
            closest_axes(np.eye(4), self.orientation)


@dataclass(frozen=True, slots=True)
class GridPlacement:
    """Where the network's grid lies in the volume.

    The grid covers the same space as the turned volume, edge to edge; behind its end it may be filled up.

    Attributes
    ----------
    order
        How the volume is turned.
    source
        Voxels of the turned volume along its axes.
    size
        Voxels of the grid, without what was filled up.
    """

    order: AxisOrder
    source: Triple
    size: Triple

    def to_source(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring values on the filled-up grid back to the volume, interpolated linearly.

        Parameters
        ----------
        values
            float32, three axes as the network has them.

        Returns
        -------
        NDArray
            float32 (slices, rows, columns) of the volume.
        """
        inside = values[tuple(slice(0, n) for n in self.size)]
        return np.ascontiguousarray(self.order.turned_back(resample(inside, self.source)))

    def boxes_to_source(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring boxes back to the volume, cut off at its ends.

        Parameters
        ----------
        boxes
            (n, 6) on the grid: where they begin, then where they end.
        """
        shape = np.array(self.source)
        scale = shape / np.array(self.size)
        begin, end = (np.clip(boxes[:, part] * scale, 0, shape) for part in (slice(0, 3), slice(3, 6)))
        return self.order.edges_back(begin, end, self.source)


def prepare_grid(
    voxels: NDArray[np.float32], affine: NDArray[np.float64] | None, rules: GridRules
) -> tuple[NDArray[np.float32], GridPlacement]:
    """Make a network's input of a volume.

    Parameters
    ----------
    voxels
        (slices, rows, columns), not changed.
    affine
        (slice, row, column, 1) to LPS, mm; `None`: as acquired, and no change of spacing.

    Returns
    -------
    NDArray
        float32 (channels, ...) on the network's axes.
    GridPlacement
        The way back.

    Raises
    ------
    InferenceFailed
        If the affine spans no space.
    """
    order = _AS_ACQUIRED
    if affine is not None and rules.orientation != ACQUIRED:
        order = closest_axes(affine, rules.orientation)
    turned = order.turned(voxels)
    size = _size(turned.shape, affine, order, rules)
    image = resample(rules.intensity.scaled(turned), size)
    placement = GridPlacement(order, _three(turned.shape), size)
    filled = tuple(-(-n // rules.divisor) * rules.divisor for n in size)
    if filled != size:
        image = np.pad(
            image,
            [(0, after - n) for n, after in zip(size, filled, strict=True)],
            constant_values=image.min(),
        )
    return np.ascontiguousarray(np.repeat(image[np.newaxis], rules.channels, axis=0)), placement


def resample(values: NDArray[np.float32], size: Triple) -> NDArray[np.float32]:
    """Linear interpolation to another number of voxels over the same space, edge to edge.

    The values themselves are given back where nothing changes. In the model process only.
    """
    if values.shape == size:
        return values
    import torch

    with torch.inference_mode():
        tensor = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
        made = torch.nn.functional.interpolate(tensor, size, mode="trilinear", align_corners=False)
    return np.asarray(made[0, 0].numpy())


def _size(
    shape: tuple[int, ...], affine: NDArray[np.float64] | None, order: AxisOrder, rules: GridRules
) -> Triple:
    if rules.size is not None:
        return rules.size
    if rules.spacing_mm is None or affine is None:
        return _three(shape)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[list(order.axes)]
    wanted = np.maximum(1, np.round(np.array(shape) * spacing / np.array(rules.spacing_mm)))
    return _three([int(n) for n in wanted])


def _triple(raw: Any, key: str) -> tuple[float, float, float] | None:
    if raw is None:
        return None
    if not isinstance(raw, list | tuple) or len(raw) != 3:
        raise InvalidModelPackage(f"preprocessing, {key}: three numbers, one for each axis of the network")
    first, second, third = (float(x) for x in raw)
    if min(first, second, third) <= 0:
        raise InvalidModelPackage(f"preprocessing, {key}: positive numbers")
    return first, second, third


def _whole(raw: tuple[float, float, float] | None) -> Triple | None:
    return None if raw is None else _three([int(x) for x in raw])


def _three(values: Any) -> Triple:
    first, second, third = values
    return int(first), int(second), int(third)
