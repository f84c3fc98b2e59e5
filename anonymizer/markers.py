"""What a de-identified object says about its de-identification.

References
----------
PS3.3 §C.7.1.1 (Patient Identity Removed, method and codes), §C.12.1; PS3.15 §E.1.1, §E.3; CID 7050.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anonymizer.codec import Dataset, Element
from anonymizer.dummies import code_item
from anonymizer.profile import Option

if TYPE_CHECKING:
    from anonymizer.profile import Profile

#: PatientIdentityRemoved, DeidentificationMethod and its codes, LongitudinalTemporalInformationModified.
MARKERS: Final = (0x00120062, 0x00120063, 0x00120064, 0x00280303)
BURNED_IN_ANNOTATION: Final = 0x00280301


def markers(profile: Profile, edition: str, *, pixels_cleaned: bool = False) -> Dataset:
    """The elements that an output carries; whatever an input said there is replaced.

    What nobody did to the instance is not claimed: pixels that were not looked at, and faces, which a later
    pass over the whole series removes.
    """
    method = f"PS3.15 {edition} Basic Application Confidentiality Profile"
    unclaimed = {Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES.code}
    if not pixels_cleaned:
        unclaimed.add(Option.CLEAN_PIXEL_DATA.code)
    codes = [
        code_item(code.encode(), b"DCM", meaning.encode())
        for code, meaning in profile.codes
        if code not in unclaimed
    ]
    values = (
        Element("CS", b"YES"),
        Element("LO", method.encode()),
        Element("SQ", codes),
        Element("CS", _temporal(profile)),
    )
    marks = dict(zip(MARKERS, values, strict=True))
    if pixels_cleaned:
        marks[BURNED_IN_ANNOTATION] = Element("CS", b"NO")
    return marks


def _temporal(profile: Profile) -> bytes:
    if Option.RETAIN_LONGITUDINAL_FULL_DATES in profile:
        return b"UNMODIFIED"
    return b"MODIFIED" if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in profile else b"REMOVED"
