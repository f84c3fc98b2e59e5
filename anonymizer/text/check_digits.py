"""Tells national identity numbers by their check digits.

References
----------
ISO 7064 (mod 11, mod 97); GS1 general specifications (EAN-13, of the Swiss AHV number).
"""

from __future__ import annotations

import re
from typing import Final

_SSN: Final = re.compile(r"(?!000|666|9)\d{3}([- ])(?!00)\d\d\1(?!0000)\d{4}")
_NHS: Final = re.compile(r"\d{3}([ -])\d{3}\1\d{4}")
_AHV: Final = re.compile(r"756[.]?\d{4}[.]?\d{4}[.]?\d{2}")
_NIR: Final = re.compile(r"[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?\d\d ?\d{3} ?\d{3} ?\d\d")
_DNI: Final = re.compile(r"\d{8}[ -]?[A-Z]")
_NIE: Final = re.compile(r"[XYZ] ?-?\d{7}[ -]?[A-Z]")
_BSN: Final = re.compile(r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}")
_KVNR: Final = re.compile(r"[A-Z]\d{9}")
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_identity_number(text: str) -> bool:
    """Whether a text is a national identity number: US, British, Swiss, French, Spanish, Dutch, German."""
    digits = [int(c) for c in text if c.isdigit()]
    return bool(
        _SSN.fullmatch(text)
        or (_NHS.fullmatch(text) and _nhs(digits))
        or (_AHV.fullmatch(text) and _ean(digits))
        or (_NIR.fullmatch(text) and _nir(digits))
        or (_DNI.fullmatch(text) and _dni(digits, text[-1]))
        or (_NIE.fullmatch(text) and _dni(["XYZ".index(text[0]), *digits], text[-1]))
        or (_BSN.fullmatch(text) and _bsn(digits))
        or (_KVNR.fullmatch(text) and _kvnr(text))
    )


def _number(digits: list[int]) -> int:
    return int("".join(map(str, digits)))


def _nhs(digits: list[int]) -> bool:
    check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return digits[9] == (0 if check == 11 else check)


def _ean(digits: list[int]) -> bool:
    return sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


def _nir(digits: list[int]) -> bool:
    return 97 - _number(digits[:13]) % 97 == _number(digits[13:])


def _dni(digits: list[int], letter: str) -> bool:
    return _DNI_LETTERS[_number(digits) % 23] == letter


def _bsn(digits: list[int]) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return any(digits) and sum(d * w for d, w in zip(digits, weights, strict=True)) % 11 == 0


def _kvnr(text: str) -> bool:
    digits = [int(c) for c in f"{ord(text[0]) - 64:02}{text[1:]}"]
    products = [d * (2 if i % 2 else 1) for i, d in enumerate(digits[:-1])]
    return sum(p // 10 + p % 10 for p in products) % 10 == digits[-1]
