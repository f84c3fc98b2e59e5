from __future__ import annotations

import io
import struct

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from anonymizer.codec import MAX_DEPTH, Codec, Element, Encapsulated
from anonymizer.errors import Unreadable
from anonymizer.part10 import Part10, standard_dictionary
from anonymizer.table import load_table

DICTIONARY = standard_dictionary(load_table())
PART10 = Part10(DICTIONARY)
EXPLICIT = Codec(explicit=True, big_endian=False, dictionary=DICTIONARY)


def read(data: bytes):
    return EXPLICIT.read(memoryview(data))


def explicit(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    if vr in {b"SQ", b"UN", b"OB", b"UT"}:
        return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, size) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, size) + value


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "reportsi.dcm",
     "rtplan.dcm", "image_dfl.dcm", "liver_1frame.dcm"],
)  # fmt: skip
def test_pydicom_reads_back_what_was_written(name):
    path = str(get_testdata_file(name, download=False))
    with open(path, "rb") as stream:  # noqa: PTH123  # pydicom names a string
        file = PART10.read(stream.read())
    again = pydicom.dcmread(io.BytesIO(PART10.write(file.dataset, file.transfer_syntax_uid)))
    assert again.to_json_dict() == pydicom.dcmread(path).to_json_dict()


def test_un_of_a_known_attribute_gets_its_vr_back():
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 16) + struct.pack("<HHL", 0x8, 0x104, 8) + b"Kanarien"
    assert read(explicit(0x00080050, b"UN", b"A1"))[0x00080050] == Element("SH", b"A1")
    expected = Element("SQ", [{0x00080104: Element("LO", b"Kanarien")}])
    assert read(explicit(0x00081032, b"UN", item))[0x00081032] == expected
    undefined = explicit(0x00081032, b"UN", item, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    assert read(undefined)[0x00081032] == expected


def test_fragments_are_kept_as_they_are():
    items = (
        struct.pack("<HHL", 0xFFFE, 0xE000, 0) + struct.pack("<HHL", 0xFFFE, 0xE000, 4) + b"\xfe\xff\xdd\xe0"
    )
    data = explicit(0x7FE00010, b"OB", items, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    dataset = read(data)
    value = dataset[0x7FE00010].value
    assert isinstance(value, Encapsulated)
    assert bytes(value.items) == items
    assert b"".join(EXPLICIT.write(dataset)) == data


def test_zero_padding_behind_the_last_element_is_dropped():
    assert list(read(explicit(0x00080050, b"SH", b"A1") + bytes(14))) == [0x00080050]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (explicit(0x00080050, b"SH", b"A1", 200), "truncated"),
        (explicit(0x00080050, b"??", b"A1"), "unknown-vr"),
        (explicit(0x00080050, b"SH", b"A1") + b"rest", "truncated"),
        (explicit(0x00420011, b"OB", b"A1", 0xFFFFFFFF), "undefined-length"),
        (explicit(0x00081032, b"SQ", b"", 0xFFFFFFFF), "truncated"),
        (explicit(0x00081032, b"SQ", b"notanitem"), "no-item"),
        (struct.pack("<HHL", 0xFFFE, 0xE00D, 0), "stray-delimiter"),
        (explicit(0x7FE00010, b"OB", b"12345678", 0xFFFFFFFF), "truncated"),
    ],
)
def test_malformed_data_sets_are_refused_by_name(data, rule):
    with pytest.raises(Unreadable) as caught:
        read(data)
    assert caught.value.rule == rule
    assert "A1" not in str(caught.value)


def test_endless_nesting_is_refused():
    data = b""
    for _ in range(MAX_DEPTH + 2):
        data = explicit(0x00081032, b"SQ", struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data)
    with pytest.raises(Unreadable, match="too-deep"):
        read(data)


def test_values_too_long_for_their_vr_are_refused():
    with pytest.raises(Unreadable, match="value-too-long"):
        PART10.write({0x00081090: Element("LO", b"x" * 70000)}, ExplicitVRLittleEndian)
    assert PART10.write({0x00081090: Element("LO", b"x" * 70000)}, ImplicitVRLittleEndian)


def test_unknown_transfer_syntaxes_are_refused():
    for uid in ("1.2.840.113619.5.2", "1.2.840.10008.1.20", ""):
        with pytest.raises(Unreadable, match="unknown-transfer-syntax"):
            PART10.codec(uid)
