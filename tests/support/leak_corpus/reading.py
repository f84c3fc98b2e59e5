"""Reads what a de-identifier put out, by pydicom and by bytes: nothing of the anonymizer is used.

References
----------
PS3.5 §6.2 (VRs), §8.1.1 (bits of pixels), §A.5 (deflated).
"""

from __future__ import annotations

import io
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.charset import decode_bytes, python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.encaps import generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leak_corpus.model import Path
    from pydicom.dataset import Dataset

_SAMPLES = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData"})


def read(part10: bytes) -> Dataset:
    """The data set of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(part10), force=True)


def inflated(part10: bytes, ds: Dataset) -> bytes:
    """The bytes of a file; of a deflated one with what was deflated behind them."""
    meta = ds.file_meta
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return part10
    start = 128 + 4 + 12 + int(meta.FileMetaInformationGroupLength)
    return part10 + zlib.decompressobj(-zlib.MAX_WBITS).decompress(part10[start:])


def elements(ds: Dataset, above: str = "") -> Iterator[tuple[str, DataElement | RawDataElement]]:
    """(path, element) of everything, items included; what cannot be converted stays raw."""
    for tag in sorted(ds.keys()):
        raw = ds.get_item(tag)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                element = ds[tag]
        except Exception:  # noqa: BLE001  # pydicom raises much on odd values; they are searched raw
            yield f"{above}/{tag}", raw  # type: ignore[misc]
            continue
        path = f"{above}/{element.keyword or tag}"
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from elements(item, f"{path}[{number}]")
        else:
            yield path, element


def text_of(element: DataElement | RawDataElement, charset: list[str]) -> str:
    """All that a value says: decoded, its values joined by backslashes; bytes in every plausible way."""
    value = element.value
    if isinstance(element, DataElement) and element.keyword in _SAMPLES:
        return ""
    if isinstance(value, bytes):
        if len(value) > 1 << 20:
            return ""
        try:
            decoded = decode_bytes(value, charset, set())
        except (UnicodeError, LookupError):
            decoded = ""
        return f"{value.decode('latin-1')}\n{value.decode('utf-8', 'ignore')}\n{decoded}"
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if element.VR == "PN":  # one name or several
        names = value if isinstance(value, pydicom.multival.MultiValue) else [value]
        return "\\".join(str(name) for name in names)
    if hasattr(value, "__iter__"):
        return "\\".join(str(part) for part in value)
    return str(value)


def charset_of(ds: Dataset) -> list[str]:
    """Python encodings of a data set's text."""
    terms = ds.get("SpecificCharacterSet") or ""
    terms = [terms] if isinstance(terms, str) else list(terms)
    return [python_encoding.get(term, "latin-1") for term in terms] or ["latin-1"]


def texts(ds: Dataset) -> list[tuple[str, str]]:
    """(path, text) of everything that holds text."""
    charset = charset_of(ds)
    return [(path, text) for path, el in elements(ds) if (text := text_of(el, charset))]


def resolve(ds: Dataset, path: Path) -> Any:
    """What stands at a path: an element, or `None`."""
    here: Any = ds
    for step in path:
        if isinstance(here, DataElement):
            here = here.value
        try:
            if isinstance(step, tuple):
                group, creator, offset = step
                here = here.private_block(group, creator)[offset]
            else:
                here = here[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return here


def text_under(ds: Dataset, path: Path) -> str | None:
    """All text at and under a path, `None` where there is nothing."""
    found = resolve(ds, path)
    if found is None:
        return None
    charset = charset_of(ds)
    if isinstance(found, DataElement) and found.VR != "SQ":
        return text_of(found, charset)
    items = found.value if isinstance(found, DataElement) else [found]
    return "\n".join(text for item in items for _, text in texts(item))


def samples(ds: Dataset) -> list[bytes] | None:
    """Pixels as stored: frames of compressed data, words without unused bits of native ones."""
    if "PixelData" not in ds:
        return None
    data = ds.PixelData
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = int(ds.get("NumberOfFrames") or 1)
        return list(generate_frames(data, number_of_frames=frames))
    order = "<" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">"
    words = _words(ds, data, order)
    if words is None:
        return [data]
    stored = (1 << int(ds.BitsStored)) - 1 << int(ds.HighBit) + 1 - int(ds.BitsStored)
    return [(words & words.dtype.type(stored)).tobytes()]


def _words(ds: Dataset, data: bytes, order: str) -> np.ndarray[Any, Any] | None:
    kind = {8: "u1", 16: "u2", 32: "u4"}.get(int(ds.BitsAllocated))
    if kind is None or (ds.get("PhotometricInterpretation") == "YBR_FULL_422"):
        return None
    count = int(ds.Rows) * int(ds.Columns) * int(ds.SamplesPerPixel) * int(ds.get("NumberOfFrames") or 1)
    if len(data) < count * int(ds.BitsAllocated) // 8:
        return None
    return np.frombuffer(data, order + kind, count)


def decoded(ds: Dataset) -> np.ndarray[Any, Any]:
    """Pixels decompressed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(ds.pixel_array)


def unused_bits(ds: Dataset) -> bytes:
    """The bits of native pixel words that are no pixel: plane by plane, packed; and nibble by nibble."""
    if "PixelData" not in ds or ds.file_meta.TransferSyntaxUID.is_encapsulated:
        return b""
    order = "<" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">"
    words = _words(ds, ds.PixelData, order)
    if words is None or int(ds.BitsStored) >= int(ds.BitsAllocated):
        return b""
    low, high = int(ds.HighBit) + 1 - int(ds.BitsStored), int(ds.HighBit)
    unused = [bit for bit in range(int(ds.BitsAllocated)) if not low <= bit <= high]
    planes = [np.packbits((words >> bit & 1).astype(np.uint8), bitorder="little") for bit in unused]
    top = (words >> (high + 1)).astype(np.uint8)
    nibbles = top[: len(top) // 2 * 2].reshape(-1, 2)
    return b"\n".join(
        [*(plane.tobytes() for plane in planes), (nibbles[:, 0] << 4 | nibbles[:, 1]).tobytes()]
    )
