"""Values in one unit of UCUM told in another, where that is exact."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.finding import Code

#: How many of the first unit of its row each unit is.
_ROWS: tuple[dict[str, float], ...] = (
    {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "dm": 100.0},
    {"mm2": 1.0, "cm2": 100.0, "m2": 1e6},
    {
        "mL": 1.0, "ml": 1.0, "cm3": 1.0, "mm3": 0.001, "uL": 0.001, "ul": 0.001, "dm3": 1000.0, "L": 1000.0,
        "l": 1000.0, "dL": 100.0, "dl": 100.0, "cL": 10.0, "cl": 10.0,
    },
    {"1": 1.0, "": 1.0, "%": 0.01, "[ppth]": 0.001, "[ppm]": 1e-6},
    {"s": 1.0, "ms": 0.001, "min": 60.0},
    {"g": 1.0, "mg": 0.001, "kg": 1000.0},
    {"g/mL": 1.0, "g/ml": 1.0, "g/cm3": 1.0, "mg/mL": 0.001, "mg/ml": 0.001, "mg/cm3": 0.001, "kg/m3": 0.001},
    {"mm2/s": 1.0, "um2/s": 1e-6, "10-6.mm2/s": 1e-6, "cm2/s": 100.0},
    {"deg": 1.0},
    {"[hnsf'U]": 1.0},
)  # fmt: skip
#: Says what is counted and changes no value (UCUM §12).
_ANNOTATION = re.compile(r"\{[^{}]*\}")


def converted(value: float, unit: Code, wanted: Code) -> float | None:
    """A value in the wanted unit, or `None` where the two measure different things or one is not known."""
    one, other = _bare(unit), _bare(wanted)
    if one == other:
        return value
    for row in _ROWS:
        if one in row and other in row:
            return value * row[one] / row[other]
    return None


def _bare(unit: Code) -> str:
    if unit.scheme != "UCUM":
        return f"{unit.scheme} {unit.value}"
    return _ANNOTATION.sub("", unit.value)
