"""Changes training images as scanners, exports and screens do, so that a network does not learn those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Grey = "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often and how strongly images are changed; every share is a probability.

    Attributes
    ----------
    scale, rotation_degrees, stretch, shift
        Largest change of size (as a factor), angle, proportion and place (as a share of the side).
    flip_columns, flip_rows, quarter_turn
        Mirroring left and right, up and down, and turning by 90 degrees.
    gamma, curve
        Exponent between 1/gamma and gamma; share of a random rising curve through four points.
    black_level
        Largest share of the range that is cut off at its dark end, in half of the images.
    bias_field, noise, blur, low_resolution, border, marker, erase, invert
        Shares of uneven brightness, noise, blur, images made coarse and fine again, borders added or cut,
        letters and boxes in the corners, patches left out, and black and white exchanged.
    coarsest
        Side, in pixels, of the coarsest copy.
    """

    scale: float = 1.25
    rotation_degrees: float = 20
    stretch: float = 1.12
    shift: float = 0.06
    flip_columns: float = 0.5
    flip_rows: float = 0.0
    quarter_turn: float = 0.0
    gamma: float = 1.6
    curve: float = 0.4
    black_level: float = 0.0
    bias_field: float = 0.3
    noise: float = 0.4
    blur: float = 0.25
    low_resolution: float = 0.3
    border: float = 0.4
    marker: float = 0.3
    erase: float = 0.15
    invert: float = 0.0
    coarsest: int = 64


def augment(image: NDArray[np.float32], how: Augmentation, rng: Generator) -> NDArray[np.float32]:
    """A changed copy, `(rows, columns)`, 0 to 1."""
    out = _turn(image, how, rng)
    out = _warp(out, how, rng)
    out = _tone(out, how, rng)
    if rng.random() < how.bias_field:
        out = out * _field(out.shape, rng)
    if rng.random() < how.erase:
        out = _erase(out, rng)
    if rng.random() < how.low_resolution:
        out = _coarse(out, how.coarsest, rng)
    if rng.random() < how.blur:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.4)))
    if rng.random() < how.noise:
        out = out + rng.standard_normal(out.shape, dtype=np.float32) * np.float32(rng.uniform(0.005, 0.07))
    if rng.random() < how.marker:
        out = _mark(out, rng)
    if rng.random() < how.border:
        out = _border(out, rng)
    out = np.clip(out, 0, 1)
    if rng.random() < how.invert:
        out = 1 - out
    return np.ascontiguousarray(out, dtype=np.float32)


def _turn(image: NDArray[np.float32], how: Augmentation, rng: Generator) -> NDArray[np.float32]:
    if rng.random() < how.flip_columns:
        image = image[:, ::-1]
    if rng.random() < how.flip_rows:
        image = image[::-1]
    if rng.random() < how.quarter_turn:
        image = np.rot90(image, int(rng.integers(1, 4)))
    return np.ascontiguousarray(image)


def _warp(image: NDArray[np.float32], how: Augmentation, rng: Generator) -> NDArray[np.float32]:
    rows, columns = image.shape
    scale = float(how.scale ** rng.uniform(-1, 1))
    stretch = float(how.stretch ** rng.uniform(-0.5, 0.5))
    angle = float(rng.uniform(-how.rotation_degrees, how.rotation_degrees))
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, scale)
    matrix[:, 2] += rng.uniform(-how.shift, how.shift, 2) * (columns, rows)
    matrix[0] *= stretch
    matrix[1] /= stretch
    edge = float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))
    warped: NDArray[np.float32] = cv2.warpAffine(
        image,
        matrix,
        (columns, rows),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=edge,
    )
    return warped


def _tone(image: NDArray[np.float32], how: Augmentation, rng: Generator) -> NDArray[np.float32]:
    out = np.clip(image, 0, 1)
    if how.black_level and rng.random() < 0.5:
        level = np.float32(rng.uniform(0, how.black_level))
        out = np.clip((out - level) / (1 - level), 0, 1)
    if rng.random() < how.curve:
        heights = np.sort(rng.random(4))
        points = np.concatenate([[0], np.linspace(0.2, 0.8, 4), [1]])
        out = np.interp(out, points, np.concatenate([[0], heights, [1]])).astype(np.float32)
    gamma = float(how.gamma ** rng.uniform(-1, 1))
    changed: NDArray[np.float32] = np.power(out, np.float32(gamma))
    return changed


def _field(shape: tuple[int, ...], rng: Generator) -> NDArray[np.float32]:
    coarse = rng.uniform(0.6, 1.3, (3, 3)).astype(np.float32)
    field: NDArray[np.float32] = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return field


def _erase(image: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    rows, columns = image.shape
    height, width = (max(1, int(side * rng.uniform(0.06, 0.2))) for side in (rows, columns))
    top, left = int(rng.integers(0, rows - height + 1)), int(rng.integers(0, columns - width + 1))
    out = image.copy()
    out[top : top + height, left : left + width] = rng.random()
    return out


def _coarse(image: NDArray[np.float32], coarsest: int, rng: Generator) -> NDArray[np.float32]:
    rows, columns = image.shape
    side = float(rng.uniform(coarsest, max(coarsest + 1, min(rows, columns))))
    share = min(1.0, side / min(rows, columns))
    small = (max(2, round(columns * share)), max(2, round(rows * share)))
    coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    fine: NDArray[np.float32] = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return fine


def _mark(image: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    rows, columns = image.shape
    # OpenCV writes letters into bytes only.
    out = np.zeros(image.shape, dtype=np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        x = int(columns * (rng.uniform(0.01, 0.15) if rng.random() < 0.5 else rng.uniform(0.75, 0.92)))
        y = int(rows * (rng.uniform(0.05, 0.18) if rng.random() < 0.5 else rng.uniform(0.85, 0.97)))
        brightness = float(rng.uniform(128, 255))
        if rng.random() < 0.3:
            side = max(2, int(min(rows, columns) * rng.uniform(0.02, 0.07)))
            cv2.rectangle(out, (x, y - side), (x + side, y), brightness, -1)
        else:
            text = "".join(rng.choice(list("LRPAHF0123456789"), int(rng.integers(1, 6))))
            cv2.putText(out, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, rows / 500 + 0.2, brightness, 1)
    marked: NDArray[np.float32] = np.maximum(image, out.astype(np.float32) / np.float32(255))
    return marked


def _border(image: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    rows, columns = image.shape
    if rng.random() < 0.5:
        top, bottom = (int(rows * rng.uniform(0, 0.08)) for _ in range(2))
        left, right = (int(columns * rng.uniform(0, 0.08)) for _ in range(2))
        return image[top : rows - bottom, left : columns - right]
    widths = [int(max(rows, columns) * rng.uniform(0, 0.15)) for _ in range(4)]
    # Black mostly: white frames and grey ones are seen on scanned films.
    brightness = 0.0 if rng.random() < 0.7 else float(rng.random())
    top, bottom, left, right = widths
    return np.pad(image, ((top, bottom), (left, right)), constant_values=brightness)
