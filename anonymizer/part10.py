"""Part 10 files: read whole, write anew with a File Meta Information of our own.

References
----------
PS3.10 §7.1 (File Meta Information); PS3.15 §E.1.1 (preamble and File Meta are not passed on).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from anonymizer.codec import Codec, Dataset, Element, truncated
from anonymizer.errors import Unreadable

if TYPE_CHECKING:
    from anonymizer.table import Table

#: UUID-derived (PS3.5 §B.2), of this implementation.
IMPLEMENTATION_CLASS_UID = "2.25.213385714628404297915243276843279102951"
IMPLEMENTATION_VERSION_NAME = "DICOM_AI_NODE_1"
#: Bytes; a deflated data set that grows beyond is refused.
MAX_INFLATED = 1 << 32
#: Retired syntaxes that are no encoding of PS3.5 §7.
_OTHER_ENCODINGS = ("Papyrus", "RFC 2557", "XML")


@dataclass(frozen=True, slots=True)
class File:
    """A Part 10 file, parsed; its File Meta is left behind."""

    transfer_syntax_uid: str
    dataset: Dataset


def standard_dictionary(table: Table) -> dict[int, str]:
    """Tag to VR of every attribute of the standard: pydicom's dictionary and the newer ones of the table."""
    known = {tag: entry[0] for tag, entry in DicomDictionary.items() if entry[0] != "NONE"}
    newer = {tag: rule.vr for tag, rule in table.by_tag.items() if rule.vr is not None}
    return {**newer, **known}


class Part10:
    """Reads and writes Part 10 files in every transfer syntax that the standard registers.

    Parameters
    ----------
    dictionary
        As `standard_dictionary` makes it.
    """

    def __init__(self, dictionary: dict[int, str]) -> None:
        self._explicit = Codec(explicit=True, big_endian=False, dictionary=dictionary)
        self._implicit = Codec(explicit=False, big_endian=False, dictionary=dictionary)
        self._big_endian = Codec(explicit=True, big_endian=True, dictionary=dictionary)

    def codec(self, transfer_syntax_uid: str) -> Codec:
        """The encoding of a transfer syntax.

        Raises
        ------
        Unreadable
            If the standard does not register it.
        """
        if transfer_syntax_uid == ImplicitVRLittleEndian:
            return self._implicit
        if transfer_syntax_uid == ExplicitVRBigEndian:
            return self._big_endian
        entry = UID_dictionary.get(transfer_syntax_uid)
        if entry is None or entry[1] != "Transfer Syntax" or entry[0].startswith(_OTHER_ENCODINGS):
            raise Unreadable(
                "unknown-transfer-syntax",
                "the transfer syntax is none of the standard; convert the object to a standard one",
                "TransferSyntaxUID",
            )
        return self._explicit

    def read(self, data: bytes) -> File:
        """Parse preamble, File Meta and data set.

        Raises
        ------
        Unreadable
            If the bytes are no Part 10 file or end too early.
        """
        if len(data) < 132 or data[128:132] != b"DICM":
            raise Unreadable("no-part-10", "no DICOM file: the preamble with DICM is missing")
        view = memoryview(data)
        meta_end = self._meta_end(view)
        meta = self._explicit.read(view[132:meta_end])
        element = meta.get(0x00020010)
        if element is None or not isinstance(element.value, bytes):
            raise Unreadable(
                "no-transfer-syntax", "File Meta lacks the transfer syntax; send the object again"
            )
        transfer_syntax = element.value.decode("ascii", "replace").strip(" \0")
        codec = self.codec(transfer_syntax)
        if transfer_syntax == DeflatedExplicitVRLittleEndian:
            return File(transfer_syntax, codec.read(memoryview(_inflate(view[meta_end:]))))
        return File(transfer_syntax, codec.read(view, meta_end))

    def write(self, dataset: Dataset, transfer_syntax_uid: str) -> bytes:
        """Encode as a Part 10 file: empty preamble, File Meta with nothing but what PS3.10 asks for."""
        codec = self.codec(transfer_syntax_uid)
        chunks = codec.write(dataset)
        if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            chunks = [*map(compressor.compress, chunks), compressor.flush()]
            if sum(map(len, chunks)) & 1:
                chunks.append(b"\0")
        meta: Dataset = {
            0x00020001: Element("OB", b"\0\1"),
            0x00020002: Element("UI", _uid_bytes(dataset, 0x00080016)),
            0x00020003: Element("UI", _uid_bytes(dataset, 0x00080018)),
            0x00020010: Element("UI", transfer_syntax_uid.encode()),
            0x00020012: Element("UI", IMPLEMENTATION_CLASS_UID.encode()),
            0x00020013: Element("SH", IMPLEMENTATION_VERSION_NAME.encode()),
        }
        head = b"".join(self._explicit.write(meta))
        length = struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(head))
        return b"".join([bytes(128), b"DICM", length, head, *chunks])

    @staticmethod
    def _meta_end(view: memoryview) -> int:
        """Offset of the first element that is not of group 0002; the group length may be wrong."""
        position = 132
        while position + 8 <= len(view) and bytes(view[position : position + 2]) == b"\x02\x00":
            code = bytes(view[position + 4 : position + 6])
            if code in (b"OB", b"UN", b"UT", b"OW", b"UR", b"UC"):
                if position + 12 > len(view):
                    raise truncated(0x00020000)
                position += 12 + int(struct.unpack_from("<L", view, position + 8)[0])
            else:
                position += 8 + int(struct.unpack_from("<H", view, position + 6)[0])
        if position > len(view):
            raise truncated(0x00020000)
        return position


def text_value(dataset: Dataset, tag: int) -> str:
    """The value of a string element in ASCII without padding; empty where absent or binary."""
    element = dataset.get(tag)
    if element is None or not isinstance(element.value, bytes):
        return ""
    return element.value.decode("ascii", "replace").strip(" \0")


def _uid_bytes(dataset: Dataset, tag: int) -> bytes:
    return text_value(dataset, tag).encode()


def _inflate(data: memoryview) -> bytes:
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = decompressor.decompress(data, MAX_INFLATED)
    except zlib.error:
        raise Unreadable("bad-deflate", "the deflated data set is damaged; send the object again") from None
    if decompressor.unconsumed_tail:
        raise Unreadable("inflated-too-large", f"the data set inflates to more than {MAX_INFLATED} bytes")
    if not decompressor.eof:
        raise truncated(0)
    return inflated
