from __future__ import annotations

from typing import Any

import pydicom
import pytest

from dicom_node.domain.errors import InvalidInstance
from dicomweb.attributes import DicomJsonReader


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


@pytest.mark.parametrize("data", [b"", b"no DICOM" * 50])
def test_reader_refuses_what_is_no_dicom_file(data: bytes) -> None:
    with pytest.raises(InvalidInstance):
        DicomJsonReader().read(data)
