from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from dicomweb.multipart import MultipartError, MultipartParser, Payload, write_multipart

BOUNDARY = "edge"
#: Content that likes to look like the structure around it.
TRICKY = st.lists(
    st.one_of(
        st.binary(max_size=40), st.sampled_from([b"\r\n", b"--edge", b"\r\n--edg", b"--", b"\r", b"\r\n\r\n"])
    )
).map(b"".join)
CONTENTS = st.lists(TRICKY.filter(lambda c: b"\r\n--edge" not in b"\r\n" + c), min_size=1, max_size=5)


def read(body: bytes, cuts: list[int]) -> list[tuple[dict[str, str], bytes]]:
    """Parts of a body that arrives in pieces, and `MultipartError` as a last part."""
    parser = MultipartParser(BOUNDARY)
    parts: list[tuple[dict[str, str], bytes]] = []
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    try:
        for start, end in itertools.pairwise(edges):
            for part in parser.feed(body[start:end]):
                with part.stream as stream:
                    parts.append((part.headers, stream.read()))
        parser.finish()
    except MultipartError as exc:
        parts.append(({"error": re.sub(r"\d+", "n", str(exc))}, b""))
    finally:
        parser.close()
    return parts


@given(CONTENTS, st.lists(st.integers(0, 2000), max_size=30))
def test_any_split_of_a_written_body_gives_the_parts_back(contents: list[bytes], cuts: list[int]) -> None:
    body = b"".join(write_multipart([Payload(c, "application/dicom") for c in contents], BOUNDARY))
    parts = read(body, cuts)
    assert [content for _, content in parts] == contents
    assert all(headers["content-type"] == "application/dicom" for headers, _ in parts)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([b"\r\n--edge", b"--edge--", b"\r\n", b"A: b", b"\r\n\r\n"]),
        ),
        max_size=20,
    ).map(b"".join),
    st.lists(st.integers(0, 300), max_size=10),
)
def test_any_bytes_are_read_the_same_however_they_are_split(body: bytes, cuts: list[int]) -> None:
    assert read(body, cuts) == read(body, []) == read(body, list(range(len(body))))
