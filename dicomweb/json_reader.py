"""DICOM JSON to data sets: the way back from `dicomweb.dicom_json`.

`decode` makes a data set, `encode` its bytes in Explicit VR Little Endian, `loads` reads the text. Text is
Unicode in JSON, so a data set with any beyond ASCII says ISO_IR 192. Everything that the model says of a
value is kept; what breaks the model is refused by an error that names the attribute, never its value.

References
----------
PS3.18 Annex F; PS3.5 §7.1 (data elements), §7.5 (sequences), §6.2.2 (UN for values that are too long).
"""

from __future__ import annotations

import json
import re
import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pydicom.filereader import read_dataset

from dicom_node.domain.errors import InvalidInstance
from dicomweb.value_bytes import VRS, bulk_bytes, inline_bytes, value_bytes
from dicomweb.value_json import CHARSET_VRS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydicom.dataset import Dataset

#: VRs whose length has two bytes in Explicit VR; a longer value becomes UN.
_SHORT: Final = frozenset(
    {
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS"),
        *("ST", "TM", "UI", "UL", "US"),
    }
)
_SHORT_LIMIT: Final = 0xFFFF
_LIMIT: Final = 0xFFFFFFFE
#: Sequences within sequences; real objects have fewer than 20.
_MAX_DEPTH: Final = 64
_ITEM: Final = b"\xfe\xff\x00\xe0"
_SPECIFIC_CHARACTER_SET: Final = "00080005"
_UNICODE: Final = b"ISO_IR 192"
_KEY: Final = re.compile(r"[0-9A-Fa-f]{8}")
_CONTENT: Final = ("Value", "BulkDataURI", "InlineBinary")


def loads(body: bytes) -> list[dict[str, Any]]:
    """The data sets of a JSON text: an array of models, or one alone.

    Raises
    ------
    InvalidInstance
        If it is no JSON in UTF-8, or something else than objects.
    """
    try:
        found = json.loads(body.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise InvalidInstance("the body is no JSON text in UTF-8 (PS3.18 Annex F)") from exc
    models = found if isinstance(found, list) else [found]
    if not all(isinstance(model, dict) for model in models):
        raise InvalidInstance(
            "the body must be an array of DICOM JSON objects, or one object (PS3.18 §F.2.1)"
        )
    return models


def decode(model: Mapping[str, Any], bulk: Callable[[str], bytes] | None = None) -> Dataset:
    """A data set from a DICOM JSON object; File Meta and group length attributes are left out.

    Parameters
    ----------
    bulk
        Gives the bytes of a BulkDataURI, encoded as Explicit VR Little Endian holds them. Without it an
        attribute with a URI is refused.

    Raises
    ------
    InvalidInstance
        If the model breaks the rules; the message names the attribute.
    """
    stream = BytesIO(encode(model, bulk))
    return read_dataset(stream, is_implicit_VR=False, is_little_endian=True)


def encode(model: Mapping[str, Any], bulk: Callable[[str], bytes] | None = None) -> bytes:
    """The same as `decode`, as bytes in Explicit VR Little Endian without preamble and File Meta.

    Raises
    ------
    InvalidInstance
    """
    writer = _Writer(bulk)
    written = writer.data_set(model, "", 0)
    if not writer.beyond_ascii or _SPECIFIC_CHARACTER_SET in model:
        return b"".join(element for _, element in written)
    # Text beyond ASCII without a character set: say which one it is written in.
    written.append((0x00080005, _element(0x00080005, "CS", _UNICODE)))
    return b"".join(element for _, element in sorted(written))


class _Writer:
    def __init__(self, bulk: Callable[[str], bytes] | None) -> None:
        self._bulk = bulk
        self.beyond_ascii = False

    def data_set(self, model: Any, path: str, depth: int) -> list[tuple[int, bytes]]:
        """(tag, element) of each attribute, in order."""
        if not isinstance(model, dict):
            raise InvalidInstance(f"{path or 'the data set'}: a data set must be a JSON object")
        tags: dict[int, str] = {}
        for key in model:
            tag = _tag(key, path)
            if tag in tags:
                raise InvalidInstance(f"{path}{key}: the attribute stands there twice")
            tags[tag] = key
        return [
            (tag, self._attribute(tag, model[key], f"{path}{tag:08X}", depth))
            for tag, key in sorted(tags.items())
            if tag & 0xFFFF and tag >> 16 != 0x0002
        ]

    def _attribute(self, tag: int, attribute: Any, path: str, depth: int) -> bytes:
        if not isinstance(attribute, dict):
            raise InvalidInstance(f'{path}: an attribute must be an object with "vr"')
        vr = attribute.get("vr")
        if not isinstance(vr, str) or vr not in VRS:
            raise InvalidInstance(f'{path}: "vr" must be one of the two-letter VRs of PS3.5 §6.2')
        content = [key for key in _CONTENT if attribute.get(key) is not None]
        if len(content) > 1:
            raise InvalidInstance(f"{path}: has more than one of {', '.join(_CONTENT)} (PS3.18 §F.2.2)")
        if f"{tag:08X}" == _SPECIFIC_CHARACTER_SET:
            return _element(tag, "CS", _UNICODE)
        kind = content[0] if content else None
        if kind == "BulkDataURI":
            data = self._bulk_bytes(vr, attribute[kind], path)
        elif kind == "InlineBinary":
            data = inline_bytes(vr, attribute[kind], path)
        else:
            values = attribute.get("Value") or []
            if not isinstance(values, list):
                raise InvalidInstance(f'{path}: "Value" must be an array')
            data = self._sequence(values, path, depth) if vr == "SQ" else value_bytes(vr, values, path)
            self.beyond_ascii |= vr in CHARSET_VRS and not data.isascii()
        if len(data) > _LIMIT:
            raise InvalidInstance(f"{path}: the value is longer than 4 GB")
        return _element(tag, vr, data)

    def _sequence(self, items: list[Any], path: str, depth: int) -> bytes:
        if depth == _MAX_DEPTH:
            raise InvalidInstance(f"sequences are nested deeper than {_MAX_DEPTH} levels")
        pieces: list[bytes] = []
        for index, item in enumerate(items):
            elements = self.data_set({} if item is None else item, f"{path}/{index}/", depth + 1)
            content = b"".join(element for _, element in elements)
            if len(content) > _LIMIT:
                raise InvalidInstance(f"{path}: the item is longer than 4 GB")
            pieces += (_ITEM, struct.pack("<I", len(content)), content)
        return b"".join(pieces)

    def _bulk_bytes(self, vr: str, uri: Any, path: str) -> bytes:
        if not isinstance(uri, str) or not uri:
            raise InvalidInstance(f'{path}: "BulkDataURI" must be a string')
        if vr == "SQ":
            raise InvalidInstance(f"{path}: a sequence can be no bulk data (PS3.18 §F.2.2)")
        if self._bulk is None:
            raise InvalidInstance(f"{path}: names bulk data, and none came with it")
        return bulk_bytes(vr, self._bulk(uri))


def _tag(key: Any, path: str) -> int:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise InvalidInstance(f"{path or 'the data set'}: names of attributes are 8 hexadecimal digits")
    tag = int(key, 16)
    group = tag >> 16
    if (group < 0x0008 and group != 0x0002) or group >= 0xFFFE:
        raise InvalidInstance(f"{path}{key}: this group is no part of a data set")
    return tag


def _element(tag: int, vr: str, data: bytes) -> bytes:
    if vr in _SHORT:
        if len(data) <= _SHORT_LIMIT:
            return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(data)) + data
        vr = "UN"
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(data)) + data


def _refuse(_constant: str) -> None:
    raise ValueError("JSON has no NaN and no infinity")
