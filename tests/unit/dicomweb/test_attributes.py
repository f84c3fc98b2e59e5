from __future__ import annotations

import json
from typing import Any

import pydicom
import pytest

from dicom_node.domain.errors import InvalidInstance
from dicomweb.attributes import DicomJsonReader
from dicomweb.dicom_json import JsonRules, encode_dataset


def test_reader_keeps_small_values_and_marks_large_ones(support: Any) -> None:
    ds = support.slice_dataset(ImageComments="x" * 1100, PatientComments="short")
    syntax, attributes = DicomJsonReader().read(support.to_bytes(ds))
    assert syntax == "1.2.840.10008.1.2.1"
    assert attributes["00104000"]["Value"] == ["short"]
    assert attributes["00204000"] == {"vr": "LT", "BulkDataURI": "bulkdata/00204000"}
    assert attributes["7FE00010"] == {"vr": "OW", "BulkDataURI": "bulkdata/7FE00010"}
    assert "00020010" not in attributes


def test_reader_marks_a_sequence_that_is_too_long_for_the_index(support: Any) -> None:
    item = pydicom.Dataset()
    item.CodeMeaning = "a meaning"
    ds = support.slice_dataset(AnatomicRegionSequence=[item], PurposeOfReferenceCodeSequence=[item] * 400)
    _, attributes = DicomJsonReader().read(support.to_bytes(ds))
    assert attributes["0040A170"] == {"vr": "SQ", "BulkDataURI": "bulkdata/0040A170"}
    assert attributes["00082218"]["Value"] == [{"00080104": {"vr": "LO", "Value": ["a meaning"]}}]


@pytest.mark.parametrize("count", [1, 3])
def test_the_bound_of_a_sequence_is_the_length_of_its_json(support: Any, count: int) -> None:
    def read(characters: int) -> dict[str, Any]:
        items = [pydicom.Dataset() for _ in range(count)]
        for item in items:
            item.CodeMeaning = "x" * 64
            item.TextValue = "y" * (characters // count)
        items[0].TextValue += "y" * (characters % count)
        ds = support.slice_dataset(AnatomicRegionSequence=items)
        return dict(encode_dataset(ds, JsonRules("bulkdata/", sequence_limit=8192))["00082218"])

    room = 8192 - len(json.dumps(read(count)["Value"])) + count
    assert len(json.dumps(read(room)["Value"])) == 8192
    assert read(room + 1) == {"vr": "SQ", "BulkDataURI": "bulkdata/00082218"}


@pytest.mark.parametrize("data", [b"", b"no DICOM" * 50])
def test_reader_refuses_what_is_no_dicom_file(data: bytes) -> None:
    with pytest.raises(InvalidInstance):
        DicomJsonReader().read(data)
