from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from video_files import mp4_boxes, mpeg2_stream

from dicom_node.domain.errors import InvalidInstance, SopClassMismatch
from dicomweb.media_types import MediaType
from dicomweb.stow.assembly import assemble
from dicomweb.stow.pixel_data import BulkPart
from dicomweb.stow.videos import describe_video

UIDS = {"00080016": "1.2.840.10008.5.1.4.1.1.77.1.4.1", "00080018": "2.25.3"}


def built(data: bytes, kind: str, params: dict[str, str] | None = None, **more: Any) -> pydicom.FileDataset:
    model = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in UIDS.items()}
    model |= {tag: {"vr": "IS", "Value": [value]} for tag, value in more.items()}
    model["7FE00010"] = {"vr": "OB", "BulkDataURI": "x"}
    out = io.BytesIO()
    assemble(model, lambda _uri: [BulkPart(MediaType(kind, params or {}), io.BytesIO(data))], out)
    return pydicom.dcmread(io.BytesIO(out.getvalue()))


@pytest.mark.parametrize(
    ("codec", "record", "syntax", "bits"),
    [
        (b"avc1", b"\1\x64\0\x29", "1.2.840.10008.1.2.4.102", 8),
        (b"avc3", b"\1\x42\0\x1e", "1.2.840.10008.1.2.4.102", 8),
        (b"avc1", b"\1\x64\0\x2a", "1.2.840.10008.1.2.4.104", 8),
        (b"avc1", b"\1\x80\0\x2a", "1.2.840.10008.1.2.4.106", 8),
        (b"hvc1", b"\1\x01\0\0", "1.2.840.10008.1.2.4.107", 8),
        (b"hev1", b"\1\x02\0\0", "1.2.840.10008.1.2.4.108", 10),
    ],
)
def test_mp4_tells_its_size_frames_and_transfer_syntax(
    codec: bytes, record: bytes, syntax: str, bits: int
) -> None:
    video = describe_video(io.BytesIO(mp4_boxes(codec, record)))
    assert (video.rows, video.columns, video.frames, video.frame_ms) == (240, 320, 10, 40.0)
    assert (video.transfer_syntax, video.bits) == (syntax, bits)


def test_video_becomes_a_multi_frame_instance_in_one_fragment() -> None:
    """PS3.5 §8.2.7, PS3.3 §C.7.6.5."""
    data = mp4_boxes()
    ds = built(data, "video/mp4")
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert (ds.Rows, ds.Columns, ds.NumberOfFrames, ds.FrameTime, ds.CineRate) == (240, 320, 10, 40, 25)
    assert ds.FrameIncrementPointer == 0x00181063
    assert (ds.SamplesPerPixel, ds.PhotometricInterpretation) == (3, "YBR_PARTIAL_420")
    assert data in ds.PixelData


@pytest.mark.parametrize(
    ("size", "syntax"), [((720, 576), "1.2.840.10008.1.2.4.100"), ((1920, 1080), "1.2.840.10008.1.2.4.101")]
)
def test_mpeg2_needs_the_number_of_frames_from_the_metadata(size: tuple[int, int], syntax: str) -> None:
    data = mpeg2_stream(*size)
    ds = built(data, "video/mpeg2", **{"00280008": 25})
    assert (ds.Columns, ds.Rows, ds.file_meta.TransferSyntaxUID) == (*size, syntax)
    with pytest.raises(SopClassMismatch, match="Number of Frames"):
        built(data, "video/mpeg2")


@pytest.mark.parametrize("named", ["1.2.840.10008.1.2.4.103", "1.2.840.10008.1.2.4.102.1"])
def test_transfer_syntax_that_the_part_names_is_kept_where_it_fits(named: str) -> None:
    assert built(mp4_boxes(), "video/mp4", {"transfer-syntax": named}).file_meta.TransferSyntaxUID == named


def test_transfer_syntax_of_another_codec_is_refused() -> None:
    with pytest.raises(SopClassMismatch):
        built(mp4_boxes(), "video/mp4", {"transfer-syntax": "1.2.840.10008.1.2.4.107"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no video",
        mp4_boxes(b"vp09"),
        mp4_boxes(b"avc1", b"\1\x64\0\x33"),
        mp4_boxes()[:100],
        mpeg2_stream(0, 0),
    ],
)
def test_what_no_transfer_syntax_takes_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInstance):
        describe_video(io.BytesIO(data))
