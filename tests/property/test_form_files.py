"""The form reader gives back the bytes that were sent, however they arrive, and never fails otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.api.form_files import FormFile, MalformedForm, boundary_of, form_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BOUNDARY = b"----x7MA4YWxk"


def _read(body: bytes, cuts: list[int], max_file: int = 10_000) -> list[FormFile]:
    async def chunks() -> AsyncIterator[bytes]:
        edges = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
        for start, end in pairwise(edges):
            yield body[start:end]

    async def all_files() -> list[FormFile]:
        return [file async for file in form_files(chunks(), BOUNDARY, max_file=max_file)]

    return asyncio.run(all_files())


def _form(contents: list[bytes]) -> bytes:
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="files"; filename="%d.dcm"\r\n'
        b"Content-Type: application/dicom\r\n\r\n%b\r\n" % (BOUNDARY, number, content)
        for number, content in enumerate(contents)
    ]
    return b"".join(parts) + b"--%b--\r\n" % BOUNDARY


_FILES = st.lists(st.binary(max_size=500) | st.just(b"\r\n--" + BOUNDARY[:-1]), max_size=4)
_CUTS = st.lists(st.integers(0, 3000), max_size=12)


@given(_FILES, _CUTS)
def test_files_come_back_whole_however_the_body_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    found = _read(_form(contents), cuts)

    assert [file.stream.read() for file in found if file.stream] == contents


@given(_FILES, st.integers(0, 300))
def test_file_over_the_limit_is_marked_and_the_others_are_whole(contents: list[bytes], limit: int) -> None:
    found = _read(_form(contents), [], limit)

    assert [f.stream.read() if f.stream else None for f in found] == [
        content if len(content) <= limit else None for content in contents
    ]


@given(_FILES, st.data())
def test_body_that_is_cut_off_is_malformed(contents: list[bytes], data: st.DataObject) -> None:
    whole = _form([*contents, b"last"])
    short = whole[: data.draw(st.integers(0, len(whole) - len(BOUNDARY) - 7))]

    with pytest.raises(MalformedForm):
        _read(short, [])


@given(st.binary(max_size=400), _CUTS)
def test_any_bytes_are_read_or_malformed(body: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(MalformedForm):
        _read(body, cuts)


# HTTP headers reach the application as Latin-1.
@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_content_type_has_a_boundary_or_is_malformed(content_type: str) -> None:
    with contextlib.suppress(MalformedForm):
        assert boundary_of(content_type)
