"""A mixture of three Gaussians under a smooth bias field, by expectation maximisation.

References
----------
Wells et al., Adaptive segmentation of MRI data, IEEE Trans Med Imaging 1996; Van Leemput et al., Automated
model-based bias field correction of MR images of the brain, IEEE Trans Med Imaging 1999 (the field, and the
neighbourhood that steadies the labels).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.legendre import legvander
from scipy.ndimage import convolve1d, zoom

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The field and the Gaussians are fitted on a grid of about this spacing, mm.
FITTING_GRID_MM = 3.0
#: Order of the polynomial that the field is. With a higher one it takes the cortex's darkness for its own
#: (seen on the ICBM 152 template), and the longer the more.
FIELD_ORDER = 1
ITERATIONS = 15
#: How much a voxel's six neighbours count, against its own brightness.
NEIGHBOURS = 0.4
#: Where the Gaussians begin: quantiles of the brightness inside.
_START = (0.08, 0.45, 0.82)
#: No tissue is narrower than this share of the range of brightness.
_NARROWEST = 0.02
_FIELD_RANGE = (0.2, 5.0)
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Mixture:
    """Three tissues, from dark to bright.

    Attributes
    ----------
    means, deviations, weights
        Of the brightness that is left when the field is taken out, where 1 is about the brightest tissue.
    field
        float32, of the fitted image's shape: what the brightness is divided by.
    """

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    weights: NDArray[np.float64]
    field: NDArray[np.float32]

    def posterior(self, voxels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each tissue, (3, *shape), by a voxel's own brightness."""
        return _posterior(voxels / self.field, self.means, self.deviations, self.weights)


def fit_mixture(
    voxels: NDArray[np.float32], inside: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> Mixture:
    """Fit to the voxels that lie inside.

    Parameters
    ----------
    voxels, inside
        (slices, rows, columns).
    spacing
        Of the voxels along these axes, mm.

    Raises
    ------
    ValueError
        If there is nothing to fit to: too few voxels, or all of one brightness.
    """
    steps = [max(1, round(FITTING_GRID_MM / one)) for one in spacing]
    grid = tuple(slice(step // 2, None, step) for step in steps)
    image = voxels[grid].astype(np.float64)
    mask = inside[grid]
    if int(mask.sum()) < 300:
        raise ValueError("too few voxels")
    low, high = np.percentile(image[mask], (0.5, 99.5))
    if not high > max(low, 0.0):
        raise ValueError("the image has one brightness only")
    # Nothing is taken off: the field multiplies what is there.
    image = np.clip(image, max(low, 0.0), high) / high
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij"), axis=-1)
    brightness = image[mask]
    terms = _terms(places[mask])
    field = np.ones_like(brightness)
    means = np.quantile(brightness, _START)
    deviations = np.full(3, float(brightness.std()) / 2)
    weights = np.full(3, 1 / 3)
    for _ in range(ITERATIONS):
        corrected = brightness / field
        belongs = _posterior(corrected, means, deviations, weights).astype(np.float64)
        means, deviations, weights = _moments(corrected, belongs, float(np.ptp(corrected)))
        shape = _field(brightness, belongs, means, deviations, terms)
        field = np.clip(terms @ shape, *_FIELD_RANGE)
        # The scale belongs to the means.
        scale = float(np.exp(np.log(field).mean()))
        field /= scale
    order = np.argsort(means)
    whole = np.clip(_terms(places.reshape(-1, 3)) @ shape / scale, *_FIELD_RANGE).reshape(image.shape)
    factors = [wanted / has for wanted, has in zip(voxels.shape, image.shape, strict=True)]
    full = zoom(whole.astype(np.float32), factors, order=1, mode="nearest", grid_mode=True) * np.float32(high)
    return Mixture(means[order], deviations[order], weights[order], full)


def steady(posterior: NDArray[np.float32], inside: NDArray[np.bool_], rounds: int = 3) -> NDArray[np.float32]:
    """Let neighbours agree: mean-field steps of a Markov random field over the six nearest voxels.

    Parameters
    ----------
    posterior
        (tissues, slices, rows, columns).

    Returns
    -------
    NDArray
        Of the same shape, 0 outside.
    """
    own = np.log(posterior + _TINY)
    current = posterior * inside
    for _ in range(rounds):
        energy = own + np.float32(NEIGHBOURS) * _around(current)
        energy -= energy.max(axis=0)
        current = np.exp(energy)
        current *= inside / current.sum(axis=0)
    return np.asarray(current, dtype=np.float32)


def coherence(posterior: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Share of the voxels inside whose six neighbours, without them, speak for the same tissue.

    A third where the image is noise: there a voxel's brightness tells nothing of the next one's.
    """
    near = _around(posterior * inside).argmax(axis=0)
    return float((near == posterior.argmax(axis=0))[inside].mean())


def _around(tissues: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of the six nearest voxels, tissue by tissue."""
    kernel = np.array([1.0, 0.0, 1.0], dtype=np.float32)
    total = convolve1d(tissues, kernel, axis=1, mode="constant")
    for axis in (2, 3):
        total += convolve1d(tissues, kernel, axis=axis, mode="constant")
    return np.asarray(total, dtype=np.float32)


def _posterior(
    values: NDArray[np.floating],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float32]:
    likelihood = np.stack(
        [
            np.log(weight / deviation) - 0.5 * np.square((values - mean) / deviation)
            for mean, deviation, weight in zip(means, deviations, weights, strict=True)
        ]
    ).astype(np.float32)
    likelihood -= likelihood.max(axis=0)
    np.exp(likelihood, out=likelihood)
    likelihood /= likelihood.sum(axis=0)
    return likelihood


def _moments(
    values: NDArray[np.float64], belongs: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    totals = belongs.sum(axis=1) + _TINY
    means = (belongs * values).sum(axis=1) / totals
    variances = (belongs * np.square(values - means[:, np.newaxis])).sum(axis=1) / totals
    # Halfway to what they have in common: alone, grey matter widens until it takes all mixed voxels.
    variances = (variances + (variances * totals).sum() / totals.sum()) / 2
    deviations = np.maximum(np.sqrt(variances), _NARROWEST * width)
    return means, deviations, np.maximum(totals / values.size, _TINY)


def _field(
    brightness: NDArray[np.float64],
    belongs: NDArray[np.float64],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    terms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Coefficients of the polynomial that, times each voxel's expected brightness, comes nearest to it."""
    precision = (belongs / np.square(deviations)[:, np.newaxis]).T
    seen = brightness * (precision @ means)
    expected = precision @ np.square(means)
    normal = terms.T @ (terms * expected[:, np.newaxis])
    return np.asarray(np.linalg.lstsq(normal, terms.T @ seen, rcond=None)[0], dtype=np.float64)


def _terms(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products of Legendre polynomials up to `FIELD_ORDER` in all, at places of -1 to 1: (points, terms)."""
    own = [legvander(places[:, axis], FIELD_ORDER) for axis in range(3)]
    orders = [
        order for order in itertools.product(range(FIELD_ORDER + 1), repeat=3) if sum(order) <= FIELD_ORDER
    ]
    return np.stack([own[0][:, i] * own[1][:, j] * own[2][:, k] for i, j, k in orders], axis=1)
