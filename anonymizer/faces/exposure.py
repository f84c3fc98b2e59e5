"""Which instances can show a face at all, so that those that cannot pass untouched.

Fails closed: a kind of object that is not known to be harmless counts as one that may show a face.

References
----------
PS3.15 §E.3.2 (Clean Recognizable Visual Features Option); PS3.16 Annex L (Body Part Examined).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom._uid_dict import UID_dictionary

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Words in the names of SOP Classes from which no surface of a head can be drawn: no pixels, a
#: projection, or pixels of something small.
_HARMLESS: Final = (
    " SR ",
    "Structured Report",
    "Key Object",
    "Presentation State",
    "Waveform",
    "ECG",
    "RT Plan",
    "RT Ion Plan",
    "RT Dose",
    "Treatment Record",
    "Registration",
    "Fiducials",
    "Real World Value",
    "Computed Radiography",
    "Digital X-Ray",
    "Digital Mammography",
    "Breast Tomosynthesis",
    "Intra-Oral",
    "Radiofluoroscopic",
    "X-Ray Angiographic Image",
    "Ultrasound",
    "Intravascular",
    "Ophthalmic",
    "Microscopic",
    "Whole Slide",
    "Endoscopic",
    "Key Object Selection",
    "CAD",
    "Grating",
    "Acquisition Context",
)
#: Defined terms of Body Part Examined whose images end below the face.
_NO_HEAD: Final = frozenset(
    {
        "ABDOMEN",
        "ABDOMENPELVIS",
        "ANKLE",
        "AORTA",
        "BLADDER",
        "BREAST",
        "CALCANEUS",
        "CALF",
        "CHEST",
        "CHESTABDOMEN",
        "CHESTABDPELVIS",
        "COCCYX",
        "COLON",
        "ELBOW",
        "EXTREMITY",
        "FEMUR",
        "FIBULA",
        "FINGER",
        "FOOT",
        "FOREARM",
        "HAND",
        "HEART",
        "HIP",
        "HUMERUS",
        "KIDNEY",
        "KNEE",
        "LIVER",
        "LOWERLEG",
        "LOWERLIMB",
        "LSPINE",
        "LSSPINE",
        "LUNG",
        "PANCREAS",
        "PATELLA",
        "PELVIS",
        "PELVISLOWEXTREMT",
        "PHANTOM",
        "PROSTATE",
        "RADIUS",
        "RADIUSULNA",
        "RECTUM",
        "SHOULDER",
        "SSPINE",
        "STERNUM",
        "THIGH",
        "TIBIA",
        "TIBIAFIBULA",
        "TLSPINE",
        "TOE",
        "ULNA",
        "UTERUS",
        "WRIST",
    }
)


def may_show_face(ds: Dataset) -> bool:
    """Whether the face of a person could be drawn from this instance or its neighbours."""
    if str(ds.get("RecognizableVisualFeatures", "")).strip().upper() == "NO":
        return False
    entry = UID_dictionary.get(str(ds.get("SOPClassUID", "")))
    name = entry[0] if entry is not None else ""
    if any(word in name for word in _HARMLESS):
        return False
    return str(ds.get("BodyPartExamined", "")).strip().upper() not in _NO_HEAD
