"""Finds what identifies people in text by its form alone: no list of known identifiers is needed."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class Finding(NamedTuple):
    """A stretch of text that identifies somebody: `[start, end)` in code points, and what it is."""

    start: int
    end: int
    kind: str


def find_patterns(text: str) -> list[Finding]:
    """Stretches of a text that identify by form, in order of their start."""
    return [Finding(match.start(), match.end(), "e-mail") for match in _EMAIL.finditer(text)]
