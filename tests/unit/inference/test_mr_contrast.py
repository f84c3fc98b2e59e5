"""MR weighting from times and angles of sequences as makers fill them in."""

import pytest

from inference.mr_contrast import Contrast, mr_contrast

_TAGS = {
    "sequence": ("00180020", "CS"),
    "variant": ("00180021", "CS"),
    "options": ("00180022", "CS"),
    "angio": ("00180025", "CS"),
    "tr": ("00180080", "DS"),
    "te": ("00180081", "DS"),
    "ti": ("00180082", "DS"),
    "angle": ("00181314", "DS"),
    "b": ("00189087", "FD"),
}


def attributes(**values):
    found = {}
    for name, value in values.items():
        tag, vr = _TAGS[name]
        found[tag] = {"vr": vr, "Value": value if isinstance(value, list) else [value]}
    return found


@pytest.mark.parametrize(
    ("values", "contrast"),
    [
        # Siemens MPRAGE: the demo's head
        (
            {
                "sequence": ["GR", "IR"],
                "variant": ["SK", "SP", "MP"],
                "tr": 1900,
                "te": 2.52,
                "ti": 900,
                "angle": 9,
            },
            "T1",
        ),
        # GE BRAVO: TI without IR in the sequence
        (
            {"sequence": "GR", "variant": ["SS", "SP", "SK"], "tr": 8.2, "te": 3.2, "ti": 450, "angle": 12},
            "T1",
        ),
        # Philips 3D T1 TFE
        ({"sequence": "GR", "variant": "MP", "tr": 8.1, "te": 3.7, "angle": 8}, "T1"),
        ({"sequence": "SE", "variant": "SK", "tr": 550, "te": 12}, "T1"),
        ({"sequence": ["SE", "IR"], "tr": 2000, "te": 20, "ti": 800}, "T1"),
        ({"sequence": "SE", "variant": "SK", "tr": 4000, "te": 100}, "T2"),
        ({"sequence": "SE", "tr": 3000, "te": 15}, "PD"),
        ({"sequence": ["SE", "IR"], "tr": 9000, "te": 125, "ti": 2500}, "FLAIR or STIR"),
        ({"sequence": ["SE", "IR"], "tr": 5000, "te": 390, "ti": 1800}, "FLAIR or STIR"),
        ({"sequence": ["SE", "IR"], "tr": 4000, "te": 40, "ti": 160}, "FLAIR or STIR"),
        ({"sequence": "GR", "tr": 650, "te": 20, "angle": 20}, "T2"),
        ({"sequence": "GR", "variant": "SS", "tr": 5.5, "te": 2.4, "angle": 60}, "T2"),
        ({"sequence": "GR", "variant": "SP", "tr": 25, "te": 4, "angle": 3}, "PD"),
        ({"sequence": ["EP", "SE"], "tr": 5000, "te": 80, "b": 1000}, "diffusion or echo-planar"),
        ({"sequence": ["GR", "EP"], "tr": 2000, "te": 30, "angle": 90}, "diffusion or echo-planar"),
        ({"sequence": "GR", "variant": "SP", "tr": 22, "te": 3.7, "angle": 18, "angio": "Y"}, "angiography"),
        ({"sequence": "RM", "te": 12}, "unknown"),
        ({"sequence": "SE", "te": 12}, "unknown"),
        ({}, "unknown"),
        ({"sequence": "GR", "te": 0}, "unknown"),
    ],
)
def test_weighting_of_usual_sequences(values, contrast):
    assert mr_contrast(attributes(**values)) is Contrast(contrast)


def test_values_that_are_no_numbers_tell_nothing():
    assert mr_contrast(attributes(sequence="SE", te="short", tr="long")) is Contrast.UNKNOWN
