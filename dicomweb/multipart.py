"""`multipart/related` bodies: a parser that is fed chunks, and a writer.

References
----------
RFC 2046 §5.1 (syntax), RFC 2387 (related), PS3.18 §8.6.1.2.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

from dicomweb.part_spool import PartWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

CRLF = b"\r\n"
LF = b"\n"
_MAX_PART_HEADERS = 16 * 1024
_MAX_PADDING = 256
_ONE_PIECE = 1024 * 1024
#: RFC 2046 allows 70 characters; Orthanc's DICOMweb plugin sends 73.
_MAX_BOUNDARY = 200


class MultipartError(ValueError):
    """The body is no readable multipart message."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message: its headers (names in lower case) and its content at position 0.

    Whoever takes the part closes `stream`.
    """

    headers: dict[str, str]
    stream: BinaryIO


class _State(Enum):
    PREAMBLE = auto()
    BOUNDARY = auto()
    HEADERS = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class MultipartParser:
    """Takes a body in chunks of any size and gives back parts as they end.

    Content goes to a writer as it arrives, so memory does not grow with the body. Where the first boundary
    line ends with a bare line feed, as some scripts write it, all lines of the message do.

    Parameters
    ----------
    boundary
        The `boundary` parameter, without quotes.
    open_part
        Makes what takes a part's content.

    Raises
    ------
    MultipartError
        If the boundary is empty, overlong or not ASCII.
    """

    def __init__(self, boundary: str, open_part: Callable[[], PartWriter] = PartWriter) -> None:
        if not 1 <= len(boundary) <= _MAX_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
            raise MultipartError(
                f"the boundary parameter must have 1 to {_MAX_BOUNDARY} printable ASCII characters"
            )
        self._boundary = b"--" + boundary.encode("ascii")
        self._line_end = b""
        self._open_part = open_part
        # The first boundary may stand at the very start: as if a line end came before it.
        self._buffer = bytearray(CRLF)
        self._state = _State.PREAMBLE
        self._headers: dict[str, str] = {}
        self._content: PartWriter | None = None
        self._skip_line_end = False

    def feed(self, data: bytes) -> Iterator[Part]:
        """Take a chunk and give the parts that it completes; read to the end before the next chunk.

        Raises
        ------
        MultipartError
            If a part's headers or the bytes after a boundary are malformed.
        """
        self._buffer += data
        progress: bool | Part = True
        while progress:
            progress = self._step()
            if isinstance(progress, Part):
                yield progress

    def finish(self) -> None:
        """Say that the body has ended.

        Raises
        ------
        MultipartError
            If the closing boundary did not come.
        """
        if self._state is not _State.EPILOGUE:
            self.close()
            raise MultipartError("the body ended before its closing boundary")

    def close(self) -> None:
        """Drop a part that is not complete."""
        if self._content is not None:
            self._content.close()
            self._content = None

    def _step(self) -> bool | Part:
        """Go one state further; `False` where more data is needed, a part where one is complete."""
        match self._state:
            case _State.PREAMBLE:
                return self._skip_preamble()
            case _State.BOUNDARY:
                return self._read_boundary_end()
            case _State.HEADERS:
                return self._read_headers()
            case _State.CONTENT:
                return self._read_content()
            case _State.EPILOGUE:
                self._buffer.clear()
                return False

    def _skip_preamble(self) -> bool:
        delimiter = LF + self._boundary
        at = self._buffer.find(delimiter)
        if at < 0:
            del self._buffer[: max(0, len(self._buffer) - len(delimiter) + 1)]
            return False
        del self._buffer[: at + len(delimiter)]
        self._state = _State.BOUNDARY
        return True

    def _read_boundary_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._state = _State.EPILOGUE
            return True
        end = self._buffer.find(self._line_end or LF, 0, _MAX_PADDING)
        if end < 0 and len(self._buffer) < _MAX_PADDING:
            return False
        if not self._line_end and end >= 0:
            self._line_end = CRLF if self._buffer[:end].endswith(b"\r") else LF
            end -= len(self._line_end) - 1
        if end < 0 or self._buffer[:end].strip(b" \t"):
            raise MultipartError("a boundary is followed by other characters than a line end")
        # The line end stays: headers may be empty, and then it begins the blank line's CRLF CRLF.
        del self._buffer[:end]
        self._state = _State.HEADERS
        return True

    def _read_headers(self) -> bool:
        end = self._buffer.find(self._line_end * 2)
        if (end if end >= 0 else len(self._buffer)) > _MAX_PART_HEADERS:
            raise MultipartError(f"the headers of a part are longer than {_MAX_PART_HEADERS} bytes")
        if end < 0:
            return False
        self._headers = _parse_headers(bytes(self._buffer[:end]), self._line_end)
        # One line end stays, so that an empty part's delimiter is found.
        del self._buffer[: end + len(self._line_end)]
        self._content = self._open_part()
        self._skip_line_end = True
        self._state = _State.CONTENT
        return True

    def _read_content(self) -> bool | Part:
        content = cast("PartWriter", self._content)
        delimiter = self._line_end + self._boundary
        at = self._buffer.find(delimiter)
        if at < 0:
            keep = len(delimiter) - 1
            self._write(content, len(self._buffer) - keep)
            return False
        self._write(content, at)
        del self._buffer[: len(delimiter)]
        self._content = None
        self._state = _State.BOUNDARY
        return Part(self._headers, content.finish())

    def _write(self, content: PartWriter, count: int) -> None:
        """Move `count` bytes to the content, without the line end that closed the headers."""
        if count <= 0:
            return
        skip = 0
        if self._skip_line_end:
            skip = len(self._line_end)
            if count < skip:
                return
            self._skip_line_end = False
        with memoryview(self._buffer) as view, view[skip:count] as piece:
            content.write(piece)
        del self._buffer[:count]


def _parse_headers(block: bytes, line_end: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    # A line that begins with white space continues the one before it (RFC 5322 §2.2.3).
    unfolded = re.sub(re.escape(line_end) + rb"[ \t]+", b" ", block)
    for line in unfolded.split(line_end):
        if not line.strip():
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name.strip():
            raise MultipartError("a part has a header line without a colon")
        headers.setdefault(name.strip().decode("latin-1").lower(), value.strip().decode("utf-8", "replace"))
    return headers


def new_boundary() -> str:
    """A boundary that occurs in no content."""
    return f"dicom-node-{secrets.token_hex(16)}"


@dataclass(frozen=True, slots=True)
class Payload:
    """Content of one part to be written, with its media type and URL."""

    content: bytes
    content_type: str
    location: str | None = None


def write_multipart(payloads: Iterable[Payload], boundary: str) -> Iterator[bytes]:
    """The body of a multipart response; small parts go in one piece, since each piece costs a packet."""
    for payload in payloads:
        headers = [f"--{boundary}", f"Content-Type: {payload.content_type}"]
        headers.append(f"Content-Length: {len(payload.content)}")
        if payload.location is not None:
            headers.append(f"Content-Location: {payload.location}")
        head = "\r\n".join([*headers, "", ""]).encode("ascii", "replace")
        if len(payload.content) <= _ONE_PIECE:
            yield b"".join((head, payload.content, CRLF))
        else:
            yield head
            yield payload.content
            yield CRLF
    yield f"--{boundary}--\r\n".encode("ascii")
