"""Which objects are looked at, and which words may stay."""

import numpy as np
import pytest
from pixel_objects import image, parsed
from pydicom import uid

from anonymizer.errors import CannotVouch
from anonymizer.pixels.policy import check_slide_label, needs_look
from anonymizer.pixels.tokens import is_harmless

SLICE = {"SOPClassUID": uid.CTImageStorage, "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}


def described(**attributes):
    ds = image(np.zeros((4, 4), np.uint8), **attributes)
    if "ConversionType" not in attributes:
        del ds.ConversionType
    return parsed(ds)[0]


@pytest.mark.parametrize(
    ("attributes", "needed"),
    [
        (SLICE, False),
        ({**SLICE, "BurnedInAnnotation": "NO"}, False),
        ({**SLICE, "BurnedInAnnotation": "YES"}, True),
        ({**SLICE, "ImageType": ["DERIVED", "PRIMARY"]}, True),
        ({**SLICE, "ImageType": ["ORIGINAL", "SECONDARY"]}, True),
        ({**SLICE, "ImageType": ["ORIGINAL", "PRIMARY", "SCREEN SAVE"]}, True),
        ({**SLICE, "ConversionType": "WSD"}, True),
        ({"SOPClassUID": uid.MRImageStorage, "ImageType": ["ORIGINAL", "PRIMARY", "M"]}, False),
        ({"SOPClassUID": uid.UltrasoundImageStorage, "ImageType": ["ORIGINAL", "PRIMARY"]}, True),
        ({"SOPClassUID": uid.UltrasoundImageStorage, "BurnedInAnnotation": "NO"}, True),
        ({"SOPClassUID": uid.ComputedRadiographyImageStorage}, True),
        ({"SOPClassUID": uid.DigitalMammographyXRayImageStorageForPresentation}, True),
        ({"SOPClassUID": uid.XRayAngiographicImageStorage}, True),
        ({"SOPClassUID": uid.VLEndoscopicImageStorage}, True),
        ({"SOPClassUID": uid.SecondaryCaptureImageStorage}, True),
        ({"SOPClassUID": uid.SegmentationStorage, "Modality": "SEG"}, False),
        ({"SOPClassUID": uid.RTDoseStorage, "Modality": "RTDOSE"}, False),
        (
            {
                "SOPClassUID": uid.VLWholeSlideMicroscopyImageStorage,
                "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME"],
            },
            False,
        ),
        (
            {
                "SOPClassUID": uid.VLWholeSlideMicroscopyImageStorage,
                "ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW"],
            },
            True,
        ),
    ],
)
def test_kinds_that_carry_text_are_looked_at(attributes, needed):
    assert needs_look(described(**attributes)) is needed


@pytest.mark.parametrize(
    "attributes", [{"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, {"SpecimenLabelInImage": "YES"}]
)
def test_pictures_of_slide_labels_are_refused(attributes):
    with pytest.raises(CannotVouch) as refusal:
        check_slide_label(described(SOPClassUID=uid.VLWholeSlideMicroscopyImageStorage, **attributes))
    assert refusal.value.rule == "slide-label"


@pytest.mark.parametrize(
    "text",
    ["L", "R", "AP", "120 kV", "250mA", "10 cm", "MI 1.2", "TIs 0.4", "FR 32Hz", "PORTABLE SUPINE", "5 MHz",
     "-12dB", "W: 400 L: 40", "80%", "0.5", "SE 3 IM 12"],
)  # fmt: skip
def test_settings_and_sides_are_harmless(text):
    assert is_harmless(text)


@pytest.mark.parametrize(
    "text",
    ["SMITH", "DOE^JOHN", "1961", "12.03.1956", "12/03/56", "12 03 56", "12-03-56", "12345",
     "MRN 123456", "14 Mar 56", "L SMITH", "Dr. Map", "10:42", "555-1234", "AB123", "ID 1 2 3 4 5 6"],
)  # fmt: skip
def test_names_numbers_and_dates_are_not(text):
    assert not is_harmless(text)
