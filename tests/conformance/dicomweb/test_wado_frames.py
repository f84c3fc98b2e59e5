"""WADO-RS frames, one test a clause (PS3.18 §10.4, OHIF's requests)."""

from __future__ import annotations

import io
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.seg import SegmentationTypeValues, SegmentDescription
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sr.codedict import codes
from web_objects import instance_path

pytestmark = pytest.mark.clause("10.4.1.1.6")

OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
OCTETS = 'multipart/related; type="application/octet-stream"'


def url_of(entry: Any, frames: Any) -> str:
    return f"{instance_path(entry)}/frames/{frames}"


def frames_of(support: Any, response: Any) -> list[bytes]:
    assert response.status_code == 200, response.text
    return [content for _, content in support.parts_of(response)]


def read(support: Any, name: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(support.sample_bytes(name)))


@pytest.fixture
def multi(node: Any, support: Any) -> Any:
    return node.publish(support.slice_dataset(1, NumberOfFrames=4))


@pytest.mark.clause("8.7.3.3.1")
@pytest.mark.parametrize("accept", [OHIF, OCTETS, "*/*", 'multipart/related; type="*/*"', None])
def test_native_frame_is_octets_in_explicit_little_endian(
    client: Any, multi: Any, support: Any, accept: str | None
) -> None:
    response = client.get(url_of(multi, 2), accept)
    assert response.headers["content-type"].startswith(
        'multipart/related; type="application/octet-stream"; boundary='
    )
    headers, content = support.parts_of(response)[0]
    assert headers["content-type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert content == support.slice_dataset(1, NumberOfFrames=4).PixelData[70:140]


def test_frame_list_comes_in_the_order_asked(client: Any, multi: Any, support: Any) -> None:
    pixels = support.slice_dataset(1, NumberOfFrames=4).PixelData
    frames = frames_of(support, client.get(url_of(multi, "4,1,1"), OHIF))
    assert frames == [pixels[210:280], pixels[:70], pixels[:70]]


@pytest.mark.clause("8.5")
@pytest.mark.parametrize(
    ("frames", "status"),
    [
        ("5", 404),
        ("1,5", 404),
        ("0", 400),
        ("-1", 400),
        ("a", 400),
        ("1,,2", 400),
        ("1 ", 400),
        ("999999999999", 400),
    ],
)
def test_frames_that_are_not_there_or_no_numbers(client: Any, multi: Any, frames: str, status: int) -> None:
    assert client.get(url_of(multi, frames), OHIF).status_code == status


def test_instance_without_pixels_has_no_frames(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1)
    del ds.PixelData
    assert client.get(url_of(node.publish(ds), 1), OHIF).status_code == 404


@pytest.mark.clause("8.7.3.3.2")
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("MR_small_jp2klossless.dcm", "image/jp2"),
        ("JPEG2000.dcm", "image/jp2"),
        ("MR_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("MR_small_RLE.dcm", "image/dicom-rle"),
        ("JPGExtended.dcm", "image/jpeg"),
        ("SC_rgb_jpeg_gdcm.dcm", "image/jpeg"),
        ("examples_ybr_color.dcm", "image/jpeg"),
        ("emri_small_RLE.dcm", "image/dicom-rle"),
    ],
)
def test_compressed_frames_come_as_stored_bit_for_bit(
    client: Any, node: Any, support: Any, name: str, media_type: str
) -> None:
    entry, ds = node.publish(support.sample_bytes(name)), read(support, name)
    count = int(ds.get("NumberOfFrames", 1))
    expected = list(generate_frames(ds.PixelData, number_of_frames=count))
    syntax = entry.transfer_syntax_uid
    for accept, kind in (
        (OHIF, "application/octet-stream"),
        (f'multipart/related; type="{media_type}"; transfer-syntax=*', media_type),
        (f'multipart/related; type="{media_type}"; transfer-syntax={syntax}', media_type),
        ("*/*; transfer-syntax=*", media_type),
    ):
        response = client.get(url_of(entry, count), accept)
        headers, content = support.parts_of(response)[0]
        assert headers["content-type"] == f"{kind}; transfer-syntax={syntax}"
        assert content == expected[count - 1]
        assert response.headers["content-type"].startswith(f'multipart/related; type="{kind}"')


@pytest.mark.clause("8.7.3.3.1")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_jp2klossless.dcm",
        "emri_small_jpeg_ls_lossless.dcm",
        "emri_small_RLE.dcm",
        "JPGExtended.dcm",
        "SC_rgb_rle_16bit_2frame.dcm",
        "examples_ybr_color.dcm",
        "SC_rgb_expb_16bit_2frame.dcm",
        "rtdose_expb.dcm",
        "MR_small_implicit.dcm",
        "image_dfl.dcm",
    ],
)
def test_octets_without_transfer_syntax_equal_pydicoms_decoding(
    client: Any, node: Any, support: Any, name: str
) -> None:
    entry, ds = node.publish(support.sample_bytes(name)), read(support, name)
    count = int(ds.get("NumberOfFrames", 1))
    pixels = ds.pixel_array if count > 1 else ds.pixel_array[None]
    for number in {1, count}:
        content = frames_of(support, client.get(url_of(entry, number), OCTETS))[0]
        frame = np.frombuffer(content, pixels.dtype.newbyteorder("<")).reshape(pixels.shape[1:])
        np.testing.assert_array_equal(frame, pixels[number - 1])


def test_frame_in_several_fragments_is_joined(client: Any, node: Any, support: Any) -> None:
    ds = read(support, "emri_small_jpeg_2k_lossless.dcm")
    frames = list(generate_frames(ds.PixelData, number_of_frames=10))
    for has_bot in (True, False):
        ds.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=has_bot)
        node.catalog.entries.clear()
        entry = node.publish(ds)
        entry_frames = support.Node()
        entry_frames.publish(ds)
        client_of = support.Client(entry_frames.app)
        got = frames_of(support, client_of.get(url_of(entry, "3,10"), OHIF))
        assert [g.rstrip(b"\0") for g in got] == [frames[2].rstrip(b"\0"), frames[9].rstrip(b"\0")]


@pytest.mark.clause("8.7.8")
def test_what_cannot_be_made_is_406(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("MR_small_RLE.dcm"))
    for accept in (
        'multipart/related; type="image/jpeg"',
        'multipart/related; type="image/jphc"',
        'multipart/related; type="video/mp4"',
        f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.50",
        "text/plain",
    ):
        assert client.get(url_of(entry, 1), accept).status_code == 406


@pytest.mark.clause("8.7.3.5")
def test_one_frame_can_come_as_a_single_part(client: Any, multi: Any) -> None:
    response = client.get(url_of(multi, 1), "application/octet-stream")
    assert response.headers["content-type"].startswith("application/octet-stream")
    assert len(response.content) == 70
    assert client.get(url_of(multi, "1,2"), "application/octet-stream").status_code == 406


def segmentation(support: Any, rows: int, columns: int, slices: int) -> tuple[pydicom.Dataset, np.ndarray]:
    """A BINARY SEG of highdicom's on an odd matrix, and its mask."""
    frame_of_reference = highdicom.UID()
    sources = [
        support.slice_dataset(
            i + 1,
            study="2.25.500",
            series="2.25.501",
            rows=rows,
            columns=columns,
            FrameOfReferenceUID=frame_of_reference,
            ImagePositionPatient=[0, 0, float(i)],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[1, 1],
            SliceThickness=1,
            PatientBirthDate="",
            PositionReferenceIndicator="",
            ReferringPhysicianName="",
        )
        for i in range(slices)
    ]
    mask = np.random.default_rng(7).integers(0, 2, (slices, rows, columns)).astype(np.uint8)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="a", version="1", family=codes.cid7162.ArtificialIntelligence
    )
    segment = SegmentDescription(
        segment_number=1,
        segment_label="brain",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Brain,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
    )
    seg = highdicom.seg.Segmentation(
        sources, mask, SegmentationTypeValues.BINARY, [segment], "2.25.502", 1, "2.25.503", 1,
        "M", "MM", "1", "SN", omit_empty_frames=False,
    )  # fmt: skip
    return seg, mask


@pytest.mark.clause("8.7.3.3.1")
@pytest.mark.parametrize(("rows", "columns", "slices"), [(7, 5, 6), (181, 217, 3), (16, 8, 4), (3, 3, 1)])
def test_one_bit_frames_are_packed_and_begin_at_a_byte(
    client: Any, node: Any, support: Any, rows: int, columns: int, slices: int
) -> None:
    seg, mask = segmentation(support, rows, columns, slices)
    entry = node.publish(seg)
    numbers = ",".join(str(n + 1) for n in range(slices))
    frames = frames_of(support, client.get(url_of(entry, numbers), OHIF))
    assert len(frames) == slices
    planes = seg.pixel_array.reshape(slices, rows, columns)
    assert planes.sum() == mask.sum()
    for frame, plane in zip(frames, planes, strict=True):
        assert len(frame) == -(-rows * columns // 8)
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
        np.testing.assert_array_equal(bits[: rows * columns].reshape(rows, columns), plane)
        assert not bits[rows * columns :].any()


@pytest.mark.clause("8.7.3.3.1")
def test_float_pixels_are_served(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, NumberOfFrames=2)
    del ds.PixelData
    ds.BitsAllocated = 32
    values = np.arange(70, dtype="<f4")
    ds.FloatPixelData = values.tobytes()
    entry = node.publish(ds)
    assert frames_of(support, client.get(url_of(entry, 2), OHIF))[0] == values[35:].tobytes()


def test_truncated_pixel_data_gives_the_frames_that_are_there(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, NumberOfFrames=4)
    ds.PixelData = ds.PixelData[:150]
    entry = node.publish(ds)
    assert client.get(url_of(entry, 2), OHIF).status_code == 200
    assert client.get(url_of(entry, 3), OHIF).status_code == 404


@pytest.mark.clause("8.5")
def test_broken_encapsulation_is_404_and_not_a_server_error(client: Any, node: Any, support: Any) -> None:
    ds = read(support, "MR_small_RLE.dcm")
    ds.PixelData = b"\xfe\xff\x00\xe0\xff\xff\xff\x00broken"
    entry = node.publish(support.to_bytes(ds))
    assert client.get(url_of(entry, 1), OHIF).status_code in {404, 406}


def test_many_frame_requests_read_the_file_once(client: Any, node: Any, multi: Any) -> None:
    for number in (1, 2, 3, 4, 1):
        client.get(url_of(multi, number), OHIF)
    assert node.reads[multi.ref] == 1
