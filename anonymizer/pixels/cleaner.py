"""Takes text out of pixels, and out of the bytes around them, or refuses the instance.

References
----------
PS3.15 §E.3.1 (Clean Pixel Data); PS3.3 §C.7.6.3; PS3.5 §8, §A.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from pydicom import uid

from anonymizer.codec import PIXEL_DATA, Element, Encapsulated
from anonymizer.pixels.catalogue import Catalogue
from anonymizer.pixels.description import BITS_ALLOCATED, BITS_STORED, Description, describe, number
from anonymizer.pixels.extent import cut_surplus
from anonymizer.pixels.fragments import EXTENDED_OFFSETS, Frames
from anonymizer.pixels.policy import check_slide_label, is_picture, needs_look
from anonymizer.pixels.streams import clean_jpeg, clean_jpeg2000, clean_rle
from anonymizer.pixels.ultrasound import around, ultrasound_regions
from anonymizer.report import PixelBox

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anonymizer.codec import Codec, Dataset
    from anonymizer.pixels.boxes import Box
    from anonymizer.pixels.display import Display
    from anonymizer.pixels.native import NativePixels
    from anonymizer.pixels.networks import Networks

_JPEG: Final = frozenset(uid.JPEGTransferSyntaxes) | frozenset(uid.JPEGLSTransferSyntaxes)
_JPEG_2000: Final = frozenset(uid.JPEG2000TransferSyntaxes) | {
    uid.HTJ2K,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
}


@dataclass(frozen=True, slots=True)
class PixelOutcome:
    """What became of the pixels of an instance.

    Attributes
    ----------
    transfer_syntax_uid
        In which the data set has to be written now: Explicit VR Little Endian where compressed pixels were
        redacted, the given one otherwise.
    boxes
        Rectangles that were blacked out.
    changed
        Whether a pixel has another value than before.
    looked
        Whether every frame was searched for text. `False` and no boxes: report `not-checked`.
    actions
        Short names of what was cleaned, for the report: `pixel-surplus`, `pixel-unused-bits`,
        `pixel-stream-markers`, `pixel-region`, `pixel-catalogue`, `pixel-text`, `pixel-decompressed`.
    """

    transfer_syntax_uid: str
    boxes: tuple[PixelBox, ...] = ()
    changed: bool = False
    looked: bool = False
    actions: tuple[str, ...] = ()


class PixelCleaner:
    """Cleans pixel data. Thread-safe; reads the text networks when they are first needed.

    Parameters
    ----------
    catalogue
        A JSON file with further device rules, in the form of `anonymizer/pixels/catalogue.json`.
    threads
        Processor threads for a look.

    Raises
    ------
    ValueError
        If the catalogue is not of that form.
    """

    def __init__(self, catalogue: Path | None = None, *, threads: int = 2) -> None:
        self._catalogue = Catalogue(catalogue)
        self._threads = threads
        self._lock = Lock()
        self._networks: Networks | None = None

    def warm_up(self) -> None:
        """Read the text networks now, so that the first picture need not wait.

        Raises
        ------
        CannotVouch
            `pixels-not-looked-at`: they are not installed.
        """
        self._loaded()

    def clean(
        self, dataset: Dataset, transfer_syntax_uid: str, codec: Codec, *, thorough: bool | None
    ) -> PixelOutcome:
        """Clean the pixel data of an instance in place; a data set without any is left alone.

        Always: bytes behind the pixels, bits outside of Bits Stored, comments in compressed streams. Where
        `thorough` or `needs_look(dataset)`: the area around ultrasound regions, boxes of the device
        catalogue and text in any frame are blacked out. Pixels outside of the boxes stay as they are.

        With `thorough` `None` nobody looks for text: pixels keep their values.

        Call it on the data set as it came, before attributes that describe pixels, device or ultrasound
        regions are removed, or on one that still has them. May replace Pixel Data, Photometric
        Interpretation, Planar Configuration, Lossy Image Compression and the extended offset tables.

        Raises
        ------
        CannotVouch
            `pixels-not-decoded`: no decoder, or broken pixels. `pixels-not-described`: rows, columns or
            bits are missing or contradict each other. `pixels-not-looked-at`: the networks are not
            installed. `pixels-hold-text`: text is left after redaction. `slide-label`: a picture of a
            slide's label.
        """
        actions = ["pixel-surplus"] if cut_surplus(dataset, codec) else []
        if PIXEL_DATA not in dataset:
            return PixelOutcome(transfer_syntax_uid, actions=tuple(actions))
        look = False
        if thorough is not None:
            check_slide_label(dataset)
            look = is_picture(dataset) and (thorough or needs_look(dataset))
        compressed = isinstance(dataset[PIXEL_DATA].value, Encapsulated)
        partly = number(dataset, BITS_STORED, codec) != number(dataset, BITS_ALLOCATED, codec)
        if not (look or compressed or partly):
            return PixelOutcome(transfer_syntax_uid, actions=tuple(actions))
        description = describe(dataset, codec)
        if compressed and _clean_streams(dataset, description, transfer_syntax_uid):
            actions.append("pixel-stream-markers")
        if compressed and not look:
            return PixelOutcome(transfer_syntax_uid, actions=tuple(actions))

        pixels = self._native(dataset, description, transfer_syntax_uid, codec)
        cleared = not compressed and pixels.clear_unused_bits()
        if cleared:
            actions.append("pixel-unused-bits")
        boxes: tuple[PixelBox, ...] = ()
        if look:
            boxes = self._redact(pixels, dataset, codec)
            actions += sorted({_ACTIONS[box.source] for box in boxes})
        if boxes and compressed:
            from anonymizer.pixels.decoding import make_native

            make_native(dataset, pixels.description, pixels.value(), transfer_syntax_uid)
            transfer_syntax_uid = uid.ExplicitVRLittleEndian
            actions.append("pixel-decompressed")
        elif boxes or cleared:
            dataset[PIXEL_DATA] = Element(dataset[PIXEL_DATA].vr, pixels.value())
        return PixelOutcome(transfer_syntax_uid, boxes, bool(boxes), look, tuple(actions))

    def _native(
        self, dataset: Dataset, description: Description, transfer_syntax_uid: str, codec: Codec
    ) -> NativePixels:
        from anonymizer.pixels.decoding import decode
        from anonymizer.pixels.native import NativePixels

        vr, value = dataset[PIXEL_DATA]
        if isinstance(value, Encapsulated):
            description, data = decode(dataset, description, transfer_syntax_uid)
            return NativePixels(description, data, big_endian=False, vr="OW")
        assert not isinstance(value, list)  # noqa: S101  # Pixel Data is no sequence
        return NativePixels(description, value, big_endian=codec.big_endian, vr=vr)

    def _redact(self, pixels: NativePixels, dataset: Dataset, codec: Codec) -> tuple[PixelBox, ...]:
        from anonymizer.pixels.display import Display
        from anonymizer.pixels.look import look_at_frames, text_finder

        d = pixels.description
        display = Display(d, dataset, codec)
        everywhere = list(range(d.frames))
        regions = ultrasound_regions(dataset, codec, d.rows, d.columns)
        known = {
            "ultrasound-region": around(regions, d.rows, d.columns) if regions else [],
            "device-catalogue": self._catalogue.boxes(dataset, d.rows, d.columns),
        }
        done: list[PixelBox] = []
        for source, boxes in known.items():
            done += _blacked_out(pixels, display, ((box, everywhere) for box in boxes), source)
        find = text_finder(self._loaded())
        limits = display.range(map(pixels.frame, everywhere)) if d.frames > 1 else (0.0, 1.0)
        found = look_at_frames(
            find,
            lambda index: display.picture(pixels.frame(index)),
            d.frames,
            lambda index: display.steady(pixels.frame(index), limits),
        )
        done += _blacked_out(pixels, display, found.items(), "text")
        return tuple(done)

    def _loaded(self) -> Networks:
        from anonymizer.pixels.networks import Networks

        with self._lock:
            if self._networks is None:
                self._networks = Networks(self._threads)
            return self._networks


_ACTIONS: Final = {
    "ultrasound-region": "pixel-region",
    "device-catalogue": "pixel-catalogue",
    "text": "pixel-text",
}


def _blacked_out(
    pixels: NativePixels, display: Display, boxes: Iterable[tuple[Box, list[int]]], source: str
) -> list[PixelBox]:
    from anonymizer.pixels.look import frame_numbers

    done = []
    black: int | None = None
    for box, frames in boxes:
        if black is None:
            black = display.black([pixels.frame(index) for index in range(pixels.description.frames)])
        if pixels.black_out([box], frames, black):
            numbers = frame_numbers(frames, pixels.description.frames)
            done.append(PixelBox(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0, numbers, source))
    return done


def _clean_streams(dataset: Dataset, description: Description, transfer_syntax_uid: str) -> bool:
    """Clean compressed streams in place; whether something was there to clean."""
    value = dataset[PIXEL_DATA].value
    if not isinstance(value, Encapsulated):
        return False
    offsets = dataset.get(EXTENDED_OFFSETS)
    table = bytes(offsets.value) if offsets is not None and isinstance(offsets.value, bytes) else None
    frames = Frames(value.items, description.frames, table)
    before = [frames.frame(index) for index in range(description.frames)]
    if transfer_syntax_uid in _JPEG:
        after = [clean_jpeg(stream) for stream in before]
    elif transfer_syntax_uid in _JPEG_2000:
        after = [clean_jpeg2000(stream) for stream in before]
    elif transfer_syntax_uid == uid.RLELossless:
        after = [clean_rle(stream, description.rows * description.columns) for stream in before]
    else:
        return False
    if all(a == b or a + b"\0" == b for a, b in zip(after, before, strict=True)):
        return False
    frames.write(dataset, after)
    return True
