"""Video: multi-frame images as MP4, streams that are stored as video, and single frames of those.

The codec is VP9, which every browser plays and whose encoder is free (libvpx, within OpenCV's wheels).
The library writes only to a path; a file in anonymous memory has one, so nothing reaches a disk.

References
----------
PS3.18 §8.7.4 (rendered media types), PS3.5 §8.2.5 to §8.2.9 (MPEG2, H.264, H.265: the containers).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dicom_node.domain.errors import NotFound
from dicomweb.errors import not_acceptable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from PIL import Image
    from pydicom.dataset import FileDataset

    from dicomweb.instance_cache import ParsedInstance

MP4 = "video/mp4"
MPEG = "video/mpeg"
_MPEG2 = frozenset({"1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"})
_MPEG2 |= {f"{uid}.1" for uid in _MPEG2}
_MPEG4 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (102, 103, 104, 105, 106, 107, 108))
_MPEG4 |= {f"{uid}.1" for uid in _MPEG4}
#: Frames a second of what does not tell its own.
DEFAULT_RATE = 10.0


def is_video(transfer_syntax_uid: str) -> bool:
    """Whether pixel data of this transfer syntax is one stream of video."""
    return transfer_syntax_uid in _MPEG2 or transfer_syntax_uid in _MPEG4


def stored_stream(instance: ParsedInstance) -> bytes:
    """The stream of a stored video.

    Raises
    ------
    NotFound
        If the pixel data holds none.
    StorageFailure
    """
    return b"".join(instance.frames.data().chunks())


def stored_media_type(stream: bytes, transfer_syntax_uid: str) -> str | None:
    """The media type under which a browser plays a stream as it is; `None` where it would not."""
    if stream[4:8] == b"ftyp":
        return MP4
    return MPEG if transfer_syntax_uid in _MPEG2 else None


def frame_rate(ds: FileDataset) -> float:
    """Frames a second, from 0.5 to 60."""
    for keyword, is_time in (
        ("CineRate", False),
        ("RecommendedDisplayFrameRate", False),
        ("FrameTime", True),
    ):
        value = ds.get(keyword)
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if number > 0:
            return min(60.0, max(0.5, 1000 / number if is_time else number))
    return DEFAULT_RATE


def decode_frames(stream: bytes, indices: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
    """Frames of a stored stream, counted from 0 and in ascending order, shape (rows, columns, 3), RGB.

    The stream is decoded once from its start to the last of them.

    Raises
    ------
    NotFound
        If the stream lacks one of them.
    Problem
        406 if no decoder reads it.
    """
    with _in_memory(stream, ".mp4" if stream[4:8] == b"ftyp" else ".mpg") as path:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise not_acceptable("the video cannot be decoded here; retrieve it as application/dicom")
            place = 0
            for index in indices:
                while place < index and capture.grab():
                    place += 1
                found, frame = capture.read()
                if place != index or not found:
                    raise NotFound("the video has no such frame")
                place += 1
                yield np.ascontiguousarray(frame[..., ::-1])
        finally:
            capture.release()


@cache
def can_encode() -> bool:
    """Whether MP4 can be made here: an encoder, and files in anonymous memory."""
    if not hasattr(os, "memfd_create"):
        return False
    return encode_mp4([np.zeros((16, 16, 3), np.uint8)], 10.0) is not None


def encode_mp4(frames: Iterable[Image.Image | NDArray[np.uint8]], rate: float) -> bytes | None:
    """RGB or gray frames of one size as VP9 in MP4; `None` where there is no encoder.

    Sizes become even, which the codec asks for, by repeating the last row or column.
    """
    with _in_memory(b"", ".mp4") as path:
        writer: Any = None
        for frame in frames:
            pixels = np.asarray(frame)
            if pixels.ndim == 2:
                pixels = np.repeat(pixels[..., None], 3, axis=2)
            pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), "edge")
            if writer is None:
                size = (pixels.shape[1], pixels.shape[0])
                writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"vp09"), rate, size)
                if not writer.isOpened():
                    return None
            writer.write(np.ascontiguousarray(pixels[..., ::-1]))
        if writer is not None:
            writer.release()
        content = Path(path).read_bytes()
    return content or None


@contextmanager
def _in_memory(content: bytes, suffix: str) -> Iterator[str]:
    """A path to a file in anonymous memory that holds the content."""
    if not hasattr(os, "memfd_create"):
        raise not_acceptable("this system has no files in memory, so video cannot be read or made here")
    descriptor = os.memfd_create("video")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        with TemporaryDirectory(prefix="dicomweb-video-") as folder:
            path = Path(folder, f"stream{suffix}")
            path.symlink_to(f"/proc/self/fd/{descriptor}")
            yield str(path)
    finally:
        os.close(descriptor)
