"""Checks the codes of a package against the dictionaries of DICOM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.sr._concepts_dict import concepts

from inference.packages.finding import PackageFinding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.domain.finding import Code
    from inference.contract.package import ModelManifest

#: Schemes that pydicom holds context groups of, by their designator in DICOM.
_SCHEMES = {"SCT": "SCT", "DCM": "DCM", "UCUM": "UCUM", "RADLEX": "RADLEX", "LN": "LN", "FMA": "FMA"}
PRIVATE = "99"


def find_code(scheme: str, meaning: str) -> tuple[str, str] | None:
    """Value and official meaning of the one concept that is called so, or `None` where there is not one."""
    wanted = meaning.strip().casefold()
    found = {value: official for value, official in _known(scheme) if official.casefold() == wanted}
    return next(iter(found.items())) if len(found) == 1 else None


def check_codes(manifest: ModelManifest) -> tuple[PackageFinding, ...]:
    """What is wrong or not known with a package's codes.

    A wrong meaning is an error in DCM, whose meanings the standard fixes; elsewhere synonyms are allowed. A
    code that is in no context group of DICOM is a warning: it may still be a good one.
    """
    found = (_checked(code) for code in dict.fromkeys(codes_of(manifest)))
    return tuple(finding for finding in found if finding is not None)


def codes_of(manifest: ModelManifest) -> Iterator[Code]:
    """Every code of a package."""
    yield manifest.identity.family
    if manifest.region is not None:
        yield manifest.region
    for segment in manifest.segments:
        yield segment.category
        yield segment.type
        if segment.anatomic_region is not None:
            yield segment.anatomic_region
    for measured in (*manifest.measurements, *(m for s in manifest.segments for m in s.measurements)):
        yield measured.name
        yield measured.unit
    for one in manifest.classification.classes if manifest.classification else ():
        yield one.code
    for detection in manifest.detections:
        yield detection.code
        if detection.anatomic_region is not None:
            yield detection.anatomic_region
    for drawn in manifest.maps:
        yield drawn.quantity
        yield drawn.unit


def _known(scheme: str) -> Iterator[tuple[str, str]]:
    """Values and meanings of a scheme, as pydicom's context groups hold them."""
    table: Any = concepts.get(_SCHEMES.get(scheme, ""), {})
    for values in table.values():
        for value, (official, _) in values.items():
            yield str(value), str(official)


def _checked(code: Code) -> PackageFinding | None:
    shown = f"({code.value}, {code.scheme}, {code.meaning})"
    if code.scheme.startswith(PRIVATE):
        return PackageFinding("codes", f"{shown} is private: other systems cannot read it", error=False)
    if code.scheme not in _SCHEMES:
        return PackageFinding("codes", f"{shown}: the scheme {code.scheme} was not looked up", error=False)
    if code.scheme == "UCUM":
        # DICOM writes ml where others write mL; only the letters are compared.
        letters = {value.casefold() for value, _ in _known(code.scheme)} | {"ml", "[hnsf'u]", "kg", "g"}
        if code.value.casefold() in letters:
            return None
        return PackageFinding("codes", f"{shown} is no unit that DICOM uses", error=False)
    known = {official.casefold() for value, official in _known(code.scheme) if value == code.value}
    if not known:
        fixed = code.scheme == "DCM"
        return PackageFinding("codes", f"{shown} is in no context group of DICOM", error=fixed)
    if code.meaning.casefold() not in known:
        text = f"{shown}: DICOM calls {code.value} {' or '.join(sorted(known))}"
        return PackageFinding("codes", text, error=code.scheme == "DCM")
    return None
