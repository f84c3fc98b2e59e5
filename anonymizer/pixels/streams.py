"""Takes comments and application data out of compressed streams; image data stay byte for byte.

References
----------
ISO/IEC 10918-1 §B.2.4 (JPEG segments), 10918-5 (JFIF), 10918-6 (Adobe); ISO/IEC 14495-1 §C.2 (JPEG-LS);
ISO/IEC 15444-1 §A.9.2 (JPEG 2000 COM), §I (boxes); PS3.5 Annex G (RLE).
"""

from __future__ import annotations

import struct
from typing import Final

from anonymizer.errors import CannotVouch

SOI, EOI, SOS, DNL, COM = 0xD8, 0xD9, 0xDA, 0xDC, 0xFE
APP0, APP8, APP14 = 0xE0, 0xE8, 0xEE
#: Segments without a length.
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
J2K_SOC, J2K_COM, J2K_SOT, J2K_SOD, J2K_EOC = 0xFF4F, 0xFF64, 0xFF90, 0xFF93, 0xFFD9
#: Boxes of JP2 that decoding needs; the others may hold anything.
_JP2_NEEDED: Final = frozenset(
    {b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef", b"free"}
)
_RLE_HEADER: Final = 64


def clean_jpeg(stream: bytes) -> bytes:  # one walk from marker to marker
    """Drop COM and APPn of a JPEG or JPEG-LS stream, and bytes behind its end.

    What the colours depend on stays, cut to its core: JFIF without thumbnail, Adobe, HP's colour transform.

    Raises
    ------
    CannotVouch
        `pixels-not-decoded` if it is no such stream.
    """
    if stream[:2] != b"\xff\xd8":
        raise _broken()
    kept = [stream[:2]]
    position = 2
    while True:
        while stream[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        if position + 2 > len(stream) or stream[position] != 0xFF:
            raise _broken()
        marker = stream[position + 1]
        if marker == EOI:
            kept.append(b"\xff\xd9")
            return b"".join(kept)
        if marker in _BARE:
            kept.append(stream[position : position + 2])
            position += 2
            continue
        (length,) = struct.unpack_from(">H", stream.ljust(position + 4, b"\0"), position + 2)
        end = position + 2 + length
        if length < 2 or end > len(stream):
            raise _broken()
        kept.append(_segment(marker, stream[position + 4 : end], stream[position:end]))
        position = end
        if marker == SOS:
            end = _scan_end(stream, position)
            kept.append(stream[position:end])
            position = end
            if position >= len(stream):  # the end marker is missing, as some writers do
                return b"".join(kept)


def _segment(marker: int, payload: bytes, whole: bytes) -> bytes:
    if marker == APP0 and payload.startswith(b"JFIF\0") and len(payload) >= 14:
        return b"\xff\xe0\x00\x10" + payload[:12] + b"\0\0"
    if marker == APP14 and payload.startswith(b"Adobe") and len(payload) >= 12:
        return b"\xff\xee\x00\x0e" + payload[:12]
    if marker == APP8 and payload.startswith(b"mrfx") and len(payload) == 5:
        return whole
    return b"" if marker == COM or APP0 <= marker <= 0xEF else whole


def _scan_end(stream: bytes, position: int) -> int:
    """Where the next marker after entropy-coded data stands; restarts belong to the data."""
    while True:
        position = stream.find(b"\xff", position)
        if position < 0 or position + 1 >= len(stream):
            return len(stream)
        following = stream[position + 1]
        # JPEG stuffs 00 behind FF, JPEG-LS a zero bit: markers are 80 and above in both.
        if following >= 0x80 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return position
        position += 1 if following == 0xFF else 2


def clean_jpeg2000(stream: bytes) -> bytes:
    """Zero the comments of a JPEG 2000 codestream and boxes of JP2 that hold anything; cut what follows.

    Nothing is moved, for tile lengths and box lengths count bytes.

    Raises
    ------
    CannotVouch
        `pixels-not-decoded` if it is no such stream.
    """
    data = bytearray(stream)
    if stream[4:8] == b"jP  ":
        end = _clean_boxes(data)
    elif stream[:2] == b"\xff\x4f":
        end = _clean_codestream(data, 0, len(data))
    else:
        raise _broken()
    return bytes(data[:end])


def _clean_boxes(data: bytearray) -> int:
    position = end = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, position)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        stop = len(data) if length == 0 else position + length
        if stop > len(data) or (length and length < head):
            if end:  # what follows the codestream is no box
                break
            raise _broken()
        if kind == b"jp2c":
            end = _clean_codestream(data, position + head, stop)
            if length == 0:
                return end
            end = stop
        elif kind not in _JP2_NEEDED:
            data[position + 4 : position + 8] = b"free"
            data[position + head : stop] = bytes(stop - position - head)
        position = stop
    if not end:
        raise _broken()
    return end


def _clean_codestream(data: bytearray, start: int, stop: int) -> int:
    position = start + 2
    tile_start = tile_end = 0
    while position + 2 <= stop:
        (marker,) = struct.unpack_from(">H", data, position)
        if marker == J2K_EOC:
            return position + 2
        if marker == J2K_SOD:
            if not tile_end:  # the last tile-part reaches to the end marker
                tail = data.rfind(b"\xff\xd9", position, stop)
                return tail + 2 if tail > 0 else stop
            position, tile_end = tile_end, 0
            continue
        if position + 4 > stop or marker < 0xFF00:
            raise _broken()
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + length
        if length < 2 or end > stop:
            raise _broken()
        if marker == J2K_COM:
            data[position + 4 : end] = bytes(end - position - 4)
        elif marker == J2K_SOT:
            (size,) = struct.unpack_from(">L", data, position + 6)
            tile_start = position
            tile_end = tile_start + size if size else 0
            if tile_end > stop:
                return stop  # cut short, as the decoder will notice
        position = end
    return stop


def clean_rle(stream: bytes, segment_bytes: int) -> bytes:
    """Zero what no RLE segment needs: between header, segments and end.

    Parameters
    ----------
    segment_bytes
        Bytes that each segment decodes to: rows times columns.

    Raises
    ------
    CannotVouch
        `pixels-not-decoded` if it is no such stream.
    """
    if len(stream) < _RLE_HEADER:
        raise _broken()
    count, *offsets = struct.unpack_from("<16L", stream)
    if not 1 <= count <= 15:
        raise _broken()
    starts = offsets[:count]
    bounds = [*starts[1:], len(stream)]
    if starts != sorted(starts) or starts[0] < _RLE_HEADER or starts[-1] > len(stream):
        raise _broken()
    data = bytearray(stream)
    data[4 + 4 * count : _RLE_HEADER] = bytes(_RLE_HEADER - 4 - 4 * count)
    data[_RLE_HEADER : starts[0]] = bytes(starts[0] - _RLE_HEADER)
    last = 0
    for start, stop in zip(starts, bounds, strict=True):
        last = _rle_end(stream, start, stop, segment_bytes)
        data[last:stop] = bytes(stop - last)
    return bytes(data[: last + last % 2])


def _rle_end(stream: bytes, position: int, stop: int, wanted: int) -> int:
    done = 0
    while done < wanted and position < stop:
        control = stream[position]
        if control < 128:
            done += control + 1
            position += control + 2
        elif control == 128:
            position += 1
        else:
            done += 257 - control
            position += 2
    return min(position, stop)


def _broken() -> CannotVouch:
    return CannotVouch(
        "pixels-not-decoded",
        "a compressed stream is broken or of another kind; repair the object",
        "PixelData",
    )
