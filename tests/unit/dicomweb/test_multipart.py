from __future__ import annotations

import pytest

from dicomweb.multipart import MultipartError, MultipartParser, Payload, write_multipart


def parse(body: bytes, boundary: str = "b") -> list[tuple[dict[str, str], bytes]]:
    parser = MultipartParser(boundary)
    parts = []
    try:
        for part in parser.feed(body):
            with part.stream as stream:
                parts.append((part.headers, stream.read()))
        parser.finish()
    finally:
        parser.close()
    return parts


def test_what_is_written_is_read_again() -> None:
    payloads = [Payload(b"\r\n--not", "application/dicom", "http://x/1"), Payload(b"", "text/plain")]
    parts = parse(b"".join(write_multipart(payloads, "b")))
    assert [content for _, content in parts] == [b"\r\n--not", b""]
    assert parts[0][0]["content-location"] == "http://x/1"


def test_preamble_epilogue_padding_and_missing_headers_are_tolerated() -> None:
    body = b"preamble\r\n--b \t\r\n\r\none\r\n--b\r\nX: y\r\n\r\ntwo\r\n--b--\r\nepilogue"
    assert parse(body) == [({}, b"one"), ({"x": "y"}, b"two")]


def test_boundary_inside_content_without_a_line_end_before_it_is_content() -> None:
    assert parse(b"--b\r\n\r\nx--b y\r\n--b--")[0][1] == b"x--b y"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--b\r\n\r\nends early",
        b"--b\r\nno colon\r\n\r\nx\r\n--b--",
        b"--bx\r\n\r\nx\r\n--b--",
        b"--b\r\nX: " + b"y" * 20000 + b"\r\n\r\n\r\n--b--",
    ],
)
def test_broken_body_is_refused(body: bytes) -> None:
    with pytest.raises(MultipartError):
        parse(body)


@pytest.mark.parametrize("boundary", ["", "x" * 201, "ümlaut", "a\nb"])
def test_malformed_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(MultipartError):
        MultipartParser(boundary)
