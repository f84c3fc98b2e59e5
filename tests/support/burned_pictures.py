"""Pictures with text burned into them, drawn from a seed, as scanners and workstations do it."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FAMILY = (
    "SMITH",
    "Nakamura",
    "OKONKWO",
    "Garcia Lopez",
    "Mueller",
    "KOWALSKI",
    "Haddad",
    "LINDQVIST",
    "Rossi",
)
GIVEN = ("ANNA", "John", "MARIE-CLAIRE", "Peter", "Yuki", "Fatima", "OLAF", "Chiara", "Emeka")
PLACES = (
    "St. Mary Hospital",
    "UNIVERSITY CLINIC NORD",
    "Radiology Dept. 4B",
    "Mercy General",
    "Klinikum Sued",
)
KEPT = ("L", "R", "AP", "PA", "kV", "mA", "cm", "mm", "dB", "Hz", "10 cm", "5 MHz", "120 kV")
HERSHEY = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
#: Least difference of grey, of 1, between text and what lies behind it.
FAINTEST = 0.16
KINDS = ("ultrasound", "ct", "mr", "cr", "capture")


@dataclass(frozen=True)
class Burned:
    """A string in a picture; `ink` is true where it changed a pixel."""

    text: str
    ink: np.ndarray = field(repr=False)
    height: int
    contrast: float
    style: str


@dataclass
class Picture:
    """Grey values (rows, columns) or colours (rows, columns, 3), uint8 or uint16, and what was written."""

    kind: str
    pixels: np.ndarray
    background: np.ndarray
    strings: list[Burned]
    kept: list[Burned]


def identity(rng: np.random.Generator) -> str:
    """A string that tells who a patient is."""
    family, given = rng.choice(FAMILY), rng.choice(GIVEN)
    year, month, day = rng.integers(1921, 2024), rng.integers(1, 13), rng.integers(1, 29)
    number = rng.integers(10_000, 99_999_999)
    forms = (
        f"{family}^{given}",
        f"{family}, {given}",
        f"{given} {family}",
        f"ID: {number}",
        f"MRN {number}",
        f"{number}",
        f"DOB {month:02}/{day:02}/{year}",
        f"{year}-{month:02}-{day:02}",
        f"{day:02}.{month:02}.{year} {rng.integers(0, 24):02}:{rng.integers(0, 60):02}",
        f"{day:02}-{('Jan', 'Mar', 'May', 'Aug', 'Oct', 'Dec')[month // 2 % 6]}-{year}",
        f"ACC {rng.integers(100000, 999999)}",
        f"Tel {rng.integers(100, 999)}-{rng.integers(1000, 9999)}",
        f"Dr. {family}",
        f"{rng.choice(PLACES)}",
        f"{family} {given} {rng.integers(18, 95):03}Y {rng.choice(['M', 'F'])}",
    )
    return str(forms[rng.integers(len(forms))])


@cache
def debian_fonts() -> tuple[str, ...]:
    """Scalable fonts of the machine, if it has any."""
    return tuple(sorted(map(str, Path("/usr/share/fonts/truetype/dejavu").glob("DejaVuSans*.ttf"))))


def mask_of(text: str, height: int, style: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a string; returns coverage from 0 to 1 (rows, columns), `height` pixels for a capital, about."""
    if style == "hershey":
        font = HERSHEY[rng.integers(len(HERSHEY))]
        scale, thickness = height / 22, max(1, round(height / 14))
        (width, rows), base = cv2.getTextSize(text, font, scale, thickness)
        canvas = np.zeros((rows + base + 6, width + 6), np.uint8)
        cv2.putText(canvas, text, (3, rows + 2), font, scale, 255, thickness, cv2.LINE_AA)
        return canvas.astype(np.float32) / 255
    if style == "bitmap":
        font = ImageFont.load_default_imagefont()
        zoom = max(1, round(height / 9))
    else:
        paths = debian_fonts() if style == "debian" else ()
        size = round(height * 1.4)
        font = (
            ImageFont.truetype(paths[rng.integers(len(paths))], size)
            if paths
            else ImageFont.load_default(size)
        )
        zoom = 1
    left, top, right, bottom = map(int, font.getbbox(text))
    canvas = Image.new("L", (right - min(left, 0) + 4, bottom - min(top, 0) + 4))
    ImageDraw.Draw(canvas).text((2 - min(left, 0), 2 - min(top, 0)), text, fill=255, font=font)
    mask = np.asarray(canvas, np.float32) / 255
    return np.kron(mask, np.ones((zoom, zoom), np.float32)) if zoom > 1 else mask


def speckle(shape: tuple[int, int], rng: np.random.Generator, grain: float) -> np.ndarray:
    noise = rng.rayleigh(1, shape).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), grain)


def ultrasound(rng: np.random.Generator) -> np.ndarray:
    """A sector of speckle on black, with a grey bar and a depth scale."""
    rows, columns = [(480, 640), (600, 800), (768, 1024)][rng.integers(3)]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    top, centre = rows * 0.08, columns / 2
    radius = np.hypot(y - top, x - centre)
    angle = np.abs(np.arctan2(x - centre, y - top))
    inside = (radius < rows * 0.85) & (radius > rows * 0.1) & (angle < 0.7)
    grain = speckle((rows, columns), rng, 1.5)
    tissue = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 25)
    picture = np.where(inside, np.clip(45 * grain * (1 + 12 * tissue), 0, 255), 0)
    bar = slice(60, rows - 60), slice(columns - 24, columns - 12)
    picture[bar] = np.linspace(255, 0, rows - 120)[:, None]
    picture[: int(rows * 0.06)] = rng.integers(0, 60)
    return picture.astype(np.uint8)


def phantom(rng: np.random.Generator, size: int, noise: float) -> np.ndarray:
    """Ellipses in ellipses, 0 to 1."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    picture = np.zeros((size, size), np.float32)
    for level in range(14):
        a, b = (0.42, 0.34) if level == 0 else rng.uniform(0.02, 0.2, 2)
        cy, cx = (0.0, 0.0) if level == 0 else rng.uniform(-0.22, 0.22, 2)
        picture[((y - cy) / a) ** 2 + ((x - cx) / b) ** 2 < 1] += (
            0.45 if level == 0 else rng.uniform(-0.2, 0.3)
        )
    picture += rng.normal(0, noise, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7), 0, 1)


def radiograph(rng: np.random.Generator) -> np.ndarray:
    """Broad shades, ribs of sorts, and grain, 0 to 1."""
    rows, columns = [(1024, 900), (1400, 1200), (1760, 1500)][rng.integers(3)]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    picture = 0.5 + 0.25 * np.cos(x / columns * 6.28) * np.sin(y / rows * 3.14)
    picture += (
        0.06 * np.sin(y / rows * 60 + 3 * np.cos(x / columns * 3.14)) * (np.abs(x / columns - 0.5) < 0.4)
    )
    picture += 0.1 * cv2.GaussianBlur(rng.normal(0, 60, (rows, columns)).astype(np.float32), (0, 0), 40)
    return np.clip(picture + rng.normal(0, 0.015, picture.shape), 0, 1)


def draw(seed: int, *, real: tuple[np.ndarray, ...] = (), largest: int | None = None) -> Picture:
    """Draw a picture with two to six strings.

    `real` are grey backgrounds (float, 0 to 1) to choose from; pictures end at `largest` rows and columns.
    """
    rng = np.random.default_rng(seed)
    kind = KINDS[rng.integers(len(KINDS))]
    if kind == "ultrasound":
        base = ultrasound(rng).astype(np.float32) / 255
    elif kind == "capture":
        base = np.full((600, 800), rng.uniform(0, 1), np.float32)
        base[100:500, 80:480] = phantom(rng, 400, 0.02)
    elif real and rng.random() < 0.6:
        base = real[rng.integers(len(real))].astype(np.float32)
    else:
        base = radiograph(rng) if kind == "cr" else phantom(rng, 512 if kind == "ct" else 384, 0.03)
    base = np.ascontiguousarray(base[:largest, :largest])
    taken = np.zeros(base.shape, bool)
    work = base.copy()
    strings: list[Burned] = []
    kept: list[Burned] = []
    for index in range(int(rng.integers(2, 7))):
        keeps = index > 1 and rng.random() < 0.25
        text = str(rng.choice(KEPT)) if keeps else identity(rng)
        burned = burn(work, taken, text, rng)
        if burned is not None:
            (kept if keeps else strings).append(burned)
    return Picture(kind, store(work, kind, rng), store(base, kind, rng), strings, kept)


def store(picture: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """To stored values: colours for captures, 12 bits for CT, MR and CR, 8 for ultrasound."""
    if kind == "capture":
        return np.repeat(np.round(picture * 255).astype(np.uint8)[..., None], 3, axis=2)
    if kind == "ultrasound":
        return np.round(picture * 255).astype(np.uint8)
    return np.round(picture * 4095).astype(np.uint16)


def burn(work: np.ndarray, taken: np.ndarray, text: str, rng: np.random.Generator) -> Burned | None:
    """Write a string where there is room, in place; `None` where there was none."""
    rows, columns = work.shape
    smallest = 8 if rows < 800 else 14
    height = int(rng.integers(smallest, max(smallest + 2, min(60, rows // 22))))
    styles = ("aileron", "hershey", "bitmap", *(("debian",) if debian_fonts() else ()))
    style = str(rng.choice(styles))
    if style == "hershey":
        height = max(height, 11)
    mask = mask_of(text, height, style, rng)
    turn = rng.random()
    if turn < 0.06:
        mask = np.rot90(mask, rng.choice([1, 3]))
    elif turn < 0.14:
        centre = (mask.shape[1] / 2, mask.shape[0] / 2)
        angle = rng.uniform(-8, 8)
        grow = int(abs(np.sin(np.radians(angle))) * mask.shape[1]) + 4
        mask = cv2.copyMakeBorder(mask, grow, grow, 4, 4, cv2.BORDER_CONSTANT)
        matrix = cv2.getRotationMatrix2D((centre[0] + 4, centre[1] + grow), angle, 1)
        mask = cv2.warpAffine(mask, matrix, mask.shape[::-1])
    if mask.shape[0] >= rows - 8 or mask.shape[1] >= columns - 8:
        return None
    for _ in range(40):
        corner = rng.random() < 0.5
        y = int(rng.integers(2, rows - mask.shape[0] - 2))
        x = int(rng.integers(2, columns - mask.shape[1] - 2))
        if corner:
            x = int(rng.integers(2, 14)) if rng.random() < 0.5 else columns - mask.shape[1] - 4
        spot = slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1])
        near = slice(max(0, y - 6), y + mask.shape[0] + 6), slice(max(0, x - 12), x + mask.shape[1] + 12)
        ground = work[spot]
        level = float(np.median(ground))
        # A reader must be able to see it: not on top of bright noise, not in its own shade.
        if taken[near].any() or ground.std() > 0.16:
            continue
        up = level < 0.5
        contrast = float(rng.uniform(max(0.22, 2.2 * float(ground.std())), 1))
        target = min(1.0, level + contrast) if up else max(0.0, level - contrast)
        alpha = float(rng.choice([1, 1, 1, 0.7, 0.55]))
        before = ground.copy()
        ground += (target - ground) * mask * alpha
        np.clip(ground, 0, 1, out=ground)
        seen = abs(target - level) * alpha
        if seen < max(FAINTEST, 2.0 * float(before.std())):
            work[spot] = before
            continue
        taken[near] = True
        ink = np.zeros(work.shape, bool)
        ink[spot] = (mask > 0.35) & (np.abs(ground - before) > 0.5 * FAINTEST)
        if ink.sum() < 0.6 * (mask > 0.35).sum():  # half of it cannot be seen
            work[spot] = before
            continue
        return Burned(text, ink, height, seen, style)
    return None
