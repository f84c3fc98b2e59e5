"""ICC profiles of rendered images: which one an image has, and conversion to a known colour space.

Profiles of the known colour spaces are built here from their published primaries, as matrix profiles of
ICC version 2.

References
----------
PS3.18 §8.3.5.1.5 (iccprofile), PS3.3 §C.11.15 (ICC Profile Module), ICC.1:2001-04 (profile format),
IEC 61966-2-1 (sRGB), ISO 22028-2 (ROMM RGB), Adobe RGB (1998), SMPTE EG 432-1 (Display P3).
"""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageCms

if TYPE_CHECKING:
    from PIL import Image
    from pydicom.dataset import Dataset

#: Chromaticity of white under D65 and D50.
_D65, _D50 = (0.3127, 0.3290), (0.3457, 0.3585)
#: Name: chromaticities of red, green, blue and white, and the exponent of the transfer curve.
_SPACES = {
    "adobergb": ("Adobe RGB (1998)", (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65, 563 / 256),
    "rommrgb": ("ROMM RGB", (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), _D50, 1.8),
    "displayp3": ("Display P3", (0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65, None),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50_XYZ = np.array([0.9642, 1.0, 0.8249])


def apply_profile(image: Image.Image, ds: Dataset, asked: str | None) -> Image.Image:
    """The image in the asked colour space, with its profile under `info["icc_profile"]`.

    Without a wish an image that has a profile becomes sRGB and carries none: that is what a program
    that ignores profiles takes pixels for.
    """
    own = own_profile(ds) if image.mode == "RGB" else None
    if asked == "no" or (asked is None and own is None):
        return image
    if image.mode != "RGB":
        image = image.convert("RGB")
    source = own or profile_of("srgb")
    if asked == "yes":
        target = source
    else:
        target = profile_of(asked or "srgb")
        image = _converted(image, source, target)
    if asked is None:
        image.info.pop("icc_profile", None)  # conversion leaves one there
    else:
        image.info["icc_profile"] = target
    return image


def own_profile(ds: Dataset) -> bytes | None:
    """The profile that a data set holds, where it is one of RGB that can be read."""
    optical = ds.get("OpticalPathSequence") or ()
    for holder in (ds, *optical):
        data = holder.get("ICCProfile")
        if isinstance(data, bytes) and len(data) > 128 and data[16:20] == b"RGB " and data[36:40] == b"acsp":
            data = data[: int.from_bytes(data[:4])]
            try:
                ImageCms.ImageCmsProfile(BytesIO(data))
            except (OSError, ImageCms.PyCMSError):
                continue
            return data
    return None


@cache
def profile_of(space: str) -> bytes:
    """The profile of a known colour space: `srgb`, or one of those built here."""
    if space == "srgb":
        return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    name, red, green, blue, white, gamma = _SPACES[space]
    return _matrix_profile(name, (red, green, blue), white, gamma)


def _converted(image: Image.Image, source: bytes, target: bytes) -> Image.Image:
    if source == target:
        return image
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(BytesIO(source)),
            ImageCms.ImageCmsProfile(BytesIO(target)),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (OSError, ImageCms.PyCMSError):
        return image
    return image if converted is None else converted


def _matrix_profile(
    name: str,
    primaries: tuple[tuple[float, float], ...],
    white: tuple[float, float],
    gamma: float | None,
) -> bytes:
    """An ICC profile of three primaries and one curve; without a gamma the curve is sRGB's."""
    columns = np.array([_xyz(point) for point in primaries]).T
    scale = np.linalg.solve(columns, _xyz(white))
    adapted = _adaptation(_xyz(white)) @ (columns * scale)
    curve = _curve(gamma)
    described = name.encode("ascii") + b"\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(described)) + described + bytes(78),
        b"cprt": b"text" + bytes(4) + b"No copyright, use freely\0",
        b"wtpt": _xyz_tag(_D50_XYZ),
        b"rXYZ": _xyz_tag(adapted[:, 0]),
        b"gXYZ": _xyz_tag(adapted[:, 1]),
        b"bXYZ": _xyz_tag(adapted[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = struct.pack(">I", len(tags)), b""
    offset = 128 + 4 + 12 * len(tags)
    for signature, data in tags.items():
        data += bytes(-len(data) % 4)
        table += signature + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    head = struct.pack(">I4xI4s4s4s", size, 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(24)
    head += struct.pack(">I", 1) + b"".join(_fixed(value) for value in _D50_XYZ)
    return head.ljust(128, b"\0") + table + body


def _xyz(point: tuple[float, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(
    white: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Bradford adaptation of a white point to that of the profile connection space."""
    gain = np.diag((_BRADFORD @ _D50_XYZ) / (_BRADFORD @ white))
    return np.asarray(np.linalg.inv(_BRADFORD) @ gain @ _BRADFORD)


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    x = np.linspace(0, 1, 1024)
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return b"curv" + bytes(4) + struct.pack(">I", x.size) + (linear * 65535 + 0.5).astype(">u2").tobytes()


def _xyz_tag(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65536))
