from __future__ import annotations

import base64
import io
import json
import math
from typing import Any

import pydicom
import pytest
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb.dicom_json import JsonRules, dumps, encode_dataset

RULES = JsonRules(bulk_root="bulk/")


def reread(ds: pydicom.Dataset, syntax: str = ExplicitVRLittleEndian) -> pydicom.Dataset:
    """The data set as it comes from a file: with values that nobody has converted."""
    out = io.BytesIO()
    big = syntax == ExplicitVRBigEndian
    ds.save_as(out, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=not big)
    out.seek(0)
    return read_dataset(out, syntax == ImplicitVRLittleEndian, not big)


def encode(**attributes: Any) -> dict[str, Any]:
    ds = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return encode_dataset(reread(ds), RULES)


def test_person_name_has_only_the_groups_that_are_there() -> None:
    model = encode(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎=")
    assert model["00100010"] == {
        "vr": "PN",
        "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}],
    }


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Buc^Jérôme"),
        ("ISO_IR 144", "Люкceмбypг"),  # noqa: RUF001 (Cyrillic on purpose)
        ("GB18030", "王^小东"),
        ("ISO_IR 192", "Wang^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_text_of_any_character_set_becomes_unicode(character_set: Any, name: str) -> None:
    model = encode(SpecificCharacterSet=character_set, PatientName=name)
    assert "=".join(model["00100010"]["Value"][0].values()) == name
    assert model["00080005"]["Value"] == ["ISO_IR 192"]


def test_backslash_byte_within_a_gb18030_character_does_not_split_the_value() -> None:
    name = "\u8c37"  # a character whose second byte in GBK may be 0x5C in its neighbourhood
    odd = next(chr(c) for c in range(0x4E00, 0x9FFF) if b"\\" in chr(c).encode("gb18030"))
    ds = pydicom.Dataset()
    ds.SpecificCharacterSet = "GB18030"
    raw = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(0x00100020), "LO", 4, (name + odd).encode("gb18030"), 0, False, True
    )
    ds[0x00100020] = raw
    assert encode_dataset(ds, RULES)["00100020"]["Value"] == [name + odd]


def test_numbers_that_json_does_not_know_are_strings() -> None:
    model = encode(RecommendedDisplayFrameRateInFloat=None, ExaminedBodyThickness=1.5)
    assert model["00109431"]["Value"] == [1.5]
    model = encode(DiffusionGradientOrientation=[math.nan, math.inf, -math.inf])
    assert model["00189089"]["Value"] == ["NaN", "Infinity", "-Infinity"]
    json.loads(dumps(model), parse_constant=pytest.fail)


def test_large_integers_are_strings_and_others_numbers() -> None:
    ds = pydicom.Dataset()
    ds.add_new(0x00080311, "UV", 2**60)
    ds.add_new(0x00720082, "SV", [-5, 2**53])
    model = encode_dataset(reread(ds), RULES)
    assert model["00080311"]["Value"] == [str(2**60)]
    assert model["00720082"]["Value"] == [-5, 2**53]


def test_decimal_and_integer_strings_are_numbers_and_odd_ones_stay_text() -> None:
    ds = pydicom.Dataset()
    for tag, vr, value in (
        (0x00180050, "DS", b"1.50 "),
        (0x00281050, "DS", b"40\\-1e2"),
        (0x00200013, "IS", b" 7 "),
        (0x00280008, "IS", b"1A"),
        (0x00181063, "DS", b"nan "),
    ):
        ds[tag] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(tag), vr, len(value), value, 0, False, True)
    model = encode_dataset(ds, RULES)
    assert model["00180050"]["Value"] == [1.5]
    assert model["00281050"]["Value"] == [40, -100.0]
    assert model["00200013"]["Value"] == [7]
    assert model["00280008"]["Value"] == ["1A"]
    assert model["00181063"]["Value"] == ["nan"]


def test_empty_values_keep_their_place_and_empty_attributes_have_none() -> None:
    model = encode(ImageType=["ORIGINAL", "", "AXIAL"], PatientID="", ReferencedStudySequence=[])
    assert model["00080008"]["Value"] == ["ORIGINAL", None, "AXIAL"]
    assert model["00100020"] == {"vr": "LO"}
    assert model["00081110"] == {"vr": "SQ"}


def test_binary_values_are_inline_when_short_and_by_uri_when_long() -> None:
    ds = pydicom.Dataset()
    ds.add_new(0x00420011, "OB", b"ab")
    ds.add_new(0x00660016, "OF", bytes(2000))
    item = pydicom.Dataset()
    item.add_new(0x54001010, "OW", bytes(2000))
    ds.WaveformSequence = [item]
    model = encode_dataset(reread(ds), RULES)
    assert base64.b64decode(model["00420011"]["InlineBinary"]) == b"ab"
    assert model["00660016"] == {"vr": "OF", "BulkDataURI": "bulk/00660016"}
    inner = model["54000100"]["Value"][0]
    assert inner["54001010"] == {"vr": "OW", "BulkDataURI": "bulk/54000100/0/54001010"}


def test_pixel_data_is_never_inline() -> None:
    ds = pydicom.Dataset()
    ds.add_new(0x7FE00010, "OW", b"\0\0")
    assert encode_dataset(reread(ds), RULES)["7FE00010"] == {"vr": "OW", "BulkDataURI": "bulk/7FE00010"}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_model_does_not_depend_on_the_transfer_syntax(syntax: str) -> None:
    ds = pydicom.Dataset()
    ds.PixelRepresentation, ds.SmallestImagePixelValue = 1, -5
    ds["SmallestImagePixelValue"].VR = "SS"
    ds.FrameIncrementPointer = 0x00181063
    ds.PatientName, ds.Rows, ds.SliceLocation = "A^B", 300, 1.25
    item = pydicom.Dataset()
    item.CodeValue = "T-1"
    ds.AnatomicRegionSequence = [item]
    model = encode_dataset(reread(ds, syntax), RULES)
    assert model["00280106"] == {"vr": "SS", "Value": [-5]}
    assert model["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert model["00280010"] == {"vr": "US", "Value": [300]}
    assert model["00082218"]["Value"][0]["00080100"]["Value"] == ["T-1"]
    assert list(model) == sorted(model)


def test_converted_elements_encode_like_raw_ones(support: Any) -> None:
    data = support.sample_bytes("CT_small.dcm")
    raw = pydicom.dcmread(io.BytesIO(data))
    touched = pydicom.dcmread(io.BytesIO(data))
    for element in touched.iterall():
        assert element.tag is not None
    assert encode_dataset(touched, RULES) == encode_dataset(raw, RULES)


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small.dcm", "reportsi.dcm", "rtplan.dcm", "liver_1frame.dcm"]
)
def test_pydicom_reads_the_model_back_as_the_same_data_set(support: Any, name: str) -> None:
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes(name)), stop_before_pixels=True)
    model = encode_dataset(ds, JsonRules(bulk_root="", binary_limit=10**9))
    again = pydicom.Dataset.from_json(model)
    for element in again:
        if element.tag == 0x00080005 or element.VR == "UN":
            continue
        assert element.value == ds[element.tag].value, element.tag
    assert len(again) == sum(1 for e in ds if e.tag.element != 0)


def test_lone_surrogates_do_not_break_the_response() -> None:
    assert dumps({"x": "\ud800"}) == b'{"x":"?"}'


def raw(data: bytes, *charset: str, vr: str = "LO") -> dict[str, Any]:
    ds = pydicom.Dataset()
    values = {0x00104000: (vr, data)}
    if charset:
        values[0x00080005] = ("CS", "\\".join(charset).encode())
    for number, (kind, value) in values.items():
        tag = pydicom.tag.Tag(number)
        ds[tag] = pydicom.dataelem.RawDataElement(tag, kind, len(value), value, 0, False, True)
    return encode_dataset(ds, RULES)["00104000"]


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("Zürich".encode(), (), "Zürich"),
        ("Zürich".encode("latin-1"), (), "Zürich"),
        ("Zürich".encode("latin-1"), ("ISO_IR 192",), "Zürich"),
        ("Zürich".encode("latin-1"), ("nonsense",), "Zürich"),
        ("Zürich".encode("latin-1"), ("ISO-IR 100",), "Zürich"),
        ("山田".encode("iso2022_jp"), (), "山田"),
        ("山田".encode("iso2022_jp"), ("ISO_IR 100",), "山田"),
        (b"plain", ("GB18030",), "plain"),
    ],
)
def test_text_in_a_wrongly_declared_character_set_is_read(data: bytes, charset: Any, text: str) -> None:
    assert raw(data, *charset)["Value"] == [text]


@pytest.mark.parametrize("text", ["1_000", "1,5", "0x10", "infinity", "nan", "1e", "٣"])
def test_what_is_no_number_by_the_standard_stays_text(text: str) -> None:
    """PS3.5 §6.2: DS and IS hold digits, sign, point and exponent."""
    assert raw(text.encode(), "ISO_IR 192", vr="DS")["Value"][0] not in (1000, 16)
    assert isinstance(raw(text.encode(), "ISO_IR 192", vr="IS")["Value"][0], str)


def test_several_empty_values_keep_their_places() -> None:
    """F.2.5."""
    assert raw(b"\\\\") == {"vr": "LO", "Value": [None, None, None]}
    assert raw(b"  ") == {"vr": "LO"}
