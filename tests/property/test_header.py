"""Whatever bytes come: the header is read, or the right error is raised, and never another."""

import io
import struct

import pytest
from dimse_objects import make_instance, part10
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_node.domain.errors import InvalidInstance, NodeError, UnsupportedTransferSyntax
from dicom_node.pipeline import element_walk
from dicom_node.pipeline.header import read_header, scan

ENCODINGS = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
INSTANCES = {uid: part10(make_instance(uid)) for uid in ENCODINGS}
encodings = st.sampled_from(ENCODINGS)


def outcome(data):
    """True where it was read; only errors that blame the instance may come."""
    try:
        read_header(io.BytesIO(data))
    except (InvalidInstance, UnsupportedTransferSyntax):
        return False
    return True


@given(st.binary(max_size=2000))
def test_any_bytes_get_an_answer(data):
    outcome(data)
    outcome(bytes(128) + b"DICM" + data)


@given(encodings, st.binary(max_size=500))
def test_any_data_set_gets_an_answer(encoding, data):
    good = INSTANCES[encoding]
    outcome(good[: scan(io.BytesIO(good)).dataset_offset] + data)


@given(encodings, st.data())
def test_a_changed_byte_gets_an_answer(encoding, data):
    changed = bytearray(INSTANCES[encoding])
    position = data.draw(st.integers(0, len(changed) - 1))
    changed[position] ^= data.draw(st.integers(1, 255))
    outcome(bytes(changed))


@given(encodings, st.integers(2, 8))
def test_an_instance_cut_within_its_last_element_is_never_taken(encoding, missing):
    # One byte less may only be the padding of a deflate stream (PS3.5 §A.5).
    assert not outcome(INSTANCES[encoding][:-missing])


values = st.text("ABC xyz", max_size=40)
datasets = st.recursive(
    st.builds(lambda text: ("ImageComments", text), values),
    lambda inner: st.builds(
        lambda items, undefined: ("ReferencedStudySequence", (items, undefined)),
        st.lists(st.lists(inner, max_size=2), max_size=3),
        st.booleans(),
    ),
    max_leaves=12,
)


def build(elements):
    ds = Dataset()
    for keyword, value in elements:
        if keyword == "ImageComments":
            ds.ImageComments = value
            continue
        items, undefined = value
        ds.ReferencedStudySequence = Sequence([build(item) for item in items])
        ds["ReferencedStudySequence"].is_undefined_length = undefined
        for item in ds.ReferencedStudySequence:
            item.is_undefined_length_sequence_item = undefined
    return ds


@given(encodings, st.lists(datasets, max_size=3))
def test_every_nesting_that_pydicom_writes_is_walked_through(encoding, elements):
    ds = make_instance(encoding)
    ds.update(build(elements))

    assert read_header(io.BytesIO(part10(ds))).sop_instance_uid == ds.SOPInstanceUID


@given(st.integers(0, 0xFFFFFFFF))
def test_a_wrong_length_never_reads_beyond_the_end(length):
    data = INSTANCES[ExplicitVRLittleEndian]
    right = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, 128)
    assert right in data
    taken = outcome(data.replace(right, struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, length)))

    assert taken == (length == 128)


def test_errors_carry_no_value_of_the_data_set():
    said = []
    for data in INSTANCES.values():
        for cut in range(150, len(data), 7):
            try:
                read_header(io.BytesIO(data[:cut]))
            except NodeError as exc:
                said.append(str(exc))

    assert said
    assert "canary" not in " ".join(said).lower()


@given(encodings, st.data())
def test_the_quick_way_over_plain_elements_sees_what_the_careful_way_sees(encoding, data):
    changed = bytearray(INSTANCES[encoding])
    for _ in range(data.draw(st.integers(0, 2))):
        changed[data.draw(st.integers(132, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    def said():
        try:
            return scan(io.BytesIO(bytes(changed)))
        except NodeError as exc:
            return type(exc), str(exc)

    quick = said()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(element_walk, "_plain_run", lambda _window, start, *_: start)
        assert said() == quick
