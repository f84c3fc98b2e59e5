"""Heads and chests of ellipsoids in HU, with known contents; the axes run right, anterior, superior."""

import numpy as np


def _grid(size_mm, spacing):
    axes = [np.arange(0, size, step) - size / 2 for size, step in zip(size_mm, spacing, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def _ellipsoid(grid, centre, radii):
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)) <= 1


def head(spacing=(2.0, 2.0, 2.5), defect=False):
    """HU of a head and the cavity of its skull: a shell with a hole and a canal below, eyes, ventricles."""
    grid = _grid((190, 220, 200), spacing)
    x, y, z = grid
    hu = np.full(x.shape, -1000.0)
    hu[_ellipsoid(grid, (0, 0, 5), (80, 95, 85))] = 40  # scalp
    neck = (np.hypot(x, y + 15) < 50) & (z < -40)
    hu[neck & (hu < -500)] = 45
    hu[_ellipsoid(grid, (0, 0, 5), (74, 89, 79))] = 900
    cavity = _ellipsoid(grid, (0, 0, 5), (67, 82, 72))
    hu[cavity] = 35
    hu[_ellipsoid(grid, (12, 5, 15), (8, 25, 10))] = 5  # one ventricle, on the right
    hu[_ellipsoid(grid, (-20, 40, 20), (3, 3, 3))] = 700  # a calcification
    canal = (np.hypot(x, y + 15) < 9) & (z < -60)
    vertebra = (np.hypot(x, y + 15) < 18) & (z < -78)
    hu[vertebra] = 700
    hu[canal] = 30
    if defect:
        hu[(x > 20) & (y > -60) & (y < 60) & (z > 0) & (hu > 500)] = 40
    return hu.astype(np.float32), cavity


def chest(spacing=(2.0, 2.0, 2.5)):
    """HU of a chest, its right and left lung, and what is emphysema in them."""
    grid = _grid((360, 260, 320), spacing)
    x, y, z = grid
    hu = np.full(x.shape, -1000.0)
    hu[((x / 165) ** 2 + (y / 115) ** 2) <= 1] = -90
    hu[((x / 150) ** 2 + (y / 100) ** 2) <= 1] = 45
    right = _ellipsoid(grid, (75, 0, 0), (58, 80, 120))
    left = _ellipsoid(grid, (-78, 0, 5), (50, 78, 115)) & ~_ellipsoid(grid, (-30, 45, -60), (45, 50, 60))
    emphysema = right & (z > 40)
    noise = np.random.default_rng(0).normal(0, 15, x.shape)
    for lung in (right, left):
        hu[lung] = -860
    hu[emphysema] = -990
    # Vessels: small ones belong to the lung, and are not dark.
    vessels = (right | left) & (np.hypot((y + 20) % 40 - 20, (z + 20) % 50 - 25) < 2.5)
    hu[vessels] = 40
    trachea = (np.hypot(x, y - 10) < 8) & (z > -10)
    hu[trachea] = -1000
    hu[(np.hypot(x, y + 80) < 15)] = 400
    air = hu < -500
    return np.where(air, hu + noise, hu).astype(np.float32), right, left, emphysema & ~vessels
