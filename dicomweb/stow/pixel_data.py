"""Pixel data of an instance from the parts that hold its pictures, and what they say of the image.

Compressed pictures stay as they are where a transfer syntax fits; PNG and progressive JPEG are decoded.
Attributes of the Image Pixel module may be left out of the metadata: they are taken from the picture. What
the metadata says else must agree with it, but for the colour space, which is the picture's own, and for
fewer Bits Stored.

References
----------
PS3.18 §10.5.1.4 and Table 8.7.3-5, PS3.3 §C.7.6.3, PS3.5 §8.2 and §A.4.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    RLELossless,
)

from dicom_node.domain.errors import InvalidInstance, SopClassMismatch, UnsupportedTransferSyntax
from dicom_node.pipeline.accepted import transfer_syntaxes
from dicomweb.media_types import OCTET_STREAM
from dicomweb.stow.codestreams import HEAD_BYTES, Picture, describe
from dicomweb.stow.decoded import decode_picture
from dicomweb.stow.image_model import ImageModel
from dicomweb.stow.videos import describe_video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomweb.media_types import MediaType

PNG = "image/png"
_RLE = frozenset({"image/dicom-rle", "image/x-dicom-rle"})
_CODESTREAMS = frozenset(
    {
        *("image/jpeg", "image/jpg", "image/pjpeg", "image/jls", "image/x-jls", "image/jp2", "image/jpx"),
        *("image/jph", "image/jphc", "image/j2c", "image/x-jp2"),
    }
)
_VIDEOS = frozenset({"video/mp4", "video/mpeg", "video/mpeg2", "video/h264", "video/h265"})
#: Cameras add bytes behind a picture's end.
_TAIL_BYTES = 4096
_NATIVE = frozenset({"1.2.840.10008.1.2", str(ExplicitVRLittleEndian)})
#: What a picture's encoding fits besides: a lossless stream is a valid one of the syntax that allows both.
_WITHIN: dict[str, tuple[str, ...]] = {
    JPEG2000Lossless: (JPEG2000Lossless, JPEG2000),
    HTJ2KLossless: (HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K),
}
_VIDEO_FAMILIES = tuple(
    frozenset(f"1.2.840.10008.1.2.4.{n}" for n in family)
    for family in ((100, 101), range(102, 107), (107, 108))
)


@dataclass(frozen=True, slots=True)
class BulkPart:
    """One part of a request that holds a value."""

    media_type: MediaType
    stream: BinaryIO


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a stream from `start` on, `size` of them."""

    stream: BinaryIO
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class PixelData:
    """Content of Pixel Data: one stretch a frame (a video: one), or native bytes in one or several."""

    transfer_syntax: str
    encapsulated: bool
    stretches: tuple[Stretch, ...]


def pixel_data(parts: Sequence[BulkPart], model: dict[str, Any]) -> PixelData:
    """The pixel data that one or several parts hold, a frame each; completes `model`.

    Raises
    ------
    InvalidInstance
        If a picture cannot be read.
    SopClassMismatch
        If metadata and pictures disagree, or an attribute is missing that the pictures do not tell.
    UnsupportedTransferSyntax
        If the media type or its transfer syntax cannot be stored.
    """
    image = ImageModel(model)
    media_type = parts[0].media_type
    if any(part.media_type.name != media_type.name for part in parts):
        raise SopClassMismatch("the frames of an instance have several media types; send one")
    name, named = media_type.name, media_type.transfer_syntax
    if named is not None and named not in transfer_syntaxes():
        raise UnsupportedTransferSyntax("the transfer syntax of a part is not supported; send a standard one")
    if name in _CODESTREAMS:
        return _codestreams(parts, named, image)
    if name == PNG:
        return _decoded(parts, image)
    if name in _VIDEOS:
        return _video(parts, named, image)
    if name in _RLE or (name == OCTET_STREAM and named is not None and named not in _NATIVE):
        return _as_they_are(parts, named or str(RLELossless), image)
    if name == OCTET_STREAM:
        return _native(parts, image)
    raise UnsupportedTransferSyntax(
        "pixel data may be image/jpeg, image/jls, image/jp2, image/jphc, image/dicom-rle, image/png,"
        " video/mp4, video/mpeg2 or application/octet-stream"
    )


def _whole(part: BulkPart) -> Stretch:
    return Stretch(part.stream, 0, part.stream.seek(0, io.SEEK_END))


def _head(part: BulkPart) -> bytes:
    part.stream.seek(0)
    return part.stream.read(HEAD_BYTES)


def _ends(part: BulkPart) -> bool:
    """Whether the end marker, which JPEG, JPEG-LS and JPEG 2000 share, stands where it should."""
    part.stream.seek(max(0, _whole(part).size - _TAIL_BYTES))
    return b"\xff\xd9" in part.stream.read(_TAIL_BYTES)


def _codestreams(parts: Sequence[BulkPart], named: str | None, image: ImageModel) -> PixelData:
    pictures = [describe(_head(part)) for part in parts]
    if not all(map(_ends, parts)):
        raise InvalidInstance("a picture is cut off: its end marker is missing; send it again")
    first = pictures[0]
    if any(_form(picture) != _form(first) for picture in pictures):
        raise SopClassMismatch("the frames of an instance differ in size, samples or encoding")
    if first.transfer_syntax is None:
        return _decoded(parts, image)
    syntax = str(first.transfer_syntax)
    if named is not None and named not in _WITHIN.get(syntax, (syntax,)):
        raise SopClassMismatch("a picture's encoding is not the transfer syntax that its part names")
    image.describe(first, len(parts))
    stretches = []
    for part, picture in zip(parts, pictures, strict=True):
        whole = _whole(part)
        end = whole.size if picture.end is None else min(picture.end, whole.size)
        stretches.append(Stretch(part.stream, picture.offset, end - picture.offset))
    if first.lossy_method is not None:
        image.lossy(first.lossy_method, sum(stretch.size for stretch in stretches))
    return PixelData(named or syntax, True, tuple(stretches))


def _form(picture: Picture) -> tuple[object, ...]:
    return (
        picture.rows,
        picture.columns,
        picture.samples,
        picture.bits,
        picture.photometric,
        picture.transfer_syntax,
    )


def _decoded(parts: Sequence[BulkPart], image: ImageModel) -> PixelData:
    stretches = []
    forms = set()
    compressed = 0
    for part in parts:
        size = _whole(part).size
        part.stream.seek(0)
        picture, pixels = decode_picture(part.stream, size, part.media_type.name)
        forms.add(_form(picture))
        if len(forms) > 1:
            raise SopClassMismatch("the frames of an instance differ in size or samples")
        if part is parts[0]:
            image.describe(picture, len(parts), decoded=True)
        stretches.append(Stretch(io.BytesIO(pixels), 0, len(pixels)))
        compressed += size
    if parts[0].media_type.name != PNG:
        image.lossy("ISO_10918_1", compressed)
    return PixelData(str(ExplicitVRLittleEndian), False, tuple(stretches))


def _video(parts: Sequence[BulkPart], named: str | None, image: ImageModel) -> PixelData:
    if len(parts) > 1:
        raise SopClassMismatch("a video is one part; send all its frames in it")
    video = describe_video(parts[0].stream)
    # `.1` marks the form whose stream may lie in several fragments.
    alike = {named.removesuffix(".1"), video.transfer_syntax} if named else {video.transfer_syntax}
    if not any(alike <= family for family in _VIDEO_FAMILIES):
        raise SopClassMismatch("a video's encoding is not the transfer syntax that its part names")
    image.describe_video(video)
    return PixelData(named or str(video.transfer_syntax), True, (_whole(parts[0]),))


def _as_they_are(parts: Sequence[BulkPart], syntax: str, image: ImageModel) -> PixelData:
    image.require_complete()
    image.agree("00280008", len(parts), default=1)
    return PixelData(syntax, True, tuple(_whole(part) for part in parts))


def _native(parts: Sequence[BulkPart], image: ImageModel) -> PixelData:
    image.require_complete()
    stretches = tuple(_whole(part) for part in parts)
    size = sum(stretch.size for stretch in stretches)
    expected = image.native_bytes()
    if size not in (expected, expected + expected % 2):
        raise SopClassMismatch(
            f"uncompressed pixel data has {size} bytes, and by its Rows, Columns, Samples per Pixel, Bits"
            f" Allocated and Number of Frames it must have {expected}"
        )
    if not size:
        raise InvalidInstance("pixel data is empty")
    return PixelData(str(ExplicitVRLittleEndian), False, stretches)
