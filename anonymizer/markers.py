"""What a de-identified object says about its de-identification.

References
----------
PS3.3 §C.7.1.1 (Patient Identity Removed, method and codes), §C.12.1; PS3.15 §E.1.1, §E.3; CID 7050.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anonymizer.codec import Dataset, Element
from anonymizer.dummies import code_item

if TYPE_CHECKING:
    from anonymizer.profile import Profile

#: PatientIdentityRemoved, DeidentificationMethod and its codes, LongitudinalTemporalInformationModified.
MARKERS: Final = (0x00120062, 0x00120063, 0x00120064, 0x00280303)


def markers(profile: Profile, edition: str) -> Dataset:
    """The elements that an output carries; whatever an input said there is replaced."""
    method = f"PS3.15 {edition} Basic Application Confidentiality Profile"
    codes = [code_item(code.encode(), b"DCM", meaning.encode()) for code, meaning in profile.codes]
    values = (
        Element("CS", b"YES"),
        Element("LO", method.encode()),
        Element("SQ", codes),
        Element("CS", b"REMOVED"),
    )
    return dict(zip(MARKERS, values, strict=True))
