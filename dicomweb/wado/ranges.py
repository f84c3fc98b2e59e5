"""Range requests.

References
----------
RFC 9110 §14 (range requests), §13.1.5 (If-Range), §14.6 (multipart/byteranges); PS3.18 §8.4.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from itertools import pairwise
from typing import Final

from dicomweb.errors import Problem

_UNIT: Final = re.compile(r"\s*bytes\s*=(.*)", re.ASCII | re.IGNORECASE)
_SPEC: Final = re.compile(r"([0-9]*)-([0-9]*)")
#: More spans in one request are ignored: the whole content is sent (RFC 9110 §14.2 lets a server do so).
MAX_SPANS: Final = 16
_MAX_HEADER: Final = 1024
_MAX_DIGITS: Final = 19

#: First byte and the byte behind the last.
SpanOf = tuple[int, int]


def parse_range(header: str | None, size: int) -> tuple[SpanOf, ...] | None:
    """The spans that a Range header asks for; `None` where the whole content is to be sent.

    A header that breaks the syntax, names another unit, or asks for too many spans or for spans that
    overlap is ignored, as the RFC lets a server do.

    Raises
    ------
    Problem
        416 if no span lies within the content.
    """
    match = _UNIT.fullmatch(header) if header is not None and len(header) <= _MAX_HEADER else None
    if match is None:
        return None
    pieces = [piece.strip() for piece in match[1].split(",") if piece.strip()]
    if not 1 <= len(pieces) <= MAX_SPANS:
        return None
    spans: list[SpanOf] = []
    for piece in pieces:
        spec = _SPEC.fullmatch(piece)
        if spec is None or max(len(spec[1]), len(spec[2])) > _MAX_DIGITS or not (spec[1] or spec[2]):
            return None
        first = int(spec[1]) if spec[1] else max(0, size - int(spec[2]))
        last = int(spec[2]) if spec[1] and spec[2] else size - 1
        if first < size and first <= last and (spec[1] or int(spec[2])):
            spans.append((first, min(last, size - 1) + 1))
    if not spans:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the content has {size} bytes; ask for a range within",
            code="range",
            headers={"Content-Range": f"bytes */{size}"},
        )
    ordered = sorted(spans)
    if any(start < end for (_, end), (start, _) in pairwise(ordered)):
        return None
    return tuple(spans)


def range_holds(if_range: str | None, etag: str) -> bool:
    """Whether a Range header counts: If-Range is absent or names this very representation.

    A date never does, since nothing here has a Last-Modified date.
    """
    return if_range is None or if_range.strip() == etag
