"""Statistics of the images that a model learned from, and how far an image lies from them.

The distance is that of Mahalanobis (1936) over standardised statistics, by the square root of their number:
about 1 for an image like those of the reference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import InvalidModelPackage
from dicom_node.domain.run import Reason, RejectionKind
from inference.gates.pixels import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: So much of the covariance is replaced by its diagonal: few images must not make a narrow reference.
_SHRINKAGE = 0.1
#: Images of the reference that may lie outside of the limit, and how far the limit is drawn from them.
_INSIDE_PERCENT, _ROOM = 99.0, 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Statistics of a reference.

    Attributes
    ----------
    mean, scale
        Of each fact; one that never changed has scale 1.
    precision
        Inverse covariance of the standardised facts.
    limit
        Farthest distance that passes.
    """

    facts: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    precision: NDArray[np.float64]
    limit: float

    def distance(self, facts: Mapping[str, float]) -> tuple[float, str]:
        """How far an image lies from the reference, and the fact that differs most."""
        values = np.array([facts.get(name, np.nan) for name in self.facts])
        if not np.isfinite(values).all():
            return float("inf"), self.facts[int(np.argmin(np.isfinite(values)))]
        z = (values - self.mean) / self.scale
        squared = max(0.0, float(z @ self.precision @ z))
        return float(np.sqrt(squared / len(z))), self.facts[int(np.argmax(np.abs(z)))]


def fit_reference(
    measured: Sequence[Mapping[str, float]], facts: Sequence[str] = STATISTICS
) -> dict[str, Any]:
    """The reference of images by what `measure_pixels` said of each, ready for JSON.

    Raises
    ------
    ValueError
        If there are too few images: as many as statistics at least.
    """
    values = np.array([[one[name] for name in facts] for one in measured], dtype=np.float64)
    if len(values) < max(len(facts), 3):
        raise ValueError(
            f"{len(values)} images are too few for a reference, {len(facts)} are needed at least"
        )
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1.0
    standard = (values - mean) / scale
    covariance = np.cov(standard, rowvar=False)
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * np.eye(len(facts))
    precision: NDArray[np.float64] = np.asarray(np.linalg.inv(shrunk), dtype=np.float64)
    reference = Reference(tuple(facts), mean, scale, precision, np.inf)
    distances = [reference.distance(one)[0] for one in measured]
    return {
        "facts": list(facts),
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "precision": precision.tolist(),
        "limit": float(np.percentile(distances, _INSIDE_PERCENT)) * _ROOM,
        "count": len(values),
    }


def read_reference(path: Path) -> Reference:
    """Read what `fit_reference` gave, from a JSON file of a package.

    Raises
    ------
    InvalidModelPackage
        If there is none, or it is broken.
    """
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as exc:
        raise InvalidModelPackage(f"gates.reference: {path.name} cannot be read ({exc.strerror})") from exc
    return _read(path, stamp)


def check_reference(reference: Reference, facts: Mapping[str, float], subject: str) -> Reason:
    """Whether images are like those that the model learned from."""
    distance, most = reference.distance(facts)
    passed = distance <= reference.limit
    name = most.removeprefix("stat_").replace("_", " ")
    text = (
        f"distance to the images that the model learned from is {distance:.2f}, at most {reference.limit:.2f}"
    )
    if not passed:
        text = (
            f"the images are unlike those that the model learned from (distance {distance:.2f}, at most"
            f" {reference.limit:.2f}; most in {name}): check whether this is the right series for the model"
        )
    return Reason(
        subject, "gate.reference", passed, text, None if passed else RejectionKind.OUT_OF_DISTRIBUTION
    )


@lru_cache(maxsize=64)
def _read(path: Path, stamp: int) -> Reference:  # noqa: ARG001  a file that was written anew is read anew
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        reference = Reference(
            facts=tuple(str(name) for name in raw["facts"]),
            mean=np.array(raw["mean"], dtype=np.float64),
            scale=np.array(raw["scale"], dtype=np.float64),
            precision=np.array(raw["precision"], dtype=np.float64),
            limit=float(raw["limit"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidModelPackage(
            f"gates.reference: {path.name} is no reference ({type(exc).__name__})"
        ) from exc
    count = len(reference.facts)
    shapes = (reference.mean.shape, reference.scale.shape, reference.precision.shape)
    finite = all(np.isfinite(a).all() for a in (reference.mean, reference.scale, reference.precision))
    if (
        not count
        or shapes != ((count,), (count,), (count, count))
        or not finite
        or (reference.scale <= 0).any()
    ):
        raise InvalidModelPackage(f"gates.reference: {path.name} is no reference: make it with fit_reference")
    return reference
