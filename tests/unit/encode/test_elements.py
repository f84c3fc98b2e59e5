"""The elements of a file by their bytes: found whole, or not at all."""

import io

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from predicted_series import make_case
from pydicom.uid import ImplicitVRLittleEndian

from inference.encode.checks.baseline import uids_of, uids_of_result
from inference.encode.checks.elements import encoded_elements

_START = 132
_NESTED = [pydicom.Dataset() for _ in range(3)]
for _item in _NESTED:
    _item.SeriesDescription, _item.SeriesInstanceUID, _item.ReferencedSOPSequence = (
        "ITEM",
        "1.2.3",
        [pydicom.Dataset()],
    )
_PART10 = next(iter(make_case(2, 8, 8).study.data.values()))


def test_elements_are_those_that_pydicom_reads():
    elements = encoded_elements(_PART10)
    ds = pydicom.dcmread(io.BytesIO(_PART10))
    assert list(elements.spans) == [*map(int, ds.file_meta.keys()), *map(int, ds.keys())]
    assert elements.value(0x00080018).rstrip(b"\0").decode() == ds.SOPInstanceUID
    assert elements.value(0x7FE00010) == ds.PixelData
    assert elements.length(0x7FE00010) == len(ds.PixelData)


@given(st.sets(st.sampled_from(list(encoded_elements(_PART10).spans))))
def test_chosen_elements_and_all_others_are_the_whole_file(tags):
    elements = encoded_elements(_PART10)
    assert elements.only(elements.spans) == elements.without(()) == _PART10[_START:]
    others = elements.spans.keys() - tags
    assert elements.without(tags) == elements.only(others)


@given(st.binary(max_size=64), st.integers(_START, len(_PART10) - 1))
def test_rubbish_is_not_taken_for_elements_that_reach_beyond_it(rubbish, at):
    broken = _PART10[:at] + rubbish
    elements = encoded_elements(broken)
    if elements is not None:
        assert elements.without(()) == broken[_START:]
        assert list(elements.spans) == sorted(elements.spans)


@pytest.mark.parametrize("part10", [b"", b"no DICOM at all", _PART10[:-1], _PART10 + b"\0", _PART10[1:]])
def test_what_is_no_whole_file_has_no_elements(part10):
    assert encoded_elements(part10) is None


def test_other_encodings_have_no_elements():
    ds = pydicom.dcmread(io.BytesIO(_PART10))
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit, undefined = io.BytesIO(), io.BytesIO()
    pydicom.dcmwrite(implicit, ds, implicit_vr=True, little_endian=True)
    assert encoded_elements(implicit.getvalue()) is None
    ds = pydicom.dcmread(io.BytesIO(_PART10))
    ds.ReferencedImageSequence = [pydicom.Dataset()]
    ds["ReferencedImageSequence"].is_undefined_length = True
    ds.save_as(undefined)
    assert encoded_elements(undefined.getvalue()) is None


def _with(*items, undefined=False):
    ds = pydicom.dcmread(io.BytesIO(_PART10))
    ds.ReferencedSeriesSequence = [*items]
    ds["ReferencedSeriesSequence"].is_undefined_length = undefined
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return ds, buffer.getvalue()


def test_uids_at_any_nesting_are_those_that_pydicom_reads():
    item, inner = pydicom.Dataset(), pydicom.Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.3.4"
    inner.FailedSOPInstanceUIDList = ["1.2.5", "1.2.66"]
    inner.ReferencedSOPClassUID = ""
    item.SeriesInstanceUID, item.ReferencedSOPSequence = "1.2.77", [inner, pydicom.Dataset()]
    ds, part10 = _with(item)
    found = encoded_elements(part10).uids()
    assert found == frozenset(uids_of(ds)) == uids_of_result(part10)
    assert {"1.2.3.4", "1.2.5", "1.2.66", "1.2.77", ds.SOPInstanceUID} <= found
    assert ds.file_meta.ImplementationClassUID not in found


def test_uids_of_what_is_not_plain_are_left_to_pydicom():
    item = pydicom.Dataset()
    item.SeriesInstanceUID, item.ReferencedSOPSequence = "1.2.77", [pydicom.Dataset()]
    item["ReferencedSOPSequence"].is_undefined_length = True
    ds, part10 = _with(item)
    assert encoded_elements(part10).uids() is None
    assert uids_of_result(part10) == frozenset(uids_of(ds))
    ds, part10 = _with(item, undefined=True)
    assert encoded_elements(part10) is None
    assert uids_of_result(part10) == frozenset(uids_of(ds))


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_broken_items_have_uids_or_none_but_raise_nothing(at, rubbish):
    _, part10 = _with(*_NESTED)
    start = part10.index(b"ITEM")
    broken = part10[: start + at] + rubbish + part10[start + at + len(rubbish) :]
    elements = encoded_elements(broken)
    if elements is not None:
        assert elements.uids() is None or all(isinstance(uid, str) for uid in elements.uids())
