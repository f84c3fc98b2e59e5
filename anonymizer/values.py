"""Whether a value is what its VR says: text can hide where a number or a code string belongs.

References
----------
PS3.5 Table 6.2-1.
"""

from __future__ import annotations

import re
from typing import Final

#: VRs that hold numbers only, as strings or binary: no text fits in once the value has their form.
NUMBER_VRS: Final = frozenset({"AT", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
#: VRs whose values are text that somebody may have typed.
TEXT_VRS: Final = frozenset({"CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
DATE_VRS: Final = frozenset({"DA", "DT", "TM"})

_DS: Final = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_IS: Final = re.compile(rb"[-+]?\d{1,12}")
_NUMBER_BYTES: Final = b"0123456789+-.eE \\\0"
_WIDTH: Final = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
_SPECIAL: Final = frozenset({b"nan", b"inf", b"-inf", b"+inf", b"infinity", b"-infinity"})


def is_number(value: bytes, vr: str) -> bool:
    """Whether every value of a DS or IS element is a number or empty; of binary VRs, whether lengths fit.

    Parameters
    ----------
    vr
        One of `NUMBER_VRS`.
    """
    width = _WIDTH.get(vr)
    if width is not None:
        return len(value) % width == 0
    if value.translate(None, _NUMBER_BYTES) and not _only_special(value):
        return False
    form = _DS if vr == "DS" else _IS
    for part in value.split(b"\\"):
        stripped = part.strip(b" \0")
        if stripped and form.fullmatch(stripped) is None and stripped.lower() not in _SPECIAL:
            # Integers with a point or an exponent are wrong, yet nothing but numbers.
            if vr == "IS" and _DS.fullmatch(stripped):
                continue
            return False
    return True


def _only_special(value: bytes) -> bool:
    """Whether words in a decimal string are those that machines write for no number."""
    return all(
        not part.strip(b" \0").isalpha() or part.strip(b" \0").lower() in _SPECIAL
        for part in value.split(b"\\")
    )
