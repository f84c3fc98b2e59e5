"""Reading the header of instances: good ones, and each kind of bad one."""

import io
import struct
import zlib

import pytest
from dimse_objects import make_instance, part10
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
    generate_uid,
)

from dicom_node.domain.errors import (
    InvalidInstance,
    MissingIdentifier,
    SopClassMismatch,
    TruncatedDataset,
    UnsupportedTransferSyntax,
)
from dicom_node.pipeline.element_walk import _MAX_DEPTH
from dicom_node.pipeline.header import read_header, scan

UNCOMPRESSED = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


def header_of(data):
    return read_header(io.BytesIO(data))


@pytest.mark.parametrize("transfer_syntax", UNCOMPRESSED, ids=lambda uid: uid.keyword)
def test_reads_identifiers_in_every_uncompressed_encoding(transfer_syntax):
    ds = make_instance(transfer_syntax)

    header = header_of(part10(ds))

    assert header.study_instance_uid == ds.StudyInstanceUID
    assert header.series_instance_uid == ds.SeriesInstanceUID
    assert header.sop_instance_uid == ds.SOPInstanceUID
    assert header.sop_class_uid == ds.SOPClassUID
    assert header.transfer_syntax_uid == transfer_syntax
    assert header.modality == "CT"


def test_walks_through_encapsulated_pixel_data():
    ds = make_instance(JPEGLSLossless)
    ds.PixelData = encapsulate([b"\x01" * 1001, b"\x02" * 30])
    ds["PixelData"].VR = "OB"
    data = part10(ds)

    assert header_of(data).transfer_syntax_uid == JPEGLSLossless
    with pytest.raises(TruncatedDataset):
        header_of(data[:-8])  # the sequence delimiter is gone


@pytest.mark.parametrize("transfer_syntax", UNCOMPRESSED, ids=lambda uid: uid.keyword)
def test_walks_through_nested_sequences_of_undefined_length(transfer_syntax):
    ds = make_instance(transfer_syntax)
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = generate_uid()
    outer = Dataset()
    outer.ReferencedImageSequence = Sequence([inner, inner])
    ds.ReferencedStudySequence = Sequence([outer])
    for owner, keyword in ((outer, "ReferencedImageSequence"), (ds, "ReferencedStudySequence")):
        owner[keyword].is_undefined_length = True
        for item in owner[keyword].value:
            item.is_undefined_length_sequence_item = True

    assert header_of(part10(ds)).sop_instance_uid == ds.SOPInstanceUID


def test_says_where_the_data_set_begins():
    data = part10(make_instance())

    scanned = scan(io.BytesIO(data))

    assert data[scanned.dataset_offset :].startswith(b"\x08\x00\x16\x00UI")
    assert scanned.size == len(data)


@pytest.mark.parametrize("data", [b"", b"x", b"GET / HTTP/1.1\r\n\r\n" * 20, bytes(132), bytes(5000)])
def test_refuses_what_is_no_dicom(data):
    with pytest.raises(InvalidInstance, match="no DICM prefix"):
        header_of(data)


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_refuses_an_instance_without_a_uid(keyword):
    with pytest.raises(MissingIdentifier, match="is missing"):
        header_of(part10(make_instance(**{keyword: None})))


@pytest.mark.parametrize("value", ["1.2.03", "1..2", "abc", ".1.2", "1.2.", "1.2 3", "1." + "9" * 63, "7"])
def test_refuses_a_malformed_uid_without_repeating_it(value):
    data = part10(make_instance(StudyInstanceUID="1.2.3")).replace(
        b"\x20\x00\x0d\x00UI\x06\x001.2.3\x00",
        b"\x20\x00\x0d\x00UI" + struct.pack("<H", len(value)) + value.encode(),
    )

    with pytest.raises(MissingIdentifier, match="malformed") as caught:
        header_of(data)

    assert value not in str(caught.value)


def test_refuses_a_length_beyond_the_end():
    data = part10(make_instance())
    too_long = data.replace(
        struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, 128),
        struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, 130),
    )

    assert too_long != data
    with pytest.raises(TruncatedDataset):
        header_of(too_long)
    with pytest.raises(TruncatedDataset):
        header_of(data[:-1])


def test_refuses_an_encoding_that_is_not_the_declared_one():
    explicit = part10(make_instance(ExplicitVRLittleEndian))
    implicit = part10(make_instance(ImplicitVRLittleEndian))

    with pytest.raises(InvalidInstance):
        header_of(
            explicit[:132]
            + explicit[132 : scan(io.BytesIO(explicit)).dataset_offset]
            + implicit[scan(io.BytesIO(implicit)).dataset_offset :]
        )


def test_refuses_an_unknown_transfer_syntax():
    ds = make_instance()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = part10(ds).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0")

    with pytest.raises(UnsupportedTransferSyntax):
        header_of(data)


def test_refuses_a_file_meta_of_another_instance():
    data = part10(make_instance())
    assert data.count(CTImageStorage.encode()) == 2

    with pytest.raises(SopClassMismatch):
        header_of(data.replace(CTImageStorage.encode(), MRImageStorage.encode(), 1))


def test_refuses_an_identifier_that_stands_twice():
    data = part10(make_instance())
    element = b"\x20\x00\x0d\x00UI\x06\x001.2.3\x00"

    with pytest.raises(InvalidInstance, match="stands twice"):
        header_of(data + element)


def test_refuses_bottomless_nesting_quickly():
    data = part10(make_instance())
    level = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )

    with pytest.raises(InvalidInstance, match="nest deeper"):
        header_of(data + level * (_MAX_DEPTH * 10))


def test_refuses_a_deflate_bomb(monkeypatch):
    monkeypatch.setattr("dicom_node.pipeline.element_sources._MAX_INFLATED", 1 << 20)
    data = part10(make_instance(DeflatedExplicitVRLittleEndian))
    offset = scan(io.BytesIO(data)).dataset_offset
    compress = zlib.compressobj(wbits=-15)
    bomb = (
        compress.compress(struct.pack("<HH2sHL", 0x0009, 0x10, b"OB", 0, 1 << 24) + bytes(1 << 24))
        + compress.flush()
    )

    with pytest.raises(InvalidInstance, match="inflates"):
        header_of(data[:offset] + bomb)


def test_refuses_a_cut_deflate_stream():
    data = part10(make_instance(DeflatedExplicitVRLittleEndian))

    with pytest.raises(TruncatedDataset):
        header_of(data[:-6])


def test_leaves_out_a_modality_that_is_no_code():
    assert header_of(part10(make_instance(Modality=None))).modality is None
    data = part10(make_instance()).replace(b"CS\x02\x00CT", b"CS\x02\x00C\xe9")
    assert header_of(data).modality is None
