"""Finding pixel data in files of every encoding, small and large (PS3.5 §7.1, §A.4)."""

from __future__ import annotations

import io
import itertools
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import DATA_ROOT
from pydicom.encaps import encapsulate, generate_frames

from dicom_node.domain.errors import InvalidInstance, NotFound, StorageFailure
from dicomweb.byte_source import FileSource, Made, MemorySource, Span, Whole, open_source
from dicomweb.element_scan import PIXEL_KEYWORDS, scan
from dicomweb.instance_cache import ParsedInstance
from dicomweb.wado.fragments import find_frames

#: Files that are broken on purpose.
_BROKEN = {"emri_small_jpeg_2k_lossless_too_short.dcm", "MR_truncated.dcm", "rtplan_truncated.dcm"}


def sources(data: bytes) -> tuple[ParsedInstance, ParsedInstance]:
    """The same file as small ones are read, and as large ones are."""
    large = FileSource(lambda: io.BytesIO(data), len(data))
    return ParsedInstance(data), ParsedInstance(large)


def test_every_file_is_read_the_same_as_by_pydicom_though_piecewise() -> None:
    """Header, trailer, place of the pixels and the first and last frame of all of pydicom's files."""
    seen: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(Path(DATA_ROOT, "test_files").glob("*.dcm")):
            data = path.read_bytes()
            if path.name in _BROKEN or len(data) > 60_000:
                continue
            try:
                ds = pydicom.dcmread(io.BytesIO(data))
            except pydicom.errors.InvalidDicomError:
                with pytest.raises(InvalidInstance):
                    ParsedInstance(data)
                continue
            seen.add(str(ds.file_meta.get("TransferSyntaxUID")))
            keyword = next((name for name in PIXEL_KEYWORDS.values() if name in ds), None)
            for instance in sources(data):
                assert (instance.pixels.keyword if instance.pixels else None) == keyword, path.name
                expected = _tags(ds) - set(PIXEL_KEYWORDS)
                assert _tags(instance.dataset) == expected, path.name
                if keyword == "PixelData":
                    _compare(ds, instance, path.name)
    assert len(seen) >= 12


def _tags(ds: Any) -> set[int]:
    """Without trailing padding."""
    return {int(tag) for tag in ds.keys() if tag < 0xFFFC0000}  # noqa: SIM118 (iterating converts)


def _compare(ds: Any, instance: ParsedInstance, name: str) -> None:
    try:
        pixels = ds.pixel_array
    except Exception:  # noqa: BLE001 (what pydicom cannot decode is not for comparison)
        return
    frames = instance.frames
    for index in {0, frames.count - 1}:
        frame = pixels[index] if frames.count > 1 else pixels
        np.testing.assert_array_equal(frames.pixels(index), frame, err_msg=name)


def test_most_files_are_scanned_and_not_read(support: Any) -> None:
    found = scan(support.to_bytes(support.slice_dataset(1)))
    assert found is not None
    assert found.pixels is not None
    assert (found.pixels.keyword, found.pixels.length) == ("PixelData", 70)


@pytest.mark.parametrize("cut", [0, 100, 131, 140, 200, 400])
def test_a_file_that_is_cut_off_is_never_scanned_as_if_it_were_whole(support: Any, cut: int) -> None:
    data = support.to_bytes(support.slice_dataset(1))[:cut]
    found = scan(data)
    assert found is None or found.pixels is None


def test_sequences_of_undefined_length_are_skipped(support: Any) -> None:
    ds = support.slice_dataset(1)
    inner = pydicom.Dataset()
    inner.ReferencedSOPInstanceUID = "1.2"
    inner.is_undefined_length_sequence_item = True
    outer = pydicom.Dataset()
    outer.PurposeOfReferenceCodeSequence = [inner, inner]
    outer["PurposeOfReferenceCodeSequence"].is_undefined_length = True
    outer.is_undefined_length_sequence_item = True
    ds.SourceImageSequence = [outer, pydicom.Dataset()]
    ds["SourceImageSequence"].is_undefined_length = True
    found = scan(support.to_bytes(ds))
    assert found is not None
    assert found.pixels is not None
    assert found.pixels.length == 70


def test_an_element_behind_the_pixels_is_part_of_the_data_set(support: Any) -> None:
    """PS3.3 §C.12.1.1.3: (FFFA,FFFA) Digital Signatures Sequence stands at the end."""
    ds = support.slice_dataset(1)
    signature = pydicom.Dataset()
    signature.DigitalSignatureUID = "1.2.3"
    ds.DigitalSignaturesSequence = [signature]
    instance, _ = sources(support.to_bytes(ds))
    assert instance.dataset.DigitalSignaturesSequence[0].DigitalSignatureUID == "1.2.3"


JPEG = [b"\xff\xd8" + bytes([n]) * 9 + b"\xff\xd9\0" for n in range(4)]


def split(frames: list[bytes], size: int) -> list[bytes]:
    pieces = [frame[at : at + size] for frame in frames for at in range(0, len(frame), size)]
    return [piece + b"\0" * (len(piece) % 2) for piece in pieces]


def items(table: bytes, fragments: list[bytes], *, end: bool = True) -> bytes:
    data = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(f)) + f for f in (table, *fragments))
    return data + (struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if end else b"")


def offsets(frames: list[bytes], size: int) -> bytes:
    lengths = [sum(8 + len(piece) for piece in split([frame], size)) for frame in frames]
    return struct.pack(f"<{len(frames)}I", *itertools.accumulate([0, *lengths[:-1]]))


def joined(data: bytes, count: int) -> list[bytes]:
    found = find_frames(MemorySource(data), 0, count)
    return [b"".join(data[at : at + length] for at, length in frame) for frame in found.frames]


@pytest.mark.parametrize("size", [4, 6, 1000])
@pytest.mark.parametrize(
    "table",
    [
        b"",
        offsets(JPEG, 4),
        offsets(JPEG, 6),
        struct.pack("<4I", 0, 0, 0, 0),
        struct.pack("<4I", 5, 9, 13, 17),
        struct.pack("<4I", 0, 30, 20, 10),
        struct.pack("<2I", 0, 20),
        b"\x01\x02",
    ],
    ids=["empty", "of 4", "of 6", "zeros", "between", "falling", "short", "odd"],
)
def test_frames_are_found_whatever_the_offset_table_says(size: int, table: bytes) -> None:
    """PS3.5 §A.4: right, empty or wrong Basic Offset Tables, one or several fragments a frame."""
    assert joined(items(table, split(JPEG, size)), 4) == JPEG


def test_fragments_that_tell_nothing_are_no_frames() -> None:
    with pytest.raises(NotFound):
        joined(items(b"", [b"ab", b"cd", b"ef"]), 2)
    with pytest.raises(NotFound):
        joined(b"nonsense", 1)


def test_what_is_cut_off_keeps_the_frames_before() -> None:
    data = items(b"", JPEG, end=False)
    assert joined(data[:-4], 4) == JPEG[:3]
    assert joined(data, 4) == JPEG


def test_fewer_fragments_than_frames_are_the_first_frames() -> None:
    assert joined(items(b"", JPEG[:2]), 4) == JPEG[:2]


def test_one_frame_takes_all_fragments_of_a_large_file_too() -> None:
    data = items(b"", split(JPEG[:1], 4))
    source = FileSource(lambda: io.BytesIO(data), len(data))
    assert find_frames(source, 0, 1).end == len(data)
    assert find_frames(source, 0, 1).frames == find_frames(MemorySource(data), 0, 1).frames


def test_compressed_frames_of_a_large_file_are_read_where_they_lie(support: Any) -> None:
    data = support.sample_bytes("emri_small_RLE.dcm")
    ds = pydicom.dcmread(io.BytesIO(data))
    frames = list(generate_frames(ds.PixelData, number_of_frames=10))
    for instance in sources(data):
        for index in (0, 9):
            assert b"".join(instance.frames.stored(index).chunks()) == frames[index]


def test_frame_of_several_fragments_comes_whole_and_in_parts() -> None:
    data = b"\0" * 10 + encapsulate([b"ab" * 50, b"cd" * 50], fragments_per_frame=5)
    (frame, _) = find_frames(MemorySource(data), 10, 2).frames
    assert len(frame) == 5


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 5), (3, 9), (9, 12), (11, None), (12, 12)])
def test_contents_of_all_kinds_give_the_bytes_between_two_offsets(start: int, stop: int | None) -> None:
    data = b"0123456789ab"
    opened = FileSource(lambda: io.BytesIO(b"xx" + data + b"yy"), 16)
    made = Made(lambda: iter([data[:1], data[1:7], b"", data[7:]]))
    for content in (Whole(data), Span(MemorySource(b"x" + data), 1, 12), Span(opened, 2, 12), made):
        assert b"".join(content.chunks(start, stop)) == data[start:stop]


def test_a_file_that_shrank_is_told() -> None:
    source = FileSource(lambda: io.BytesIO(b"short"), 100)
    with pytest.raises(StorageFailure):
        list(source.chunks(0, 100))


def test_small_files_are_held_and_large_ones_are_not() -> None:
    assert isinstance(open_source(lambda: io.BytesIO(b"12345"), 5), MemorySource)
    assert isinstance(open_source(lambda: io.BytesIO(b"123456"), 5), FileSource)
