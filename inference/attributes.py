"""Values of DICOM JSON attributes (PS3.18 Annex F), as the catalogue keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE_TYPE = "00080008"
SOP_CLASS_UID = "00080016"
MODALITY = "00080060"
MANUFACTURER = "00080070"
CODE_VALUE = "00080100"
CODING_SCHEME_DESIGNATOR = "00080102"
CODE_MEANING = "00080104"
STUDY_DESCRIPTION = "00081030"
SERIES_DESCRIPTION = "0008103E"
ANATOMIC_REGION_SEQUENCE = "00082218"
ACQUISITION_CONTRAST = "00089209"
PATIENT_AGE = "00101010"
CONTRAST_AGENT = "00180010"
CONTRAST_AGENT_SEQUENCE = "00180012"
BODY_PART_EXAMINED = "00180015"
SCANNING_SEQUENCE = "00180020"
SEQUENCE_VARIANT = "00180021"
SCAN_OPTIONS = "00180022"
MR_ACQUISITION_TYPE = "00180023"
SEQUENCE_NAME = "00180024"
ANGIO_FLAG = "00180025"
SLICE_THICKNESS = "00180050"
REPETITION_TIME = "00180080"
ECHO_TIME = "00180081"
INVERSION_TIME = "00180082"
SPACING_BETWEEN_SLICES = "00180088"
PROTOCOL_NAME = "00181030"
CONTRAST_ROUTE = "00181040"
CONTRAST_VOLUME = "00181041"
IMAGER_PIXEL_SPACING = "00181164"
CONVOLUTION_KERNEL = "00181210"
FLIP_ANGLE = "00181314"
VIEW_POSITION = "00185101"
DIFFUSION_B_VALUE = "00189087"
SERIES_NUMBER = "00200011"
PATIENT_ORIENTATION = "00200020"
IMAGE_POSITION = "00200032"
IMAGE_ORIENTATION = "00200037"
LATERALITY = "00200060"
IMAGE_LATERALITY = "00200062"
FRAME_ANATOMY_SEQUENCE = "00209071"
FRAME_LATERALITY = "00209072"
PLANE_POSITION_SEQUENCE = "00209113"
PLANE_ORIENTATION_SEQUENCE = "00209116"
SAMPLES_PER_PIXEL = "00280002"
NUMBER_OF_FRAMES = "00280008"
PIXEL_SPACING = "00280030"
PIXEL_MEASURES_SEQUENCE = "00289110"
REQUESTED_PROCEDURE_DESCRIPTION = "00321060"
REQUEST_ATTRIBUTES_SEQUENCE = "00400275"
REQUESTED_PROCEDURE_PRIORITY = "00401003"
VIEW_CODE_SEQUENCE = "00540220"
SHARED_FUNCTIONAL_GROUPS = "52009229"
PER_FRAME_FUNCTIONAL_GROUPS = "52009230"


def values(attributes: Mapping[str, Any], tag: str) -> tuple[Any, ...]:
    """All values of an attribute; empty where it is absent or odd."""
    element = attributes.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return tuple(v for v in found if v is not None) if isinstance(found, list) else ()


def texts(attributes: Mapping[str, Any], tag: str) -> tuple[str, ...]:
    """All values as text, upper case, trimmed."""
    return tuple(str(v).strip().upper() for v in values(attributes, tag) if not isinstance(v, dict))


def text(attributes: Mapping[str, Any], tag: str) -> str:
    """The first value as text, upper case, trimmed; empty where there is none."""
    return next(iter(texts(attributes, tag)), "")


def written(attributes: Mapping[str, Any], tag: str) -> str:
    """The first value as it is written; empty where there is none."""
    return next((str(v) for v in values(attributes, tag) if not isinstance(v, dict)), "")


def numbers(attributes: Mapping[str, Any], tag: str) -> tuple[float, ...]:
    """All values as numbers; empty where one is none."""
    try:
        return tuple(float(v) for v in values(attributes, tag))
    except (TypeError, ValueError):
        return ()


def number(attributes: Mapping[str, Any], tag: str) -> float | None:
    """The first value as a number, or `None`."""
    return next(iter(numbers(attributes, tag)), None)


def items(attributes: Mapping[str, Any], tag: str) -> tuple[Mapping[str, Any], ...]:
    """The items of a sequence."""
    return tuple(v for v in values(attributes, tag) if isinstance(v, dict))
