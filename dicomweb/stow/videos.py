"""What a video says of itself: size, frames, rate, and the transfer syntax that it fits.

References
----------
ISO/IEC 14496-12 (boxes), 14496-15 (avcC, hvcC), 13818-2 §6.2.2.1 (sequence header), PS3.5 §8.2.5 to §8.2.8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from pydicom.uid import HEVCM10P51, HEVCMP51, MPEG2MPHL, MPEG2MPML, MPEG4HP41, MPEG4HP42STEREO, MPEG4HP422D

from dicom_node.domain.errors import InvalidInstance

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = 1024 * 1024
_MAX_TABLE = 1024
_SEQUENCE_HEADER = b"\x00\x00\x01\xb3"
_H264 = frozenset({b"avc1", b"avc3"})
_H265 = frozenset({b"hvc1", b"hev1"})
_LEVEL_4_1, _LEVEL_4_2 = 41, 42
_STEREO_HIGH = 128


@dataclass(frozen=True, slots=True)
class Video:
    """A video's own description; `frames` and `frame_ms` (milliseconds) are `None` where it does not say."""

    rows: int
    columns: int
    transfer_syntax: str
    bits: int = 8
    frames: int | None = None
    frame_ms: float | None = None


def describe_video(stream: BinaryIO) -> Video:
    """Read the headers of an MP4 file or an MPEG-2 stream; the stream is rewound.

    Raises
    ------
    InvalidInstance
        If it is neither, or holds no video that a transfer syntax takes.
    """
    stream.seek(0)
    head = stream.read(_HEAD)
    size = stream.seek(0, 2)
    try:
        video = _mp4(stream, size) if head[4:8] == b"ftyp" else _mpeg2(head)
    except (struct.error, IndexError, ValueError) as exc:
        raise InvalidInstance("a video's headers are broken; send it again") from exc
    finally:
        stream.seek(0)
    if not video.rows or not video.columns:
        raise InvalidInstance("a video has no size; send it again")
    return video


def _mpeg2(head: bytes) -> Video:
    at = head.find(_SEQUENCE_HEADER)
    if at < 0:
        raise InvalidInstance("a video is neither MP4 nor MPEG-2; convert it")
    first, middle, last = head[at + 4 : at + 7]
    columns, rows = first << 4 | middle >> 4, (middle & 15) << 8 | last
    return Video(rows, columns, MPEG2MPML if columns <= 720 and rows <= 576 else MPEG2MPHL)


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the contents of the boxes in a stretch."""
    while start + 8 <= end:
        stream.seek(start)
        length, kind = struct.unpack(">I4s", stream.read(8))
        header = 8
        if length == 1:
            (length,) = struct.unpack(">Q", stream.read(8))
            header = 16
        elif length == 0:
            length = end - start
        if length < header or start + length > end:
            raise InvalidInstance("an MP4 file's boxes are broken or cut off; send it again")
        yield kind, start + header, start + length
        start += length


def _box(stream: BinaryIO, start: int, end: int, *path: bytes) -> tuple[int, int]:
    for wanted in path:
        for kind, first, last in _boxes(stream, start, end):
            if kind == wanted:
                start, end = first, last
                break
        else:
            raise InvalidInstance("an MP4 file lacks a description of its video; send it again")
    return start, end


def _read(stream: BinaryIO, start: int, end: int) -> bytes:
    stream.seek(start)
    return stream.read(min(end - start, _MAX_TABLE))


def _mp4(stream: BinaryIO, size: int) -> Video:
    movie = _box(stream, 0, size, b"moov")
    for kind, start, end in _boxes(stream, *movie):
        if kind == b"trak":
            media = _box(stream, start, end, b"mdia")
            if _read(stream, *_box(stream, *media, b"hdlr"))[8:12] == b"vide":
                return _track(stream, media)
    raise InvalidInstance("an MP4 file holds no video; send one that does")


def _track(stream: BinaryIO, media: tuple[int, int]) -> Video:
    header = _read(stream, *_box(stream, *media, b"mdhd"))
    timescale, duration = struct.unpack_from(">IQ" if header[0] else ">II", header, 20 if header[0] else 12)
    tables = _box(stream, *media, b"minf", b"stbl")
    (frames,) = struct.unpack_from(">I", _read(stream, *_box(stream, *tables, b"stsz")), 8)
    start, end = _box(stream, *tables, b"stsd")
    codec, first, last = next(_boxes(stream, start + 8, end), (b"", 0, 0))
    columns, rows = struct.unpack_from(">HH", _read(stream, first, last), 24)
    syntax, bits = _codec(stream, codec, first, last)
    frame_ms = duration * 1000 / timescale / frames if timescale and frames else None
    return Video(rows, columns, syntax, bits, frames or None, frame_ms)


def _codec(stream: BinaryIO, codec: bytes, first: int, last: int) -> tuple[str, int]:
    """Transfer syntax and bits of a sample entry, by the configuration record behind its 78 bytes."""
    if codec in _H264:
        record = _read(stream, *_box(stream, first + 78, last, b"avcC"))
        profile, level = record[1], record[3]
        if profile == _STEREO_HIGH:
            return MPEG4HP42STEREO, 8
        if level <= _LEVEL_4_1:
            return MPEG4HP41, 8
        if level <= _LEVEL_4_2:
            return MPEG4HP422D, 8
    elif codec in _H265:
        record = _read(stream, *_box(stream, first + 78, last, b"hvcC"))
        return (HEVCM10P51, 10) if record[1] & 0x1F == 2 else (HEVCMP51, 8)
    raise InvalidInstance("an MP4 file's video must be H.264 to level 4.2, or H.265; convert it")
