"""Which instances have to be looked at: text is burned in by scanners of some kinds, and by software.

References
----------
PS3.3 §C.7.6.1.1.2 (Image Type), §C.7.6.1 (Burned In Annotation); PS3.15 §E.3.1 (Clean Pixel Data);
PS3.4 §B.5 (Storage SOP Classes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom import uid

from anonymizer.codec import PIXEL_DATA
from anonymizer.errors import CannotVouch
from anonymizer.part10 import text_value

if TYPE_CHECKING:
    from anonymizer.codec import Dataset

IMAGE_TYPE, SOP_CLASS_UID, MODALITY = 0x00080008, 0x00080016, 0x00080060
CONVERSION_TYPE, BURNED_IN_ANNOTATION, SPECIMEN_LABEL_IN_IMAGE = 0x00080064, 0x00280301, 0x00480010

#: Numbers on a grid, not pictures that software draws on.
_MEASURED: Final = frozenset(
    {
        uid.SegmentationStorage,
        uid.ParametricMapStorage,
        uid.RTDoseStorage,
    }
)
#: Reconstructed slices: the scanner writes no text into them.
_RECONSTRUCTED: Final = frozenset(
    {
        uid.CTImageStorage,
        uid.EnhancedCTImageStorage,
        uid.LegacyConvertedEnhancedCTImageStorage,
        uid.MRImageStorage,
        uid.EnhancedMRImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
        uid.PositronEmissionTomographyImageStorage,
        uid.EnhancedPETImageStorage,
        uid.LegacyConvertedEnhancedPETImageStorage,
        uid.NuclearMedicineImageStorage,
    }
)
#: Values of Image Type, from the third on, that name a picture of a screen.
_CAPTURED: Final = ("SCREEN", "CAPTURE", "DOSE", "REPORT", "PROTOCOL", "RESULT TABLE")
#: Image Type of whole slide images that show the glass around the specimen, and its label.
_AROUND_SPECIMEN: Final = ("LABEL", "OVERVIEW", "LOCALIZER", "THUMBNAIL")


def needs_look(dataset: Dataset) -> bool:
    r"""Whether an instance is of a kind that often carries text in its pixels.

    True for every picture but reconstructed slices (CT, MR, PET, NM) whose Image Type is
    ORIGINAL\\PRIMARY and that say nothing else; Burned In Annotation NO is not believed.
    """
    if PIXEL_DATA not in dataset:
        return False
    image_type = [part.strip() for part in text_value(dataset, IMAGE_TYPE).upper().split("\\")]
    if text_value(dataset, BURNED_IN_ANNOTATION).upper() == "YES":
        return True
    sop_class_uid = text_value(dataset, SOP_CLASS_UID)
    if sop_class_uid == uid.VLWholeSlideMicroscopyImageStorage:
        return any(part in _AROUND_SPECIMEN for part in image_type)
    if not is_picture(dataset):
        return False
    if sop_class_uid not in _RECONSTRUCTED or CONVERSION_TYPE in dataset:
        return True
    if any(word in part for part in image_type[2:] for word in _CAPTURED):
        return True
    return image_type[:2] != ["ORIGINAL", "PRIMARY"]


def is_picture(dataset: Dataset) -> bool:
    """Whether the pixels are a picture: segmentations, doses and maps of numbers are none."""
    sop_class_uid = text_value(dataset, SOP_CLASS_UID)
    return sop_class_uid not in _MEASURED and text_value(dataset, MODALITY) != "SEG"


def check_slide_label(dataset: Dataset) -> None:
    """Refuse a picture of a slide's label: it is made to tell whose specimen it is, often by hand.

    Raises
    ------
    CannotVouch
    """
    image_type = text_value(dataset, IMAGE_TYPE).upper().split("\\")
    if "LABEL" in image_type or text_value(dataset, SPECIMEN_LABEL_IN_IMAGE).upper() == "YES":
        raise CannotVouch("slide-label", "a picture of a slide's label; leave it out", "ImageType")
