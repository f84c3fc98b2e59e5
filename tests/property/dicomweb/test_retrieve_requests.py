"""Whatever a client sends to WADO-RS, the answer is never a server error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomweb.errors import Problem
from dicomweb.wado.ranges import parse_range

R = "/dicom-web/studies/2.25.10/series/2.25.20"
INSTANCE = f"{R}/instances/2.25.20.1"
TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=30)
SYNTAXES = st.sampled_from(
    [
        *("*", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"),
        *('"1.2.840.10008.1.2.4.90"', "1.2.840.10008.1.2.4.50", "nonsense", '"*"', ""),
    ]
)
TYPES = st.sampled_from(
    [
        *("application/dicom", "application/octet-stream", "image/jls", "image/jp2", "image/*", "*/*"),
        *("image/dicom-rle", "application/dicom+json", "video/mp4", "text/html", "image/jphc", "x"),
    ]
)
ACCEPT = st.one_of(
    TEXT,
    st.lists(
        st.one_of(
            st.builds("{}; transfer-syntax={}".format, TYPES, SYNTAXES),
            st.builds(
                'multipart/related; type="{}"; transfer-syntax={};q=0.{}'.format,
                TYPES,
                SYNTAXES,
                st.integers(0, 9),
            ),
            st.builds("multipart/related; type={}".format, TYPES),
            TYPES,
        ),
        max_size=3,
    ).map(", ".join),
)
NUMBER = st.one_of(
    st.integers(-5, 12).map(str), st.sampled_from(["", "0", "9" * 12, "1e3", "٣", "1.5", " 1"])
)
FRAMES = st.one_of(st.lists(NUMBER, min_size=1, max_size=5).map(",".join), TEXT)
SPAN = st.builds("{}-{}".format, NUMBER, NUMBER)
RANGE = st.one_of(st.none(), TEXT, st.lists(SPAN, max_size=4).map(lambda spans: "bytes=" + ",".join(spans)))
PATHS = st.one_of(
    st.sampled_from(
        ["", "/metadata", "/bulkdata", "/pixeldata", "/bulkdata/7FE00010", "/bulkdata/00081140/0/7FE00010"]
    ),
    FRAMES.map(lambda frames: f"/frames/{frames}"),
    TEXT.map(lambda path: f"/bulkdata/{path}"),
)


@pytest.fixture(scope="module")
def published(support: Any) -> Any:
    node = support.Node()
    node.publish(support.slice_dataset(1, rows=40, columns=33, NumberOfFrames=3))
    return support.Client(node.app)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=PATHS, accept=ACCEPT, asked=RANGE, method=st.sampled_from(["GET", "HEAD"]), encoding=TEXT)
def test_no_request_is_a_server_error(
    published: Any, path: str, accept: str, asked: str | None, method: str, encoding: str
) -> None:
    headers = {"Accept": accept.encode("latin-1", "replace"), "Accept-Encoding": encoding.encode("latin-1")}
    if asked is not None:
        headers["Range"] = asked.encode("latin-1", "replace")
    response = published.request(method, INSTANCE + _quoted(path), headers=headers)
    assert response.status_code in {200, 206, 400, 404, 405, 406, 413, 416}, response.text
    if response.status_code >= 400 and method == "GET":
        assert response.headers["content-type"] == "application/problem+json"


def _quoted(path: str) -> str:
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "/-._,") else f"%{ord(c):02X}" for c in path if ord(c) < 256
    )


@given(RANGE, st.integers(0, 50))
def test_ranges_lie_within_and_never_overlap(asked: str | None, size: int) -> None:
    try:
        spans = parse_range(asked, size)
    except Problem as problem:
        assert problem.status == 416  # noqa: PT017
        return
    covered = [n for start, stop in spans or () for n in range(start, stop)]
    assert len(covered) == len(set(covered))
    assert all(0 <= n < size for n in covered)
    assert all(start < stop for start, stop in spans or ())
