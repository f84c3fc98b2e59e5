"""Which instances this version can vouch for at all: the rest is kept back, with the reason.

Attributes can be cleaned by the table; identity inside documents, sound or video cannot, and inside pixels
only where something looks into them. Where nothing does, such instances pass only on the word of the sender
(Burned In Annotation NO), and those that hold a document, sound or video only when a person answers for them.

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
    from collections.abc import Container, Iterator

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


#: Rules that a person who looked at the instance may answer for: what it shows, not what its header says.
WAIVABLE: Final = frozenset(
    {
        "burned-in-annotation",
        "encapsulated-document",
        "face-not-removed",
        "pixels-hold-text",
        "pixels-not-looked-at",
        "pixels-not-vouched-for",
        "recognizable-person",
        "screen-capture",
        "slide-label",
    }
)


#: Of these, the ones that a look at the pixels would find again.
WAIVE_LOOK: Final = frozenset({"pixels-hold-text", "pixels-not-looked-at", "slide-label"})


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


def check_instance(
    dataset: Dataset,
    more_classes: Container[str],
    vouched: frozenset[str] = frozenset(),
    *,
    pixels_are_cleaned: bool = False,
) -> None:
    """Refuse an instance that may hold identity where neither the table nor a look at pixels reaches.

    Parameters
    ----------
    more_classes
        Storage SOP Classes besides those that pydicom's dictionary names.
    vouched
        Rules for which a person who looked answers (`WAIVABLE`).
    pixels_are_cleaned
        The pixels will be looked at: what they may hold is no reason to refuse.

    Raises
    ------
    CannotVouch
    """
    name = _class_name(text_value(dataset, SOP_CLASS), more_classes)
    for rule, advice, keyword in _doubts(dataset, name, pixels_are_cleaned=pixels_are_cleaned):
        if rule not in vouched or rule not in WAIVABLE:
            raise CannotVouch(rule, advice, keyword)


def _doubts(dataset: Dataset, name: str, *, pixels_are_cleaned: bool) -> Iterator[tuple[str, str, str]]:
    """Rule, advice and keyword of everything that speaks against an instance."""
    if "Encapsulated" in name:
        advice = "documents and models are not cleaned; look at it, then release or delete it"
        yield "encapsulated-document", advice, "SOPClassUID"
    if name.startswith("Video"):
        yield "video", "video is not cleaned; look at it, then release or delete it", "SOPClassUID"
    if "Voice" in name or "Audio" in name:
        yield "audio", "recorded sound may hold a voice; leave it out", "SOPClassUID"
    photograph = any(word in name for word in _SHOWS_PERSONS)
    if photograph and text_value(dataset, RECOGNIZABLE).upper() != "NO":
        yield (
            "recognizable-person",
            "a photograph may show a face; have the sender state Recognizable Visual Features NO",
            "RecognizableVisualFeatures",
        )
    if not pixels_are_cleaned:
        yield from _doubts_about_pixels(dataset, name)


def _doubts_about_pixels(dataset: Dataset, name: str) -> Iterator[tuple[str, str, str]]:
    burned_in = text_value(dataset, BURNED_IN).upper()
    if burned_in == "YES":
        yield (
            "burned-in-annotation",
            "the sender says that text is burned in; clean the pixels first",
            "BurnedInAnnotation",
        )
    elif burned_in != "NO":
        if any(word in name for word in _OFTEN_ANNOTATED):
            yield "pixels-not-vouched-for", _ASK_SENDER, "BurnedInAnnotation"
        kinds = {kind.strip() for kind in text_value(dataset, IMAGE_TYPE).upper().split("\\")}
        if kinds & _CAPTURES or ("Whole Slide" in name and kinds & _SLIDE_LABELS):
            yield "screen-capture", _ASK_SENDER, "ImageType"


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
