"""Takes stretches out of a text and tidies the separators that they leave behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anonymizer.text.findings import Finding

_BEFORE: Final = re.compile(r"[ \t,;:^_/|=*#&+.\u2013-]*$")
_AFTER: Final = re.compile(r"[ \t,;:^_/|=*#&+.\u2013-]*")
_OPEN: Final = {"(": ")", "[": "]", "{": "}", '"': '"', "<": ">"}
_ENDS_SENTENCE: Final = re.compile(r"[.;]")
_LINE_BREAKS: Final = "\r\n\f\\"


def without(text: str, found: Sequence[Finding]) -> str:
    """The text without the findings (in order, not overlapping); empty where only separators are left."""
    left = ""
    position = 0
    for finding in found:
        if finding.start < position:
            continue
        left = _joined(left, text[position : finding.start]) if position else text[: finding.start]
        position = finding.end
    result = _joined(left, text[position:])
    return result if any(map(str.isalnum, result)) else ""


def _joined(left: str, right: str) -> str:
    """Two pieces between which something stood."""
    before, after = _separators(left, right)
    left, right = left[: len(left) - len(before)], right[len(after) :]
    while left and right and _OPEN.get(left[-1]) == right[0]:
        left, right = left[:-1], right[1:]
        more_before, more_after = _separators(left, right)
        left, right = left[: len(left) - len(more_before)], right[len(more_after) :]
        before, after = more_before, more_after
    if not left or left[-1] in _LINE_BREAKS:
        return left + right
    if not right or right[0] in _LINE_BREAKS:
        end = before.strip(" \t")
        return left + ("." if end.startswith(".") or after.strip().startswith(".") else "") + right
    return left + _between(before, after, left, right) + right


def _separators(left: str, right: str) -> tuple[str, str]:
    before, after = _BEFORE.search(left), _AFTER.match(right)
    found_before, found_after = before.group() if before else "", after.group() if after else ""
    if found_after and found_after[-1] in "+-." and right[len(found_after) : len(found_after) + 1].isdigit():
        found_after = found_after[:-1]  # the sign of a number
    return found_before, found_after


def _between(before: str, after: str, left: str, right: str) -> str:
    """What separates the pieces now: the end of a sentence before anything else, a blank at least."""
    if left[-1] in _OPEN and left[-1] != '"':
        return ""
    if right[0] in _OPEN.values() and right[0] != '"':
        return ""
    for mark in (after, before):
        if _ENDS_SENTENCE.match(mark.strip()):
            return mark.strip()[0] + " "
    for mark in (before, after):
        if mark.strip():
            return mark if len(mark.strip()) == 1 else mark.strip()[0] + (" " if " " in mark else "")
    return " "
