"""Which instances this version can vouch for at all: the rest is kept back, with the reason.

Attributes can be cleaned by the table; identity inside pixels, documents, sound or video cannot, as long
as nothing looks into them. So such instances pass only on the word of the sender (Burned In Annotation
NO), and those that hold a document, sound or video not at all.

References
----------
PS3.15 §E.3.1, §E.3.2; PS3.3 §C.7.6.1.1 (Image Type), §C.7.6.1 (Burned In Annotation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom._uid_dict import UID_dictionary

from anonymizer.errors import CannotVouch
from anonymizer.part10 import text_value

if TYPE_CHECKING:
    from collections.abc import Container

    from anonymizer.codec import Dataset

SOP_CLASS, IMAGE_TYPE = 0x00080016, 0x00080008
BURNED_IN, RECOGNIZABLE = 0x00280301, 0x00280302
_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_REFERENCED_PIXELS: Final = ("JPIP", "SMPTE")
_VIDEO: Final = ("MPEG", "HEVC")

#: Words in the names of SOP Classes whose pixels often hold text that a person put there.
_OFTEN_ANNOTATED: Final = (
    "Secondary Capture",
    "Ultrasound",
    "Endoscopic",
    "Photographic",
    "Photography",
    "Hardcopy",
    "Microscopic",
    "Standalone",
)
_SHOWS_PERSONS: Final = ("VL Photographic", "Dermoscopic")
_CAPTURES: Final = frozenset({"SCREEN SAVE", "SCREEN CAPTURE", "SCREENSHOT", "SCREEN_SAVE"})
_SLIDE_LABELS: Final = frozenset({"LABEL", "OVERVIEW"})
_ASK_SENDER: Final = (
    "nobody has looked for text in the pixels; have the sender state Burned In Annotation NO after a look,"
    " or clean the pixels first"
)


def check_transfer_syntax(transfer_syntax_uid: str) -> None:
    """Refuse video, and pixel data that lie elsewhere.

    Raises
    ------
    CannotVouch
    """
    name = UID_dictionary[transfer_syntax_uid][0]
    if any(word in name for word in _VIDEO):
        raise CannotVouch("video", "video is not de-identified in this version", "TransferSyntaxUID")
    if any(word in name for word in _REFERENCED_PIXELS):
        raise CannotVouch(
            "referenced-pixels",
            "the pixels are not in the object; send it with its pixels",
            "TransferSyntaxUID",
        )


def check_instance(dataset: Dataset, more_classes: Container[str]) -> None:
    """Refuse an instance that may hold identity where the table does not reach.

    Parameters
    ----------
    more_classes
        Storage SOP Classes besides those that pydicom's dictionary names.

    Raises
    ------
    CannotVouch
    """
    name = _class_name(text_value(dataset, SOP_CLASS), more_classes)
    if "Encapsulated" in name:
        raise CannotVouch(
            "encapsulated-document",
            "documents and models are not de-identified in this version",
            "SOPClassUID",
        )
    if name.startswith("Video"):
        raise CannotVouch("video", "video is not de-identified in this version", "SOPClassUID")
    if "Voice" in name or "Audio" in name:
        raise CannotVouch("audio", "recorded sound may hold a voice; leave it out", "SOPClassUID")
    burned_in = text_value(dataset, BURNED_IN).upper()
    if burned_in == "YES":
        raise CannotVouch(
            "burned-in-annotation",
            "the sender says that text is burned in; clean the pixels first",
            "BurnedInAnnotation",
        )
    if any(word in name for word in _SHOWS_PERSONS) and text_value(dataset, RECOGNIZABLE).upper() != "NO":
        raise CannotVouch(
            "recognizable-person",
            "a photograph may show a face; have the sender state Recognizable Visual Features NO after a"
            " look",
            "RecognizableVisualFeatures",
        )
    if burned_in != "NO":
        if any(word in name for word in _OFTEN_ANNOTATED):
            raise CannotVouch("pixels-not-vouched-for", _ASK_SENDER, "BurnedInAnnotation")
        kinds = {kind.strip() for kind in text_value(dataset, IMAGE_TYPE).upper().split("\\")}
        if kinds & _CAPTURES or ("Whole Slide" in name and kinds & _SLIDE_LABELS):
            raise CannotVouch("screen-capture", _ASK_SENDER, "ImageType")
    if _overlay_in_pixels(dataset):
        raise CannotVouch(
            "overlay-in-pixel-data",
            "an overlay lies in unused bits of the pixel data; move it out or clear those bits first",
            "OverlayBitPosition",
        )


def _class_name(uid: str, more_classes: Container[str]) -> str:
    entry = UID_dictionary.get(uid)
    if entry is None and uid in more_classes:
        return ""
    storage = entry is not None and entry[1] == "SOP Class" and "Storage" in entry[0]
    if entry is None or not storage or uid == _DIRECTORY or "Commitment" in entry[0]:
        raise CannotVouch(
            "sop-class",
            "the SOP Class is no Storage class of the standard, its content is unknown",
            "SOPClassUID",
        )
    return entry[0]


def _overlay_in_pixels(dataset: Dataset) -> bool:
    """Whether a retired overlay hides in the bits of Pixel Data (PS3.3 §C.9.2, Overlay Bit Position)."""
    for tag in dataset:
        if tag >> 24 == 0x60 and tag & 0xFFFF == 0x0102 and (tag & 0xFFFF0000 | 0x3000) not in dataset:
            return True
    return False
