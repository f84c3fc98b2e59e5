"""Words and numbers that scanners write and that say nothing about a person.

References
----------
PS3.3 §C.7.6.1.1.1 (Patient Orientation); IEC 60417 and common radiographic markers.
"""

from __future__ import annotations

import re
from typing import Final

#: Upper case. Sides, projections, positions, settings of scanners, units, and labels of scales.
_WORDS: Final = """
L R A P H F S I LT RT LEFT RIGHT AP PA LAT LATERAL OBL DECUB AX AXIAL COR CORONAL SAG SAGITTAL
LL RL LPO RPO LAO RAO CC ML MLO LCC RCC LMLO RMLO RML LML HF FH HFS FFS HFP FFP IM
PORTABLE MOBILE SUPINE SUPINA PRONE ERECT SEMI-ERECT UPRIGHT SEMI-UPRIGHT SITTING STANDING STAT INSP EXP
INSPIRATION EXPIRATION
LONG TRANS TRV SUP INF ANT POST MED MID PROX DIST
KV KVP MA MAS MS SEC MM CM M HZ KHZ MHZ DB HU MGY MSV UGY CM/S M/S MMHG BPM FPS DEG X MIN HR
MI TI TIS TIB TIC FR GAIN DEPTH FREQ ZOOM DYN RNG RANGE MAP PRF WF FILTER PWR POWER AO PERSIST THI
CHI SRI XRES GN GEN RES PEN HI LO COL 2D 3D 4D CFM CPA PW CW PWD CWD SV ANGLE AC SCALE
WL WW WC W C W/L SE IMG SL SP TR TE FA FOV NEX NSA ETL THK SLICE IMAGE SERIES
LOC TILT RPM PITCH CONTRAST DELAY SCOUT MIP MPR FRAME CINE DFOV SFOV PHASE VEL
MAX MEAN AVG AREA CIRC VOL LENGTH WIDTH HEIGHT
"""
WORDS: Final = frozenset(_WORDS.split())
_NUMBER: Final = re.compile(
    r"[<>~±+\-=]?\d{1,3}(?:[.,]\d{1,2})?"
    r"(?:%|°|X|CM/S|M/S|CM|MM|KVP|KV|MAS|MA|MHZ|KHZ|HZ|DB|MS|S|FPS|BPM|HU|ML|MGY|M|[XDP])?",
)
_DIVIDERS: Final = re.compile(r"[\s\[\](){}|·•*]+")
#: A line with more bare numbers and digits than these may be a date or a number written apart.
_BARE_NUMBERS, _BARE_DIGITS = 2, 5


def is_harmless(text: str) -> bool:
    """Whether a line of text consists of allow-listed words and short numbers only."""
    tokens = [token for token in _DIVIDERS.split(text.upper()) if any(map(str.isalnum, token))]
    bare = digits = 0
    for token in tokens:
        word = token.strip(".,:;'\"-=/")
        if word in WORDS or token in WORDS:
            continue
        if word.isdecimal() and word.isascii():
            bare += 1
            digits += len(word)
        label, _, value = word.partition("=") if "=" in word else word.partition(":")
        if not (_NUMBER.fullmatch(word) or (label in WORDS and (not value or _NUMBER.fullmatch(value)))):
            return False
    return not (bare > _BARE_NUMBERS and digits > _BARE_DIGITS)
