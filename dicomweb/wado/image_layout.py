"""The attributes that say how pixels lie in a frame, from wherever they were read.

References
----------
PS3.3 §C.7.6.3 (Image Pixel Module), PS3.5 §8.1.1 (bit packing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataset import Dataset

_BITS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_TAGS: Final = {
    "SamplesPerPixel": 0x00280002,
    "PhotometricInterpretation": 0x00280004,
    "PlanarConfiguration": 0x00280006,
    "NumberOfFrames": 0x00280008,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
    "BitsAllocated": 0x00280100,
    "BitsStored": 0x00280101,
    "PixelRepresentation": 0x00280103,
}


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """Counts are at least 1; Bits Allocated of float pixel data is 32 or 64 whatever the data set says."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int
    photometric: str
    frames: int
    keyword: str = "PixelData"

    @property
    def pixels(self) -> int:
        """Samples of one native frame."""
        count = self.rows * self.columns * self.samples
        return count // 3 * 2 if self.photometric == "YBR_FULL_422" else count

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame; of one-bit pixels, packed for itself."""
        return -(-self.pixels * self.bits_allocated // 8)

    def options(self, *, planar: int | None = None) -> dict[str, Any]:
        """What pydicom's decoders and encoders need to know of one frame."""
        options: dict[str, Any] = {
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples,
            "photometric_interpretation": self.photometric,
            "number_of_frames": 1,
            "bits_allocated": self.bits_allocated,
            "bits_stored": min(self.bits_stored, self.bits_allocated) or self.bits_allocated,
            "pixel_representation": int(self.signed),
            "pixel_keyword": self.keyword,
        }
        if self.samples > 1:
            options["planar_configuration"] = self.planar if planar is None else planar
        return options


def layout_of(ds: Dataset, keyword: str) -> ImageLayout:
    """From a data set; what is missing or unreadable gets a harmless value."""

    def value(name: str) -> Any:
        try:
            return ds.get(name)
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
            return None

    return _layout({name: value(name) for name in _TAGS}, keyword)


def layout_of_bytes(values: Mapping[int, bytes], keyword: str) -> ImageLayout:
    """From the encoded values of group 0028, little endian."""

    def value(name: str) -> Any:
        data = values.get(_TAGS[name], b"")
        if name in {"PhotometricInterpretation", "NumberOfFrames"}:
            return data.decode("latin-1")
        return int.from_bytes(data[:2], "little") if data else None

    return _layout({name: value(name) for name in _TAGS}, keyword)


def layout_of_json(attributes: Mapping[str, Any], keyword: str) -> ImageLayout:
    """From a DICOM JSON object."""

    def value(name: str) -> Any:
        return (attributes.get(f"{_TAGS[name]:08X}", {}).get("Value") or [None])[0]

    return _layout({name: value(name) for name in _TAGS}, keyword)


def _layout(values: Mapping[str, Any], keyword: str) -> ImageLayout:
    def number(name: str, otherwise: int) -> int:
        try:
            return int(values[name])
        except (TypeError, ValueError):
            return otherwise

    bits = _BITS.get(keyword) or number("BitsAllocated", 8) or 8
    photometric = values["PhotometricInterpretation"]
    return ImageLayout(
        rows=number("Rows", 0),
        columns=number("Columns", 0),
        samples=number("SamplesPerPixel", 1) or 1,
        bits_allocated=bits,
        bits_stored=number("BitsStored", bits) or bits,
        signed=number("PixelRepresentation", 0) == 1,
        planar=number("PlanarConfiguration", 0),
        photometric=str(photometric or "MONOCHROME2").strip(" \0") or "MONOCHROME2",
        frames=max(1, number("NumberOfFrames", 1)),
        keyword=keyword,
    )
