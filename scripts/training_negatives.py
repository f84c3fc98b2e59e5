"""Draws what is no medical image, for training and tests of `image-gate`."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

SIDE = 160


def gaussian_noise(rng: Generator) -> NDArray[np.float32]:
    """Independent values around a grey."""
    return (rng.uniform(0.2, 0.8) + rng.uniform(0.05, 0.4) * rng.standard_normal((SIDE, SIDE))).astype(
        np.float32
    )


def uniform_noise(rng: Generator) -> NDArray[np.float32]:
    """Independent values from black to white."""
    return rng.random((SIDE, SIDE), dtype=np.float32)


def salt_and_pepper(rng: Generator) -> NDArray[np.float32]:
    """Single black and white pixels on a grey."""
    drawn = rng.random((SIDE, SIDE))
    share = rng.uniform(0.02, 0.4)
    return np.select([drawn < share / 2, drawn < share], [0.0, 1.0], rng.uniform(0.1, 0.9)).astype(np.float32)


def smooth_noise(rng: Generator) -> NDArray[np.float32]:
    """Clouds of one or several sizes."""
    out = np.zeros((SIDE, SIDE), dtype=np.float32)
    for size in rng.choice([3, 5, 9, 17, 33], int(rng.integers(1, 4)), replace=False):
        out += cv2.resize(
            rng.random((size, size), dtype=np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
        )
    return out / out.max()


def blank(rng: Generator) -> NDArray[np.float32]:
    """One grey, in half of the images with a trace of noise."""
    out = np.full((SIDE, SIDE), rng.choice([0.0, 1.0, rng.random()]), dtype=np.float32)
    return out if rng.random() < 0.5 else out + 0.01 * rng.standard_normal((SIDE, SIDE), dtype=np.float32)


def gradient(rng: Generator) -> NDArray[np.float32]:
    """A ramp in any direction, or a round one."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / np.float32(SIDE)
    if rng.random() < 0.4:
        ramp = np.hypot(y - rng.uniform(0.2, 0.8), x - rng.uniform(0.2, 0.8))
    else:
        angle = rng.uniform(0, 2 * np.pi)
        ramp = y * np.sin(angle) + x * np.cos(angle)
    ramp = (ramp - ramp.min()) / (ramp.max() - ramp.min())
    return (1 - ramp if rng.random() < 0.5 else ramp).astype(np.float32)


def checkerboard(rng: Generator) -> NDArray[np.float32]:
    """Two greys in squares."""
    side = int(rng.integers(3, 40))
    y, x = np.indices((SIDE, SIDE))
    return np.where((y // side + x // side) % 2, rng.uniform(0.6, 1), rng.uniform(0, 0.4)).astype(np.float32)


def stripes(rng: Generator) -> NDArray[np.float32]:
    """Bars or waves."""
    y, x = np.indices((SIDE, SIDE))
    angle, length = rng.uniform(0, np.pi), rng.uniform(4, 50)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (y * np.sin(angle) + x * np.cos(angle)) / length)
    return (np.round(wave) if rng.random() < 0.5 else wave).astype(np.float32)


def text_screen(rng: Generator) -> NDArray[np.float32]:
    """Lines of letters, dark on bright or bright on dark."""
    out = np.zeros((SIDE, SIDE), dtype=np.uint8)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:-/"))
    scale = rng.uniform(0.25, 0.6)
    for line in np.arange(12, SIDE, 8 + 22 * scale):
        text = "".join(rng.choice(letters, int(rng.integers(4, 40))))
        cv2.putText(out, text, (int(rng.integers(0, 20)), int(line)), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1)
    grey = out.astype(np.float32) / 255
    return 1 - grey if rng.random() < 0.6 else grey


def shapes(rng: Generator) -> NDArray[np.float32]:
    """Flat boxes, discs and lines, as on a form or a slide."""
    out = np.full((SIDE, SIDE), int(rng.integers(0, 256)), dtype=np.uint8)
    for _ in range(int(rng.integers(1, 9))):
        a, b = (tuple(int(v) for v in rng.integers(0, SIDE, 2)) for _ in range(2))
        grey = int(rng.integers(0, 256))
        kind = rng.integers(0, 3)
        if kind == 0:
            cv2.rectangle(out, a, b, grey, -1 if rng.random() < 0.6 else 2)
        elif kind == 1:
            cv2.circle(out, a, int(rng.integers(4, 50)), grey, -1 if rng.random() < 0.6 else 2)
        else:
            cv2.line(out, a, b, grey, int(rng.integers(1, 6)))
    return out.astype(np.float32) / 255


def chart(rng: Generator) -> NDArray[np.float32]:
    """A curve over axes."""
    out = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    cv2.line(out, (15, 10), (15, 145), 0, 1)
    cv2.line(out, (15, 145), (150, 145), 0, 1)
    x = np.linspace(15, 150, 40)
    y = 140 - 120 * np.clip(np.cumsum(rng.standard_normal(40)) / 12 + 0.5, 0, 1)
    cv2.polylines(out, [np.stack([x, y], axis=1).astype(np.int32)], isClosed=False, color=60, thickness=1)
    return out.astype(np.float32) / 255


def tissue_noise(rng: Generator) -> NDArray[np.float32]:
    """Noise whose strength falls with its frequency, as in many photographs."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.standard_normal((SIDE, SIDE))) / frequency ** rng.uniform(0.7, 2)
    out = np.fft.ifft2(spectrum).real
    return ((out - out.min()) / (out.max() - out.min())).astype(np.float32)


def streaks(rng: Generator) -> NDArray[np.float32]:
    """Such noise drawn out along one direction, as in wood or water."""
    length = int(rng.integers(3, 12))
    wide = cv2.resize(tissue_noise(rng), (SIDE * length, SIDE), interpolation=cv2.INTER_CUBIC)
    out = np.clip(wide[:, :SIDE], 0, 1)
    return out.T if rng.random() < 0.5 else out


def rings(rng: Generator) -> NDArray[np.float32]:
    """Circles around a place."""
    y, x = np.indices((SIDE, SIDE))
    radius = np.hypot(y - rng.uniform(20, 140), x - rng.uniform(20, 140))
    return (0.5 + 0.5 * np.sin(2 * np.pi * radius / rng.uniform(5, 60))).astype(np.float32)


Drawing = Callable[[Generator], NDArray[np.float32]]
#: Shown in training (and, other ones of the kind, in tests).
TRAINED: dict[str, Drawing] = {
    "gaussian-noise": gaussian_noise,
    "salt-and-pepper": salt_and_pepper,
    "smooth-noise": smooth_noise,
    "blank": blank,
    "gradient": gradient,
    "checkerboard": checkerboard,
    "text-screen": text_screen,
    "shapes": shapes,
    "tissue-noise": tissue_noise,
}
#: Shown in tests only: what the gate makes of kinds that it never saw.
UNSEEN: dict[str, Drawing] = {
    "uniform-noise": uniform_noise,
    "stripes": stripes,
    "chart": chart,
    "streaks": streaks,
    "rings": rings,
}


def draw(kind: str, number: int, seed: int) -> NDArray[np.uint8]:
    """One image of a kind; the same for the same numbers."""
    makers = TRAINED | UNSEEN
    rng = np.random.default_rng((seed, sorted(makers).index(kind), number))
    out: NDArray[np.uint8] = np.rint(np.clip(makers[kind](rng), 0, 1) * 255).astype(np.uint8)
    return out
