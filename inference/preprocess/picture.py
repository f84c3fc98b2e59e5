"""Makes the array that a network sees of one two-dimensional image, the same in training and in serving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Foreground is what is brighter than this share of the range; smaller specks are letters and noise.
FOREGROUND_LEVEL = 0.12
FOREGROUND_MIN_SHARE = 0.02
#: Kept around the foreground, as a share of its larger side.
FOREGROUND_MARGIN = 0.04
#: Quantiles are taken of no more than about this many pixels along each side.
QUANTILE_SIDE = 192
FITS = ("pad", "stretch", "crop")


@dataclass(frozen=True, slots=True)
class PictureRules:
    """How an image becomes a network's input; `adapter.preprocessing` of a manifest.

    Attributes
    ----------
    channels
        Of the network's input; a grey image is repeated.
    size
        Rows and columns of the network's input.
    fit
        `pad` keeps the proportions and fills up with the darkest value, `crop` keeps them and cuts the
        longer side, `stretch` does not keep them.
    foreground_crop
        Cut the dark surroundings away first.
    percentiles, window, value_range
        Exactly one is set: the intensities that become 0 and 1, as percentiles of the image, as window
        centre and width, or as lowest and highest value.
    mean, std
        Of each channel, on the scale of 0 to 1.
    """

    channels: int
    size: tuple[int, int]
    fit: str
    foreground_crop: bool
    percentiles: tuple[float, float] | None
    window: tuple[float, float] | None
    value_range: tuple[float, float] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> PictureRules:
        """Read `adapter.preprocessing`.

        Raises
        ------
        InvalidModelPackage
            If a key is missing, unknown or of the wrong kind.
        """
        known = {"channels", "size", "fit", "foreground_crop", "intensity", "mean", "std"}
        if unknown := sorted(set(raw) - known):
            raise InvalidModelPackage(f"preprocessing: unknown key {unknown[0]}")
        try:
            channels = int(raw.get("channels", 1))
            intensity = dict(raw.get("intensity", {"percentiles": [1, 99]}))
            rows, columns = raw["size"]
            rules = cls(
                channels=channels,
                size=(int(rows), int(columns)),
                fit=str(raw.get("fit", "pad")),
                foreground_crop=bool(raw.get("foreground_crop", False)),
                percentiles=_pair(intensity.pop("percentiles", None)),
                window=_pair(intensity.pop("window", None)),
                value_range=_pair(intensity.pop("range", None)),
                mean=tuple(float(x) for x in raw.get("mean", [0.0] * channels)),
                std=tuple(float(x) for x in raw.get("std", [1.0] * channels)),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise InvalidModelPackage("preprocessing: needs size: [rows, columns] and numbers") from exc
        rules._check(intensity)
        return rules

    def _check(self, unknown: Mapping[str, Any]) -> None:
        if sum(x is not None for x in (self.percentiles, self.window, self.value_range)) != 1 or unknown:
            raise InvalidModelPackage("preprocessing: intensity is one of percentiles, window or range")
        if self.fit not in FITS:
            raise InvalidModelPackage(f"preprocessing: fit is one of {', '.join(FITS)}")
        if self.channels not in (1, 3) or min(self.size) < 1:
            raise InvalidModelPackage("preprocessing: channels is 1 or 3, size is positive")
        if len(self.mean) != self.channels or len(self.std) != self.channels or min(self.std) <= 0:
            raise InvalidModelPackage(
                "preprocessing: mean and std have a number for each channel, std above 0"
            )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the network's input lies in the image.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    box
        First row, first column, rows and columns of the part of the image that is shown; it may reach
        beyond the image, where the input was filled up.
    size
        Rows and columns of the input.
    """

    shape: tuple[int, int]
    box: tuple[float, float, float, float]
    size: tuple[int, int]

    def to_source(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a map over the input (of any size, `(rows, columns)`) back to the image's pixels.

        Returns
        -------
        NDArray
            float32 of `shape`; 0 where the network saw nothing.
        """
        top, left, height, width = self.box
        rows, columns = values.shape
        # Pixel centres: the map's pixel k covers [k, k + 1) of the box's share.
        matrix = np.array(
            [
                [columns / width, 0, (0.5 - left) * columns / width - 0.5],
                [0, rows / height, (0.5 - top) * rows / height - 0.5],
            ]
        )
        warped = cv2.warpAffine(
            np.ascontiguousarray(values, dtype=np.float32),
            matrix,
            (self.shape[1], self.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        seen = np.zeros(self.shape, dtype=bool)
        seen[
            max(0, round(top)) : max(0, round(top + height)),
            max(0, round(left)) : max(0, round(left + width)),
        ] = True
        return np.where(seen, warped, np.float32(0)).astype(np.float32)

    def mask_from_source(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Show a mask over the image's pixels on the input's; the nearest value, 0 beyond the image."""
        top, left, height, width = self.box
        rows, columns = self.size
        matrix = np.array(
            [
                [width / columns, 0, left + 0.5 * width / columns - 0.5],
                [0, height / rows, top + 0.5 * height / rows - 0.5],
            ]
        )
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(mask, matrix, (columns, rows), flags=flags), dtype=np.uint8)


def prepare_picture(image: NDArray[Any], rules: PictureRules) -> tuple[NDArray[np.float32], Placement]:
    """Make a network's input of one image.

    Parameters
    ----------
    image
        `(rows, columns)` or `(rows, columns, 3)` in RGB, any number type, not changed.

    Returns
    -------
    NDArray
        float32, `(channels, rows, columns)`.
    Placement
        The way back to the image's pixels.

    Raises
    ------
    InferenceFailed
        If the array is no image.
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or min(image.shape) < 1:
        raise InferenceFailed("an image of (rows, columns) or (rows, columns, 3) was expected")
    pixels = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    if pixels.ndim == 3 and rules.channels == 1:
        pixels = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    scaled = _scale(pixels, rules)
    grey = scaled if scaled.ndim == 2 else scaled.mean(axis=2)
    box = _box(grey, rules)
    shown = _resample(scaled, box, rules.size)
    if shown.ndim == 2:
        shown = np.repeat(shown[..., None], rules.channels, axis=2)
    normal = (shown - np.array(rules.mean, dtype=np.float32)) / np.array(rules.std, dtype=np.float32)
    placement = Placement((grey.shape[0], grey.shape[1]), box, rules.size)
    return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32), placement


def _scale(pixels: NDArray[np.float32], rules: PictureRules) -> NDArray[np.float32]:
    if rules.percentiles is not None:
        step = max(1, min(pixels.shape[:2]) // QUANTILE_SIDE)
        low, high = np.percentile(pixels[::step, ::step], rules.percentiles)
    elif rules.window is not None:
        centre, width = rules.window
        low, high = centre - width / 2, centre + width / 2
    else:
        low, high = rules.value_range or (0.0, 1.0)
    if high <= low:
        return np.zeros_like(pixels)
    scaled: NDArray[np.float32] = np.clip((pixels - np.float32(low)) / np.float32(high - low), 0, 1)
    return scaled


def _box(grey: NDArray[np.float32], rules: PictureRules) -> tuple[float, float, float, float]:
    top, left, height, width = (
        foreground_box(grey)
        if rules.foreground_crop
        else (0.0, 0.0, float(grey.shape[0]), float(grey.shape[1]))
    )
    if rules.fit == "stretch":
        return top, left, height, width
    # Pixels of the image for each pixel of the input.
    ratios = (height / rules.size[0], width / rules.size[1])
    ratio = max(ratios) if rules.fit == "pad" else min(ratios)
    new_height, new_width = rules.size[0] * ratio, rules.size[1] * ratio
    return top + (height - new_height) / 2, left + (width - new_width) / 2, new_height, new_width


def foreground_box(grey: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """First row, first column, rows and columns of what is brighter than the surroundings.

    Parameters
    ----------
    grey
        `(rows, columns)`, 0 to 1.

    Returns
    -------
    tuple
        In pixels, with a margin, inside the image; the whole image where nothing stands out.
    """
    rows, columns = grey.shape
    bright = (grey > FOREGROUND_LEVEL).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    del labels
    boxes = [stats[n] for n in range(1, count) if stats[n][4] >= FOREGROUND_MIN_SHARE * rows * columns]
    if not boxes:
        return 0.0, 0.0, float(rows), float(columns)
    left = min(int(b[0]) for b in boxes)
    top = min(int(b[1]) for b in boxes)
    right = max(int(b[0] + b[2]) for b in boxes)
    bottom = max(int(b[1] + b[3]) for b in boxes)
    margin = round(FOREGROUND_MARGIN * max(bottom - top, right - left))
    top, left = max(0, top - margin), max(0, left - margin)
    bottom, right = min(rows, bottom + margin), min(columns, right + margin)
    return float(top), float(left), float(bottom - top), float(right - left)


def _resample(
    image: NDArray[np.float32], box: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Show `box` of `image` on `size` pixels; averages where it shrinks, 0 beyond the image."""
    top, left, height, width = box
    # Two steps: whole pixels by area first, so that a warp never skips pixels, then the exact place.
    shrink = max(1.0, min(height / size[0], width / size[1]))
    if shrink > 1.0:
        rows, columns = image.shape[:2]
        new = (max(1, round(columns / shrink)), max(1, round(rows / shrink)))
        image = cv2.resize(image, new, interpolation=cv2.INTER_AREA).astype(np.float32)
        y, x = new[1] / rows, new[0] / columns
        top, left, height, width = top * y, left * x, height * y, width * x
    matrix = np.array(
        [
            [width / size[1], 0, left + 0.5 * width / size[1] - 0.5],
            [0, height / size[0], top + 0.5 * height / size[0] - 0.5],
        ]
    )
    shown: NDArray[np.float32] = cv2.warpAffine(
        image,
        matrix,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return shown


def _pair(raw: Any) -> tuple[float, float] | None:
    if raw is None:
        return None
    low, high = raw
    return float(low), float(high)
