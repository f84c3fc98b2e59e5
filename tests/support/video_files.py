"""Heads of video files, made byte by byte: their frames are not looked at."""

from __future__ import annotations


def mpeg2_stream(columns: int, rows: int) -> bytes:
    """A sequence header and nothing that could be played."""
    size = (columns << 12 | rows).to_bytes(3, "big")
    return bytes(4) + b"\0\0\1\xb3" + size + b"\x13" + bytes(60)


def mp4_boxes(codec: bytes = b"avc1", record: bytes = b"\1\x64\0\x28") -> bytes:
    """An MP4 file of 10 frames of 320x240 at 25 a second, without the frames themselves.

    `record` is the decoder configuration: version, profile, compatibility, level.
    """

    def box(kind: bytes, *content: bytes) -> bytes:
        whole = b"".join(content)
        return (8 + len(whole)).to_bytes(4, "big") + kind + whole

    number = lambda n, size=4: n.to_bytes(size, "big")  # noqa: E731 (as short as the boxes it writes)
    sample = (
        bytes(24)
        + number(320, 2)
        + number(240, 2)
        + bytes(50)
        + box(b"avcC" if codec.startswith(b"avc") else b"hvcC", record)
    )
    tables = box(
        b"stbl", box(b"stsd", bytes(4), number(1), box(codec, sample)), box(b"stsz", bytes(8), number(10))
    )
    media = box(
        b"mdia",
        box(b"mdhd", bytes(12), number(25000), number(10000), bytes(4)),
        box(b"hdlr", bytes(8), b"vide", bytes(13)),
        box(b"minf", tables),
    )
    return (
        box(b"ftyp", b"mp42", bytes(4))
        + box(b"mdat", bytes(40))
        + box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", media))
    )
