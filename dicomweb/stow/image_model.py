"""The Image Pixel module of a DICOM JSON model, completed from pictures and held against them.

References
----------
PS3.3 §C.7.6.3 (Image Pixel), §C.7.6.6 (Multi-frame), §C.7.6.5 (Cine), §C.7.6.1.1.5 (lossy compression).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import SopClassMismatch

if TYPE_CHECKING:
    from dicomweb.stow.codestreams import Picture
    from dicomweb.stow.videos import Video

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = "00280002", "00280004", "00280006", "00280008"
_ROWS, _COLUMNS = "00280010", "00280011"
_ALLOCATED, _STORED, _HIGH_BIT, _REPRESENTATION = "00280100", "00280101", "00280102", "00280103"
_FRAME_INCREMENT, _FRAME_TIME, _CINE_RATE = "00280009", "00181063", "00180040"
_LOSSY, _LOSSY_RATIO, _LOSSY_METHOD = "00282110", "00282112", "00282114"
_NAMES = {
    _SAMPLES: "Samples per Pixel",
    _PHOTOMETRIC: "Photometric Interpretation",
    _FRAMES: "Number of Frames",
    _ROWS: "Rows",
    _COLUMNS: "Columns",
    _ALLOCATED: "Bits Allocated",
    _STORED: "Bits Stored",
    _HIGH_BIT: "High Bit",
    _REPRESENTATION: "Pixel Representation",
}
_NEEDED = (_SAMPLES, _PHOTOMETRIC, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH_BIT, _REPRESENTATION)
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})


class ImageModel:
    """Reads and completes the image attributes of `model`, which is changed in place."""

    def __init__(self, model: dict[str, Any]) -> None:
        self._model = model

    def _get(self, tag: str) -> Any:
        attribute = self._model.get(tag)
        values = attribute.get("Value") if isinstance(attribute, dict) else None
        value = values[0] if isinstance(values, list) and values else None
        if isinstance(value, list | dict):
            raise SopClassMismatch(f"{_NAMES.get(tag, tag)} is malformed")
        return value

    def _number(self, tag: str) -> int | None:
        value = self._get(tag)
        if value is None:
            return None
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError) as exc:
            raise SopClassMismatch(f"{_NAMES[tag]} is no number") from exc

    def _set(self, tag: str, vr: str, *values: Any) -> None:
        self._model[tag] = {"vr": vr, "Value": list(values)}

    def agree(self, tag: str, value: int, *, default: int | None = None) -> None:
        """Complete an attribute, or hold it against the picture's; `default` is what absence means.

        Raises
        ------
        SopClassMismatch
        """
        stated = self._number(tag)
        if stated is None:
            if value != default:
                self._set(tag, "IS" if tag == _FRAMES else "US", value)
        elif stated != value:
            raise SopClassMismatch(f"{_NAMES[tag]} is {stated} in the metadata and {value} by the picture")

    def describe(self, picture: Picture, frames: int, *, decoded: bool = False) -> None:
        """Complete all that a picture tells.

        Parameters
        ----------
        decoded
            Whether the pixels are native now: then all their bits must be those of the metadata.

        Raises
        ------
        SopClassMismatch
        """
        self.agree(_ROWS, picture.rows)
        self.agree(_COLUMNS, picture.columns)
        self.agree(_FRAMES, frames, default=1)
        self._colour(picture.samples, picture.photometric)
        allocated = 8 if picture.bits <= 8 else 16 if picture.bits <= 16 else 32
        self._bits(picture.bits, allocated, exact=decoded)
        if self._number(_REPRESENTATION) is None:
            self._set(_REPRESENTATION, "US", int(picture.signed))

    def _colour(self, samples: int, photometric: str) -> None:
        self.agree(_SAMPLES, samples)
        stated = self._get(_PHOTOMETRIC)
        if stated is not None and (stated in _GREY) != (samples == 1):
            raise SopClassMismatch(
                f"Photometric Interpretation does not fit the picture, which is {photometric}"
            )
        if stated is None or samples > 1:
            self._set(_PHOTOMETRIC, "CS", photometric)
        if samples > 1:
            self._set(_PLANAR, "US", 0)

    def _bits(self, bits: int, allocated: int, *, exact: bool) -> None:
        stated = self._number(_ALLOCATED)
        if stated is None:
            self._set(_ALLOCATED, "US", allocated)
        elif stated != allocated if exact else stated < bits:
            raise SopClassMismatch(
                f"Bits Allocated is {stated} in the metadata, the picture needs {allocated}"
            )
        stored = self._number(_STORED)
        if stored is None:
            stored = bits
            self._set(_STORED, "US", bits)
        elif not 0 < stored <= max(bits, stated or allocated):
            raise SopClassMismatch(f"Bits Stored is {stored} in the metadata and {bits} by the picture")
        if self._number(_HIGH_BIT) is None:
            self._set(_HIGH_BIT, "US", stored - 1)

    def describe_video(self, video: Video) -> None:
        """Complete all that a video tells.

        Raises
        ------
        SopClassMismatch
        """
        self.agree(_ROWS, video.rows)
        self.agree(_COLUMNS, video.columns)
        self._colour(3, "YBR_PARTIAL_420")
        self._bits(video.bits, 8 if video.bits <= 8 else 16, exact=False)
        if self._number(_REPRESENTATION) is None:
            self._set(_REPRESENTATION, "US", 0)
        if video.frames is not None:
            self.agree(_FRAMES, video.frames)
        elif self._number(_FRAMES) is None:
            raise SopClassMismatch("Number of Frames is missing, and the video does not tell it; add it")
        if video.frame_ms and _FRAME_INCREMENT not in self._model:
            self._set(_FRAME_INCREMENT, "AT", _FRAME_TIME)
            self._model.setdefault(_FRAME_TIME, {"vr": "DS", "Value": [round(video.frame_ms, 6)]})
            self._model.setdefault(_CINE_RATE, {"vr": "IS", "Value": [round(1000 / video.frame_ms)]})

    def lossy(self, method: str, compressed_bytes: int) -> None:
        """Say that information was lost, unless the metadata says how."""
        if self._get(_LOSSY) not in (None, "00"):
            return
        self._set(_LOSSY, "CS", "01")
        ratio = self.native_bytes() / max(compressed_bytes, 1)
        self._set(_LOSSY_RATIO, "DS", round(ratio, 2))
        self._set(_LOSSY_METHOD, "CS", method)

    def require_complete(self) -> None:
        """Before pixel data that does not describe itself.

        Raises
        ------
        SopClassMismatch
        """
        missing = [_NAMES[tag] for tag in _NEEDED if self._get(tag) is None]
        if missing:
            raise SopClassMismatch(
                "pixel data of this media type does not describe itself; add to the metadata: "
                + ", ".join(missing)
            )

    def native_bytes(self) -> int:
        """Bytes that all frames have uncompressed, by the attributes."""
        product = 1
        for tag in (_ROWS, _COLUMNS, _SAMPLES, _ALLOCATED):
            product *= self._number(tag) or 0
        # Subsampled colour (YBR_FULL_422) shares chroma between two pixels.
        if self._get(_PHOTOMETRIC) == "YBR_FULL_422" and (self._number(_SAMPLES) or 0) == 3:
            product = product * 2 // 3
        return (product * (self._number(_FRAMES) or 1) + 7) // 8
