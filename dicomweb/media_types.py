"""Media types: parsing of `Accept` and `Content-Type`, and the choice among what can be offered.

References
----------
PS3.18 §8.7 (media types), RFC 9110 §12.5.1 (Accept), RFC 2387 (multipart/related).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from dicomweb.errors import Problem, not_acceptable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
MULTIPART_RELATED = "multipart/related"

EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z/]+")
#: Bounds on what a client may send; beyond them the header is refused.
_MAX_HEADER = 8192


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range with its parameters, names in lower case.

    `params["q"]` is kept apart in `quality`, 0 to 1.
    """

    name: str
    params: dict[str, str] = field(default_factory=dict)
    quality: float = 1.0

    @property
    def multipart(self) -> bool:
        """Whether it is `multipart/related`."""
        return self.name == MULTIPART_RELATED

    @property
    def content(self) -> str:
        """The type of the content: of the parts, where it is multipart."""
        return self.params.get("type", "*/*").lower() if self.multipart else self.name

    @property
    def transfer_syntax(self) -> str | None:
        """The `transfer-syntax` parameter."""
        return self.params.get("transfer-syntax")


def split_quoted(text: str, separator: str) -> Iterator[str]:
    """The pieces of `text` between separators that stand outside quoted strings."""
    start, quoted, escaped = 0, False, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def parse_media_type(text: str) -> MediaType | None:
    """Read one media type or range with parameters; `None` where it is malformed."""
    first, *rest = split_quoted(text, ";")
    name = first.strip().lower()
    if not _TOKEN.fullmatch(name) or name.count("/") != 1 or name.startswith("/") or name.endswith("/"):
        return None
    params: dict[str, str] = {}
    for piece in rest:
        key, equals, value = piece.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not equals or not key:
            continue
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        params.setdefault(key, value)
    quality = 1.0
    if "q" in params:
        try:
            quality = min(1.0, max(0.0, float(params.pop("q"))))
        except ValueError:
            quality = 1.0
        if quality != quality:  # NaN
            quality = 1.0
    return MediaType(name, params, quality)


def parse_accept(header: str | None) -> tuple[MediaType, ...]:
    """The ranges of an `Accept` header; everything where it is absent or empty.

    Raises
    ------
    Problem
        400 if it is overlong or holds no readable range.
    """
    if header is None or not header.strip():
        return (MediaType("*/*"),)
    if len(header) > _MAX_HEADER:
        raise Problem(HTTPStatus.BAD_REQUEST, f"Accept is longer than {_MAX_HEADER} characters; shorten it")
    ranges = tuple(
        media
        for piece in split_quoted(header, ",")
        if piece.strip() and (media := parse_media_type(piece)) is not None
    )
    if not ranges:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            'Accept names no media type; write, say, multipart/related; type="application/dicom"',
        )
    return ranges


@dataclass(frozen=True, slots=True)
class Offer:
    """A representation that can be given.

    Attributes
    ----------
    transfer_syntax
        UID of the content, or `None` where there is no such thing (JSON, rendered images).
    default
        Whether it is given to a client that names no transfer syntax.
    """

    media_type: str
    multipart: bool = False
    transfer_syntax: str | None = None
    default: bool = True

    def matches(self, wanted: MediaType) -> int | None:
        """How specifically a range names this offer (higher is more), or `None` where it does not."""
        if wanted.name == "*/*":
            specificity = 0
        elif wanted.multipart != self.multipart:
            return None
        else:
            specificity = 1
        content = wanted.content
        if content != "*/*":
            if content.endswith("/*"):
                if not self.media_type.startswith(content[:-1]):
                    return None
                specificity += 1
            elif content != self.media_type:
                return None
            else:
                specificity += 2
        syntax = wanted.transfer_syntax
        if self.transfer_syntax is not None:
            if syntax is None:
                return specificity if self.default else None
            if syntax == "*":
                return specificity
            return specificity + 1 if syntax == self.transfer_syntax else None
        return specificity


def negotiate(accept: str | None, offers: Sequence[Offer]) -> Offer:
    """The offer that the client likes best; among equals the one that stands first.

    For each offer the most specific matching range decides its quality; 0 excludes it.

    Raises
    ------
    Problem
        406 where nothing fits, 400 where the header cannot be read.
    """
    ranges = parse_accept(accept)
    best: tuple[float, Offer] | None = None
    for offer in offers:
        matches = [
            (specificity, wanted.quality)
            for wanted in ranges
            if (specificity := offer.matches(wanted)) is not None
        ]
        if not matches:
            continue
        quality = max(matches)[1]
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, offer)
    if best is None:
        raise not_acceptable("none of the accepted media types can be given; available: " + describe(offers))
    return best[1]


def describe(offers: Sequence[Offer]) -> str:
    """The offers as a client would write them in `Accept`."""
    texts = []
    for offer in offers:
        text = f'{MULTIPART_RELATED}; type="{offer.media_type}"' if offer.multipart else offer.media_type
        if offer.transfer_syntax is not None:
            text += f"; transfer-syntax={offer.transfer_syntax}"
        texts.append(text)
    return ", ".join(dict.fromkeys(texts))
