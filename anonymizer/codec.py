"""Data set encodings: bytes to nested elements and back, strictly and without conversion of values.

What this module cannot read to the last byte it refuses, so every byte of an output was understood as
part of a named element. Values stay bytes in the byte order of the file.

References
----------
PS3.5 §7 (data elements), §7.5 (nesting), Annex A (transfer syntaxes); PS3.5 §6.2.2 (UN).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from anonymizer.errors import Unreadable

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
MAX_DEPTH = 64
#: Values of these VRs beyond this size (bytes) are referred to, not copied.
LARGE = 1 << 16

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_VRS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST"}
    | {"TM", "UI", "UL", "US"}
)
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NAMES = {vr.encode(): vr for vr in LONG_VRS | SHORT_VRS}
_CODES = {vr: code for code, vr in _NAMES.items()}
_NUL_PADDED = BULK_VRS | {"UI"}


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed pixel data: its items as they are, without the closing delimiter."""

    items: memoryview


class Element(NamedTuple):
    """A data element without its tag; nested items are data sets."""

    vr: str
    value: bytes | memoryview | list[Dataset] | Encapsulated


Dataset = dict[int, Element]


def truncated(tag: int) -> Unreadable:
    """The refusal of a length that points past the end."""
    return Unreadable(
        "truncated", "a length points past the end of the data; send the object again", f"{tag:08X}"
    )


@dataclass(frozen=True)
class Codec:
    """One of the three encodings.

    Attributes
    ----------
    dictionary
        Tag to VR of the standard's attributes (an ambiguous VR as pydicom writes it: `US or SS`).
    """

    explicit: bool
    big_endian: bool
    dictionary: dict[int, str] = field(repr=False)

    # ------------------------------------------------------------------ reading

    def read(self, data: memoryview, position: int = 0) -> Dataset:
        """Parse a data set that fills `data` from `position` to its end.

        Raises
        ------
        Unreadable
            If it cannot be read to its end; the message holds a tag, no value.
        """
        dataset, _ = self._read_dataset(data, position, len(data), 0, until_delimiter=False)
        return dataset

    def _read_dataset(  # noqa: C901  # one hot loop: calls per element would cost a third more time
        self, data: memoryview, position: int, end: int, depth: int, *, until_delimiter: bool
    ) -> tuple[Dataset, int]:
        if depth > MAX_DEPTH:
            raise Unreadable("too-deep", f"sequences are nested more than {MAX_DEPTH} deep")
        dataset: Dataset = {}
        explicit, dictionary = self.explicit, self.dictionary
        order = ">" if self.big_endian else "<"
        header = struct.Struct(order + ("HH2sH" if explicit else "HHL")).unpack_from
        long_length = struct.Struct(order + "L").unpack_from
        while position < end:
            if end - position < 8:
                if not any(data[position:end]) and not until_delimiter:
                    break  # zero padding behind the last element
                raise truncated(0)
            if explicit:
                group, element, code, length = header(data, position)
                tag = group << 16 | element
                vr = _NAMES.get(code, "")
                position += 8
                if group == 0xFFFE:
                    if tag == ITEM_END and until_delimiter:
                        return dataset, position
                    raise Unreadable("stray-delimiter", "a delimiter stands where none belongs")
                if vr in LONG_VRS:
                    if position + 4 > end:
                        raise truncated(tag)
                    (length,) = long_length(data, position)
                    position += 4
                elif not vr:
                    if tag == 0 and depth == 0 and not any(data[position - 8 : end]):
                        break  # zero padding behind the last element
                    raise Unreadable("unknown-vr", "an element has no VR of the standard", f"{tag:08X}")
            else:
                group, element, length = header(data, position)
                tag = group << 16 | element
                position += 8
                if group == 0xFFFE:
                    if tag == ITEM_END and until_delimiter:
                        return dataset, position
                    raise Unreadable("stray-delimiter", "a delimiter stands where none belongs")
                if tag == 0 and length == 0 and depth == 0 and not any(data[position:end]):
                    break
                vr = dictionary.get(tag, "UN")
            value: bytes | memoryview | list[Dataset] | Encapsulated
            if length == UNDEFINED:
                value, vr, position = self._read_undefined(data, position, end, tag, vr, depth)
            else:
                stop = position + length
                if stop > end:
                    raise truncated(tag)
                if vr == "SQ":
                    value, _ = self._read_items(data, position, stop, depth, until_delimiter=False)
                elif vr == "UN" and explicit:
                    value, vr = self._read_un(data[position:stop], tag, depth)
                elif length > LARGE and (vr in BULK_VRS or " or " in vr):
                    value = data[position:stop]
                else:
                    value = bytes(data[position:stop])
                position = stop
            dataset[tag] = Element(vr, value)
        if until_delimiter:
            raise truncated(0)
        return dataset, position

    def _read_undefined(
        self, data: memoryview, position: int, end: int, tag: int, vr: str, depth: int
    ) -> tuple[list[Dataset] | Encapsulated, str, int]:
        if vr == "SQ":
            items, position = self._read_items(data, position, end, depth, until_delimiter=True)
            return items, vr, position
        if vr == "UN":
            # PS3.5 §6.2.2: such a value is a sequence in implicit VR little endian.
            inner = Codec(explicit=False, big_endian=False, dictionary=self.dictionary)
            items, position = inner._read_items(data, position, end, depth, until_delimiter=True)
            return items, "UN" if self.big_endian else "SQ", position
        if tag == PIXEL_DATA:
            stop = self._end_of_fragments(data, position, end)
            return Encapsulated(data[position:stop]), "OB", stop + 8
        raise Unreadable("undefined-length", "an element that is no sequence has no length", f"{tag:08X}")

    def _read_un(
        self, value: memoryview, tag: int, depth: int
    ) -> tuple[bytes | memoryview | list[Dataset], str]:
        """Give a standard attribute that came as UN its VR back (little endian, PS3.5 §6.2.2)."""
        known = self.dictionary.get(tag, "UN")
        if known == "SQ" and not self.big_endian:
            inner = Codec(explicit=False, big_endian=False, dictionary=self.dictionary)
            try:
                return inner._read_items(value, 0, len(value), depth, until_delimiter=False)[0], "SQ"
            except Unreadable:
                return bytes(value), "UN"
        text = known in SHORT_VRS and known not in {"AT", "FD", "FL", "SL", "SS", "UL", "US"}
        if text or (not self.big_endian and known in _CODES and known not in {"UN", "SQ"}):
            if known in SHORT_VRS and len(value) > 0xFFFE:
                return bytes(value), "UN"
            return bytes(value), known
        return bytes(value), "UN"

    def _read_items(
        self, data: memoryview, position: int, end: int, depth: int, *, until_delimiter: bool
    ) -> tuple[list[Dataset], int]:
        items: list[Dataset] = []
        header = struct.Struct((">" if self.big_endian else "<") + "HHL").unpack_from
        while position < end:
            if end - position < 8:
                raise truncated(ITEM)
            group, element, length = header(data, position)
            tag = group << 16 | element
            position += 8
            if tag == SEQUENCE_END and until_delimiter:
                return items, position
            if tag != ITEM:
                raise Unreadable("no-item", "a sequence holds something that is no item")
            if length == UNDEFINED:
                item, position = self._read_dataset(data, position, end, depth + 1, until_delimiter=True)
            else:
                stop = position + length
                if stop > end:
                    raise truncated(ITEM)
                item, _ = self._read_dataset(data, position, stop, depth + 1, until_delimiter=False)
                position = stop
            items.append(item)
        if until_delimiter:
            raise truncated(SEQUENCE_END)
        return items, position

    def _end_of_fragments(self, data: memoryview, position: int, end: int) -> int:
        header = struct.Struct((">" if self.big_endian else "<") + "HHL").unpack_from
        while position + 8 <= end:
            group, element, length = header(data, position)
            tag = group << 16 | element
            if tag == SEQUENCE_END:
                return position
            if tag != ITEM or length == UNDEFINED:
                break
            position += 8 + length
        raise truncated(PIXEL_DATA)

    # ------------------------------------------------------------------ writing

    def write(self, dataset: Dataset) -> list[bytes | memoryview]:
        """Encode a data set in ascending tag order, lengths explicit; to be joined.

        Raises
        ------
        Unreadable
            If a value is too long for its VR.
        """
        chunks: list[bytes | memoryview] = []
        order = ">" if self.big_endian else "<"
        pack_short = struct.Struct(order + "HH2sH").pack
        pack_long = struct.Struct(order + "HH2sHL").pack
        pack_implicit = struct.Struct(order + "HHL").pack
        for tag in sorted(dataset):
            vr, value = dataset[tag]
            group, element = tag >> 16, tag & 0xFFFF
            tail: bytes | None = None
            if isinstance(value, list):
                body: bytes | memoryview = b"".join(self._write_items(value))
                length, vr = len(body), "SQ"
            elif isinstance(value, Encapsulated):
                body, length = value.items, UNDEFINED
                tail = pack_implicit(SEQUENCE_END >> 16, SEQUENCE_END & 0xFFFF, 0)
            else:
                body, length = value, len(value)
                if length & 1:
                    tail = b"\0" if vr in _NUL_PADDED else b" "
                    length += 1
            if not self.explicit:
                chunks.append(pack_implicit(group, element, length))
            elif vr in LONG_VRS:
                chunks.append(pack_long(group, element, _CODES[vr], 0, length))
            elif length > 0xFFFF:
                raise Unreadable("value-too-long", "a value is longer than its VR allows", f"{tag:08X}")
            else:
                chunks.append(pack_short(group, element, _CODES[vr], length))
            chunks.append(body)
            if tail is not None:
                chunks.append(tail)
        return chunks

    def _write_items(self, items: list[Dataset]) -> list[bytes | memoryview]:
        pack = struct.Struct((">" if self.big_endian else "<") + "HHL").pack
        chunks: list[bytes | memoryview] = []
        for item in items:
            body = self.write(item)
            chunks.append(pack(0xFFFE, 0xE000, sum(map(len, body))))
            chunks += body
        return chunks
