"""Comments and application data leave compressed streams; image data stay."""

import contextlib
import io
import struct

import numpy as np
import pytest
from PIL import Image
from pixel_objects import clean, image
from pydicom import uid
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from anonymizer.errors import CannotVouch
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.pixels.streams import clean_jpeg, clean_jpeg2000, clean_rle

CANARY = b"CANARY^PATIENT"
GREY = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg(*segments, quality=90, progressive=False, mode="L"):
    """A JPEG stream with segments behind its start, and one in its middle."""
    stream = io.BytesIO()
    picture = Image.fromarray(GREY).convert(mode)
    picture.save(stream, "JPEG", quality=quality, progressive=progressive)
    data = stream.getvalue()
    return data[:2] + b"".join(segments) + data[2:]


@pytest.fixture(scope="module")
def compressed():
    """A compressed stream of `GREY` in a transfer syntax."""

    def make(syntax):
        ds = image(GREY)
        ds.compress(syntax, generate_instance_uid=False)
        return next(generate_frames(ds.PixelData, number_of_frames=1))

    return make


@pytest.fixture(scope="module")
def cleaner():
    return PixelCleaner()


def with_streams(streams, syntax, *, table=True, pixels=GREY, photometric="MONOCHROME2"):
    ds = image(pixels, photometric=photometric, Modality="SEG")
    ds.NumberOfFrames = len(streams)
    ds.PixelData = encapsulate(streams, has_bot=table)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "dirt",
    [
        segment(0xFE, CANARY),
        segment(0xE1, b"Exif\0\0" + CANARY),
        segment(0xED, b"Photoshop 3.0\0" + CANARY),
        segment(0xE0, b"JFXX\0\x10" + CANARY),
    ],
    ids=["comment", "EXIF", "IPTC", "thumbnail"],
)
def test_jpeg_loses_what_is_no_image(dirt, progressive):
    plain = jpeg(progressive=progressive)
    dirty = plain[:2] + dirt + plain[2:] + CANARY
    assert clean_jpeg(dirty) == clean_jpeg(plain) == plain


def test_jpeg_keeps_what_colours_depend_on_but_not_what_hangs_on_it():
    adobe = segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 1]) + CANARY)
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\3\1" + CANARY)
    cleaned = clean_jpeg(b"\xff\xd8" + jfif + adobe + jpeg()[2:])
    assert CANARY not in cleaned
    assert b"Adobe" in cleaned
    assert segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") in cleaned


def test_jpeg_without_its_end_marker_is_taken_as_it_is():
    plain = jpeg()
    assert clean_jpeg(plain[:-2]) == plain[:-2]


@pytest.mark.parametrize(
    "stream", [b"", b"\xff\xd8", b"\xff\xd8\x00\x01", b"\xff\xd8\xff\xfe\x40\x00x", b"GIF89a"]
)
def test_what_is_no_jpeg_is_refused(stream):
    with pytest.raises(CannotVouch):
        clean_jpeg(stream)


@pytest.mark.parametrize("cut", range(2, 300, 7))
def test_jpeg_cut_anywhere_ends_in_a_stream_or_a_refusal(cut):
    """And never in an endless walk or another error."""
    with contextlib.suppress(CannotVouch):
        assert clean_jpeg(jpeg()[:cut]) in jpeg()


def test_jpeg_ls_loses_comments(compressed):
    plain = compressed(uid.JPEGLSLossless)
    dirty = plain[:2] + segment(0xFE, CANARY) + segment(0xE8, b"SPIFF\0" + CANARY) + plain[2:]
    assert clean_jpeg(dirty) == clean_jpeg(plain)
    assert CANARY not in clean_jpeg(dirty)


def test_jpeg_2000_comments_are_zeroed_in_place(compressed):
    plain = compressed(uid.JPEG2000Lossless)
    size = struct.unpack_from(">H", plain, 4)[0]
    after_siz = 4 + size
    dirty = plain[:after_siz] + struct.pack(">HHH", 0xFF64, 4 + len(CANARY), 1) + CANARY + plain[after_siz:]
    cleaned = clean_jpeg2000(dirty + CANARY)
    assert CANARY not in cleaned
    assert len(cleaned) == dirty.rindex(b"\xff\xd9") + 2
    assert cleaned.endswith(b"\xff\xd9")


def test_jpeg_2000_in_a_file_format_loses_boxes_that_hold_anything(compressed):
    codestream = compressed(uid.JPEG2000Lossless)
    codestream = codestream[: codestream.rindex(b"\xff\xd9") + 2]
    box = lambda kind, payload: struct.pack(">L4s", 8 + len(payload), kind) + payload  # noqa: E731
    data = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    data += (
        box(b"xml ", CANARY)
        + box(b"uuid", bytes(16) + CANARY)
        + box(b"jp2c", codestream)
        + box(b"xml ", CANARY)
    )
    cleaned = clean_jpeg2000(data)
    assert CANARY not in cleaned
    assert clean_jpeg2000(codestream) in cleaned


@pytest.mark.parametrize(
    "stream", [b"", b"\xff\x4f", b"\xff\x4f\xff\x51\x00\x01", b"\0\0\0\x0cjP  \r\n\x87\n"]
)
def test_what_is_no_jpeg_2000_is_refused_or_left(stream):
    with contextlib.suppress(CannotVouch):
        assert clean_jpeg2000(stream) == stream


def test_rle_loses_what_no_segment_needs(compressed):
    plain = compressed(uid.RLELossless)
    header = bytearray(plain[:64])
    header[20:34] = CANARY
    (first,) = struct.unpack_from("<L", plain, 4)
    header[4:8] = struct.pack("<L", first + len(CANARY))
    dirty = bytes(header) + CANARY + plain[64:] + CANARY
    cleaned = clean_rle(dirty, GREY.size)
    assert CANARY not in cleaned
    assert cleaned[64 + len(CANARY) :].rstrip(b"\0") == plain[64:].rstrip(b"\0")


@pytest.mark.parametrize(
    "stream", [b"", bytes(64), b"\x10" + bytes(80), struct.pack("<16L", 1, 9999, *[0] * 14)]
)
def test_what_is_no_rle_is_refused(stream):
    with pytest.raises(CannotVouch):
        clean_rle(stream, 10)


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_offset_tables_follow_the_fragments(cleaner, count, table):
    streams = [jpeg(segment(0xFE, CANARY * (i + 1)), quality=80 + i) for i in range(count)]
    outcome, after = clean(cleaner, with_streams(streams, uid.JPEGBaseline8Bit, table=table))
    assert outcome.actions == ("pixel-stream-markers",)
    assert not outcome.changed
    assert outcome.transfer_syntax_uid == uid.JPEGBaseline8Bit
    found = list(generate_frames(after.PixelData, number_of_frames=count))
    assert [frame.rstrip(b"\0") for frame in found] == [clean_jpeg(stream) for stream in streams]
    (length,) = struct.unpack_from("<L", after.PixelData, 4)
    assert (length > 0) == table
    if table:
        for offset in struct.unpack_from(f"<{count}L", after.PixelData, 8):
            assert after.PixelData[8 + length + offset :][:4] == b"\xfe\xff\x00\xe0"


def test_extended_offset_tables_follow_the_fragments(cleaner):
    streams = [jpeg(segment(0xFE, CANARY), quality=80 + i) for i in range(3)]
    ds = with_streams(streams, uid.JPEGBaseline8Bit)
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    _, after = clean(cleaner, ds)
    extended = after.ExtendedOffsetTable, after.ExtendedOffsetTableLengths
    found = list(generate_frames(after.PixelData, number_of_frames=3, extended_offsets=extended))
    assert [frame.rstrip(b"\0") for frame in found] == [clean_jpeg(stream) for stream in streams]


def test_frames_in_several_fragments_are_told_apart(cleaner):
    streams = [jpeg(segment(0xFE, CANARY), quality=80 + i) for i in range(2)]
    ds = with_streams(streams, uid.JPEGBaseline8Bit)
    ds.PixelData = encapsulate(streams, fragments_per_frame=2, has_bot=False)
    _, after = clean(cleaner, ds)
    assert CANARY not in after.PixelData
    assert len(list(generate_frames(after.PixelData, number_of_frames=2))) == 2


def test_fragments_that_do_not_say_where_frames_begin_are_refused(cleaner):
    ds = with_streams([jpeg()], uid.JPEGBaseline8Bit)
    ds.NumberOfFrames = 2
    with pytest.raises(CannotVouch) as refusal:
        clean(cleaner, ds)
    assert refusal.value.rule == "pixels-not-decoded"


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_cleaned_streams_decode_to_the_same_pixels(cleaner, syntax):
    ds = image(GREY, Modality="SEG")
    ds.compress(syntax, generate_instance_uid=False)
    outcome, after = clean(cleaner, ds)
    np.testing.assert_array_equal(after.pixel_array, GREY)
    assert not outcome.changed
