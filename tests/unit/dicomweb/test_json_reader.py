"""DICOM JSON to data sets (PS3.18 Annex F)."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_file

from dicom_node.domain.errors import InvalidInstance
from dicomweb.dicom_json import JsonRules, encode_dataset
from dicomweb.json_reader import decode, encode, loads

RULES = JsonRules(bulk_root="bulk/")


def again(model: dict[str, Any]) -> dict[str, Any]:
    return encode_dataset(decode(model), RULES)


@pytest.mark.parametrize(
    ("vr", "values"),
    [
        ("AE", ["NODE"]),
        ("AS", ["042Y"]),
        ("AT", ["00080018", "7FE00010"]),
        ("CS", ["ORIGINAL", "PRIMARY", None, "AXIAL"]),
        ("DA", ["20240131"]),
        ("DS", [1.5, -2, 1e-07, None, 0.123456789]),
        ("DT", ["20240131121314.123456+0100"]),
        ("FD", [1.1, "NaN", "Infinity", "-Infinity", -0.0]),
        ("FL", [0.5, "NaN", "-Infinity"]),
        ("IS", [-2147483648, 2147483647, None]),
        ("LO", ["Zürich", None, "山"]),
        ("LT", ["two\r\nlines \\ with a backslash"]),
        ("PN", [{"Alphabetic": "Müller^Ü", "Phonetic": "x"}, None, {"Ideographic": "山田^太郎"}]),
        ("SH", [None, None]),
        ("SL", [-(2**31), 2**31 - 1]),
        ("SS", [-32768, 32767]),
        ("ST", ["text"]),
        ("SV", [-5, str(-(2**63)), str(2**63 - 1)]),
        ("TM", ["121314.123456"]),
        ("UC", ["unlimited", "characters"]),
        ("UI", ["1.2.3", "1.2.840.10008.1.2.1"]),
        ("UL", [0, 2**32 - 1]),
        ("UR", ["https://pacs.example/a?b=c"]),
        ("US", [0, 65535]),
        ("UT", ["long " * 20000 + "end"]),
        ("UV", [7, str(2**64 - 1)]),
    ],
)
def test_values_of_every_vr_come_back_the_same(vr: str, values: list[Any]) -> None:
    """F.2.3, F.2.4 and F.2.5."""
    model = {"00090010": {"vr": "LO", "Value": ["ACME"]}, "00091001": {"vr": vr, "Value": values}}
    assert again(model)["00091001"] == {"vr": vr, "Value": values}


@pytest.mark.parametrize("vr", ["OB", "OW", "OD", "OF", "OL", "OV", "UN"])
def test_inline_binary_comes_back_the_same_and_may_be_empty(vr: str) -> None:
    """F.2.7."""
    model = {
        "00091001": {"vr": vr, "InlineBinary": "AAECAwQFBgc="},
        "00091002": {"vr": vr, "InlineBinary": ""},
    }
    assert again(model) == {"00091001": model["00091001"], "00091002": {"vr": vr}}


def test_nested_sequences_and_empty_items_come_back_the_same() -> None:
    """F.2.2: an item is an object, an empty one {}."""
    deep: dict[str, Any] = {"00080100": {"vr": "SH", "Value": ["Ä"]}}
    for _ in range(20):
        deep = {"0040A730": {"vr": "SQ", "Value": [deep, {}]}}
    model = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}, **deep, "00400555": {"vr": "SQ"}}
    assert again(model) == dict(sorted(model.items()))


def test_text_beyond_ascii_says_which_character_set_it_is_in() -> None:
    """F.2.1: JSON is Unicode; PS3.5 §6.1.2."""
    item = {"00080104": {"vr": "LO", "Value": ["Lösung"]}}
    ds = decode({"00081140": {"vr": "SQ", "Value": [item]}})
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert ds.ReferencedImageSequence[0].CodeMeaning == "Lösung"
    assert "SpecificCharacterSet" not in decode({"00100020": {"vr": "LO", "Value": ["plain"]}})
    declared = decode({"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}, **item})
    assert (declared.SpecificCharacterSet, declared.CodeMeaning) == ("ISO_IR 192", "Lösung")


def test_group_lengths_and_file_meta_are_left_out() -> None:
    """F.2.2: Group Length shall not be included."""
    model = {
        "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
        "00080000": {"vr": "UL", "Value": [4]},
        "00080018": {"vr": "UI", "Value": ["1.2.3"]},
    }
    assert list(decode(model).keys()) == [0x00080018]


def test_bulk_data_comes_from_the_callable() -> None:
    """F.2.6."""
    asked: list[str] = []

    def bulk(uri: str) -> bytes:
        asked.append(uri)
        return b"\x01\x02\x03"

    ds = decode({"7FE00010": {"vr": "OB", "BulkDataURI": "cid:1"}}, bulk)
    assert (ds.PixelData, asked) == (b"\x01\x02\x03\x00", ["cid:1"])


def test_large_text_of_a_short_vr_is_kept() -> None:
    """PS3.5 §6.2.2: what is too long for its VR goes as UN."""
    model = {"00184000": {"vr": "LT", "Value": ["x" * 70000]}}
    assert decode(model).get_item(0x00184000).VR == "UN"
    assert again(model) == model


def test_long_fractions_are_rounded_to_what_decimal_strings_hold() -> None:
    """PS3.5 §6.2: DS has 16 bytes."""
    data = encode({"00101030": {"vr": "DS", "Value": [math.pi * 1e-7]}})
    assert len(data) == 8 + 16
    assert float(data[8:]) == pytest.approx(math.pi * 1e-7, rel=1e-9)


def test_numbers_that_are_none_are_read_as_dcm4che_writes_them() -> None:
    ds = decode({"0018605A": {"vr": "FL", "Value": [None, 1]}})
    assert math.isnan(ds[0x0018605A].value[0])


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "US", "Value": ["secret"]},
        {"vr": "US", "Value": [65536]},
        {"vr": "US", "Value": [None, 1]},
        {"vr": "US", "Value": [True]},
        {"vr": "US", "Value": [1.5]},
        {"vr": "FL", "Value": ["secret"]},
        {"vr": "FL", "Value": [1e300]},
        {"vr": "IS", "Value": ["secret"]},
        {"vr": "IS", "Value": [2**31]},
        {"vr": "DS", "Value": ["1,5 secret"]},
        {"vr": "DS", "Value": [10**400]},
        {"vr": "AT", "Value": ["secret"]},
        {"vr": "PN", "Value": ["secret^name"]},
        {"vr": "PN", "Value": [{"Alphabetic": "a=secret"}]},
        {"vr": "PN", "Value": [{"alphabetic": "secret"}]},
        {"vr": "PN", "Value": [{"Alphabetic": 5}]},
        {"vr": "LO", "Value": "secret"},
        {"vr": "LO", "Value": [5]},
        {"vr": "LO", "Value": ["\ud800"]},
        {"vr": "LT", "Value": ["secret", "secret"]},
        {"vr": "UI", "Value": ["1.2.ü"]},
        {"vr": "SQ", "Value": ["secret"]},
        {"vr": "SQ", "BulkDataURI": "secret"},
        {"vr": "OB", "Value": [1]},
        {"vr": "OB", "InlineBinary": "secret!"},
        {"vr": "OB", "InlineBinary": ["AAA="]},
        {"vr": "OB", "InlineBinary": "AAA=", "BulkDataURI": "secret"},
        {"vr": "OB", "BulkDataURI": "secret"},
        {"vr": "OB", "BulkDataURI": 5},
        {"vr": "US", "InlineBinary": "AAA="},
        {"vr": "US or SS", "Value": [1]},
        {"vr": ["US"]},
        {"Value": ["secret"]},
        "secret",
        None,
    ],
)
def test_what_breaks_the_model_is_refused_by_the_name_of_the_attribute(attribute: Any) -> None:
    with pytest.raises(InvalidInstance) as refused:
        decode({"00081140": {"vr": "SQ", "Value": [{}, {"00091001": attribute}]}})
    assert "00081140/1/00091001" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "key", ["PatientName", "0010001", "0010_010", "000A001 ", "00000002", "FFFEE000", ""]
)
def test_names_that_are_no_tags_of_a_data_set_are_refused(key: str) -> None:
    with pytest.raises(InvalidInstance):
        decode({key: {"vr": "LO", "Value": ["x"]}})


def test_the_same_tag_in_two_spellings_is_refused() -> None:
    with pytest.raises(InvalidInstance, match="twice"):
        decode({"0008103E": {"vr": "LO"}, "0008103e": {"vr": "LO"}})


def test_endless_nesting_is_refused() -> None:
    model: dict[str, Any] = {}
    for _ in range(200):
        model = {"0040A730": {"vr": "SQ", "Value": [model]}}
    with pytest.raises(InvalidInstance, match="nested"):
        decode(model)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'"x"', b"\xff", b"[" * 100000, b'[{"00080018": NaN}]', b"9" * 5000, b"[null]"],
)
def test_bodies_that_are_no_models_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInstance):
        loads(body)


def test_one_object_is_an_array_of_one() -> None:
    """F.2.1."""
    assert loads(b'{"00080018": {"vr": "UI"}}') == loads(b'\xef\xbb\xbf[{"00080018": {"vr": "UI"}}]')


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "nested_priv_SQ.dcm", "chrH31.dcm"]
)
def test_data_sets_of_others_come_back_equal(name: str) -> None:
    """Data set to model to data set: every value is the same."""
    path = get_testdata_file(name) or get_charset_files(name)[0]
    ds = pydicom.dcmread(str(path), stop_before_pixels=True)
    model = json.loads(json.dumps(encode_dataset(ds, JsonRules(bulk_root="b/", binary_limit=10**9))))
    written = io.BytesIO(encode(model))
    read = pydicom.filereader.read_dataset(written, is_implicit_VR=False, is_little_endian=True)
    assert encode_dataset(read, JsonRules(bulk_root="b/", binary_limit=10**9)) == model
    assert {tag for tag in ds.keys() if tag.element and tag.group > 7} == set(read.keys())  # noqa: SIM118
