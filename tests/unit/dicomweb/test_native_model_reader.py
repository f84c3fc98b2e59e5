"""Native DICOM Model in XML to DICOM JSON (PS3.19 §A.1)."""

from __future__ import annotations

from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicom_node.domain.errors import InvalidInstance
from dicomweb.dicom_json import JsonRules, encode_dataset
from dicomweb.native_model import to_xml
from dicomweb.native_model_reader import from_xml

NAMESPACE = 'xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'


def document(content: str) -> bytes:
    return f"<NativeDicomModel {NAMESPACE}>{content}</NativeDicomModel>".encode()


def private(creator: str, value: str) -> str:
    return (
        f'<DicomAttribute tag="00090005" vr="LO" privateCreator="{creator}">'
        f'<Value number="1">{value}</Value></DicomAttribute>'
    )


def test_model_comes_back_the_same() -> None:
    model: dict[str, Any] = {
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        "00090010": {"vr": "LO", "Value": ["ACME"]},
        "00091001": {"vr": "OB", "InlineBinary": "AAE="},
        "00091002": {"vr": "OB", "BulkDataURI": "https://pacs.example/b"},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B^^^E^F", "Ideographic": "山^太"}, None]},
        "00100020": {"vr": "LO", "Value": [" a < b & c "]},
        "0018605A": {"vr": "FL", "Value": [1.5, "NaN", "Infinity", "-Infinity"]},
        "00280010": {"vr": "US", "Value": [7]},
        "00281052": {"vr": "DS"},
    }
    assert from_xml(to_xml(model)) == model


@pytest.mark.parametrize("name", ["CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "nested_priv_SQ.dcm"])
def test_models_of_real_objects_come_back_the_same(name: str) -> None:
    ds = pydicom.dcmread(str(get_testdata_file(name)), stop_before_pixels=True)
    model = encode_dataset(ds, JsonRules(bulk_root="b/"))
    assert _as_text(from_xml(to_xml(model))) == _as_text(model)


def _as_text(model: Any) -> Any:
    """Numbers of DS and IS are strings in XML."""
    if isinstance(model, dict):
        return {key: _as_text(value) for key, value in model.items()}
    if isinstance(model, list):
        return [_as_text(value) for value in model]
    return str(model) if isinstance(model, int | float) else model


def test_private_attributes_stand_under_their_creator_without_a_block() -> None:
    """Table A.1.5-2: privateCreator in place of the block number."""
    xml = to_xml(
        {"00090011": {"vr": "LO", "Value": ["ACME"]}, "00091105": {"vr": "LO", "Value": ["x"]}}
    ).decode()
    assert '<DicomAttribute tag="00090005" vr="LO" privateCreator="ACME">' in xml


def test_creators_without_an_element_get_free_blocks() -> None:
    model = from_xml(
        document(
            '<DicomAttribute tag="00090010" vr="LO"><Value number="1">TAKEN</Value></DicomAttribute>'
            + private("ACME", "x")
            + private("TAKEN", "y")
        )
    )
    assert {tag: value["Value"] for tag, value in model.items()} == {
        "00090010": ["TAKEN"],
        "00090011": ["ACME"],
        "00091005": ["y"],
        "00091105": ["x"],
    }


def test_numbers_decide_the_order_and_missing_ones_are_empty() -> None:
    """A.1.5: the number attribute is the value's place."""
    model = from_xml(
        document(
            '<DicomAttribute tag="00080008" vr="CS"><Value number="3">C</Value>'
            '<Value number="1">A</Value></DicomAttribute>'
        )
    )
    assert model["00080008"]["Value"] == ["A", None, "C"]


def test_prefixed_names_are_read_like_others() -> None:
    prefixed = (
        b'<n:NativeDicomModel xmlns:n="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
        b'<n:DicomAttribute tag="00100020" vr="LO"><n:Value number="1">P</n:Value></n:DicomAttribute>'
        b"</n:NativeDicomModel>"
    )
    assert from_xml(prefixed) == {"00100020": {"vr": "LO", "Value": ["P"]}}


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
    ],
)
def test_document_types_and_entities_are_refused(declaration: str) -> None:
    body = f'{declaration}<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"/></NativeDicomModel>'
    with pytest.raises(InvalidInstance, match="document type"):
        from_xml(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"<a/>",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="none"?><NativeDicomModel/>',
        b"<NativeDicomModel>" + b"<Item>" * 5000,
        document('<DicomAttribute tag="secret" vr="LO"/>'),
        document('<DicomAttribute vr="LO"/>'),
        document('<DicomAttribute tag="00280010" vr="US"><Value number="1">secret</Value></DicomAttribute>'),
        document('<DicomAttribute tag="00280010" vr="FD"><Value number="1">secret</Value></DicomAttribute>'),
        document('<DicomAttribute tag="00100020" vr="LO"><Value number="0">secret</Value></DicomAttribute>'),
        document(
            '<DicomAttribute tag="00100020" vr="LO"><Value number="999999">secret</Value></DicomAttribute>'
        ),
        document('<DicomAttribute tag="00100020" vr="LO"/><DicomAttribute tag="00100020" vr="LO"/>'),
        document('<DicomAttribute tag="00091001" vr="OB"><BulkData/></DicomAttribute>'),
    ],
)
def test_what_is_no_native_model_is_refused_without_its_values(body: bytes) -> None:
    with pytest.raises(InvalidInstance) as refused:
        from_xml(body)
    assert "secret" not in str(refused.value)
