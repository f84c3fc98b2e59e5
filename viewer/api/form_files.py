"""Reads the files of a `multipart/form-data` body one after the other, in memory only.

The framework's own form parser rolls large parts over to unencrypted temporary files; what a browser
uploads may be identifiable, so it must reach the disk in the encrypted spool only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class MalformedForm(ValueError):
    """The body is no readable multipart form."""


@dataclass(frozen=True, slots=True)
class FormFile:
    """One file of a form.

    Attributes
    ----------
    stream
        Its bytes, at position 0; `None` where it is larger than allowed.
    """

    stream: BytesIO | None


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/form-data Content-Type.

    Raises
    ------
    MalformedForm
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise MalformedForm("send the files as multipart/form-data with a boundary")
    return boundary


async def form_files(
    body: AsyncIterator[bytes], boundary: bytes, *, max_file: int
) -> AsyncIterator[FormFile]:
    """Yield each file as soon as it is complete; form fields without a file name are passed over.

    Parameters
    ----------
    max_file
        Bytes that a file may have; of a larger one the rest is dropped.

    Raises
    ------
    MalformedForm
        If the body does not follow RFC 7578, or ends early.
    """
    reader = _Reader(max_file)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": reader.begin,
            "on_header_field": reader.header_field,
            "on_header_value": reader.header_value,
            "on_header_end": reader.header_end,
            "on_headers_finished": reader.headers_finished,
            "on_part_data": reader.data,
            "on_part_end": reader.part_end,
            "on_end": reader.end,
        },
    )
    try:
        async for chunk in body:
            parser.write(chunk)
            while reader.done:
                yield reader.done.popleft()
        parser.finalize()
    except FormParserError as exc:
        raise MalformedForm("the multipart body cannot be read") from exc
    if not reader.ended:
        raise MalformedForm("the multipart body ends before its last boundary")


class _Reader:
    """Collects what the parser calls back."""

    def __init__(self, max_file: int) -> None:
        self.done: deque[FormFile] = deque()
        self.ended = False
        self._max_file = max_file
        self._begin()

    def _begin(self) -> None:
        self._name = b""
        self._value = b""
        self._is_file = False
        self._too_large = False
        self._buffer = BytesIO()

    def begin(self) -> None:
        self._begin()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            # A file input without a choice sends an empty name.
            self._is_file = bool(options.get(b"filename"))
        self._name = self._value = b""

    def headers_finished(self) -> None:
        """Nothing to do: the part's kind is known by then."""

    def data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file or self._too_large:
            return
        if self._buffer.tell() + end - start > self._max_file:
            self._too_large = True
            self._buffer = BytesIO()
        else:
            self._buffer.write(data[start:end])

    def part_end(self) -> None:
        if self._is_file:
            self._buffer.seek(0)
            self.done.append(FormFile(None if self._too_large else self._buffer))

    def end(self) -> None:
        self.ended = True
