"""What can be offered of stored instances and frames, and the choice of it.

References
----------
PS3.18 §8.7.3 (media types and transfer syntaxes of DICOM, bulk data and pixel data), §8.7.8 (selection).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dicomweb.media_types import DICOM, OCTET_STREAM, Offer, negotiate
from dicomweb.wado.frames import ENCAPSULATED_UNCOMPRESSED, VIDEO, can_decode, is_compressed
from dicomweb.wado.instance_encoding import NEVER_SENT
from dicomweb.wado.transcoding import TARGETS, can_encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomweb.wado.image_layout import ImageLayout

NATIVE: Final = str(ExplicitVRLittleEndian)
_JPEG, _JPEG_LS, _JP2, _JPX = ("image/jpeg",), ("image/jls",), ("image/jp2",), ("image/jpx",)
_HTJ2K, _JPEG_XL, _RLE = ("image/jphc",), ("image/jxl",), ("image/dicom-rle",)
_MPEG2, _MP4, _HEVC = ("video/mpeg", "video/mpeg2"), ("video/mp4",), ("video/h265", "video/mp4")
_TYPES: Final = {
    **dict.fromkeys(("50", "51", "57", "70"), _JPEG),
    **dict.fromkeys(("80", "81"), _JPEG_LS),
    **dict.fromkeys(("90", "91"), _JP2),
    **dict.fromkeys(("92", "93"), _JPX),
    **dict.fromkeys(("110", "111", "112"), _JPEG_XL),
    **dict.fromkeys(("201", "202", "203"), _HTJ2K),
    **dict.fromkeys(("100", "100.1", "101", "101.1"), _MPEG2),
    **dict.fromkeys(("102", "103", "104", "105", "106"), _MP4),
    **dict.fromkeys(("102.1", "103.1", "104.1", "105.1", "106.1"), _MP4),
    **dict.fromkeys(("107", "108"), _HEVC),
}
#: Media types of compressed pixel data by transfer syntax, the standard's first (Table 8.7.3-5).
PIXEL_MEDIA_TYPES: Final = {f"1.2.840.10008.1.2.4.{end}": types for end, types in _TYPES.items()} | {
    str(RLELossless): _RLE
}
#: What is made on request, as (media type, transfer syntax).
_MADE: Final = (
    (_JPEG_LS[0], str(JPEGLSLossless)),
    (_JP2[0], str(JPEG2000Lossless)),
    (_RLE[0], str(RLELossless)),
)


def dicom_offers(stored: Iterable[str], count: int) -> list[Offer]:
    """How whole instances can be given: as stored, as Explicit VR Little Endian, compressed without loss;
    singly where it is one.

    Parameters
    ----------
    stored
        Their transfer syntaxes.
    """  # noqa: D205
    syntaxes = set(stored)
    shared = next(iter(syntaxes)) if len(syntaxes) == 1 else "*"
    decodable = all(not is_compressed(uid) or can_decode(uid) for uid in syntaxes)
    offers = []
    for multipart in (True, False) if count == 1 else (True,):
        if shared not in NEVER_SENT and shared != NATIVE:
            offers.append(Offer(DICOM, multipart, shared, default=False))
        if decodable:
            offers.append(Offer(DICOM, multipart, NATIVE))
            offers += [Offer(DICOM, multipart, uid, default=False) for uid in TARGETS if uid != shared]
    if not decodable:  # only the stored form is at hand, so it is also the default (§8.7.3)
        offers += [
            Offer(DICOM, multipart, shared) for multipart in ((True, False) if count == 1 else (True,))
        ]
    return offers


def frame_offers(stored: str, image: ImageLayout | None, count: int) -> list[Offer]:
    """How frames can be given.

    Native data goes as octets in Explicit VR Little Endian. Compressed data goes decoded, or as stored: as
    its own media type, or as octets, where a client names its transfer syntax or takes any (`*`). Both go
    compressed without loss to a client that names such a media type.

    Parameters
    ----------
    image
        Says what codecs can hold it; `None`: nothing is compressed anew.
    count
        Frames asked for; one can come as a single part.
    """
    compressed = is_compressed(stored) and stored not in NEVER_SENT
    types = PIXEL_MEDIA_TYPES.get(stored, ()) if compressed else ()
    offers: list[Offer] = []
    for multipart in (True, False) if count == 1 else (True,):
        if not compressed:
            offers.append(Offer(OCTET_STREAM, multipart, NATIVE))
        else:
            offers += [Offer(kind, multipart, stored, default=False) for kind in types]
            offers.append(Offer(OCTET_STREAM, multipart, stored, default=False))
            if stored not in VIDEO and (can_decode(stored) or stored == ENCAPSULATED_UNCOMPRESSED):
                offers.append(Offer(OCTET_STREAM, multipart, NATIVE))
            offers += [Offer(kind, multipart, stored) for kind in types]
        offers += [
            Offer(kind, multipart, uid)
            for kind, uid in _MADE
            if image is not None and uid != stored and can_encode(image, stored, uid)
        ]
    return offers


def negotiate_frames(accept: str | None, stored: str, image: ImageLayout, count: int) -> Offer:
    """The form of frames that a client likes best.

    Raises
    ------
    Problem
        406
    """
    return negotiate(accept, frame_offers(stored, image, count))


def negotiate_dicom(accept: str | None, stored: Sequence[str]) -> Offer:
    """The form of whole instances that a client likes best.

    Raises
    ------
    Problem
        406
    """
    return negotiate(accept, dicom_offers(stored, len(stored)))
