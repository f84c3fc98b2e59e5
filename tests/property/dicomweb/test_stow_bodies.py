"""Whatever a client sends, an answer of the standard comes back and nothing unexpected happens inside."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import cv2
import dicomweb_node
import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames
from video_files import mp4_boxes, mpeg2_stream

from dicom_node.domain.errors import NodeError
from dicomweb.media_types import MediaType
from dicomweb.stow.assembly import assemble
from dicomweb.stow.pixel_data import BulkPart

URL = "/dicom-web/studies"
UIDS = {
    "00080016": "1.2.840.10008.5.1.4.1.1.7",
    "00080018": "2.25.3",
    "0020000D": "2.25.1",
    "0020000E": "2.25.2",
}
NUMBERS = ("00280002", "00280008", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103")
ANY_VALUE = st.one_of(
    st.none(),
    st.integers(-2, 70000),
    st.text(max_size=5),
    st.floats(),
    st.just([]),
    st.just({"Alphabetic": "x"}),
)
ATTRIBUTE = st.one_of(
    st.builds(lambda value: {"vr": "US", "Value": [value]}, ANY_VALUE),
    st.builds(
        lambda values: {"vr": "CS", "Value": values}, st.one_of(st.none(), st.lists(ANY_VALUE, max_size=3))
    ),
    st.just({"vr": "OB", "BulkDataURI": "x"}),
    st.just({"vr": "OB", "BulkDataURI": 5}),
    ANY_VALUE,
)
MODEL = st.dictionaries(
    st.sampled_from([*UIDS, *NUMBERS, "00280004", "7FE00010", "00420011", "00420012", "00282110"]),
    ATTRIBUTE,
    max_size=6,
).map(lambda extra: {tag: {"vr": "UI", "Value": [uid]} for tag, uid in UIDS.items()} | extra)


@cache
def client() -> dicomweb_node.Client:
    return dicomweb_node.Client(dicomweb_node.Node().app)


@cache
def pictures() -> dict[str, bytes]:
    grey = np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)

    def encoded(suffix: str, *options: int) -> bytes:
        return bytes(cv2.imencode(suffix, grey, options)[1])

    jls = pydicom.dcmread(io.BytesIO(dicomweb_node.sample_bytes("MR_small_jpeg_ls_lossless.dcm")))
    return {
        "image/png": encoded(".png"),
        "image/jpeg": encoded(".jpg"),
        "image/jpg": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "image/jp2": encoded(".jp2"),
        "image/jls": next(generate_frames(jls.PixelData, number_of_frames=1)),
        "image/dicom-rle": bytes(64),
        "application/octet-stream": bytes(64),
        "video/mpeg2": mpeg2_stream(352, 240),
        "video/mp4": mp4_boxes(),
    }


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    kind = draw(st.sampled_from(sorted(pictures())))
    data = bytearray(pictures()[kind])
    for at, value in draw(
        st.lists(st.tuples(st.integers(0, min(len(data), 700) - 1), st.integers(0, 255)), max_size=4)
    ):
        data[at] = value
    return kind, bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


@given(MODEL, damaged())
@settings(max_examples=200, deadline=None)
def test_damaged_pictures_and_metadata_raise_errors_of_the_node_only(
    model: dict[str, Any], picture: tuple[str, bytes]
) -> None:
    kind, data = picture
    part = BulkPart(MediaType(kind), io.BytesIO(data))
    model.setdefault("7FE00010", {"vr": "OW", "BulkDataURI": "x"})
    out = io.BytesIO()
    try:
        assemble(dict(model), lambda _uri: [part], out)
    except NodeError:
        return
    ds = pydicom.dcmread(io.BytesIO(out.getvalue()))
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID


@given(
    st.sampled_from(
        ["application/dicom", "application/dicom+json", "application/dicom+xml", "text/html", ""]
    ),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["application/dicom", "application/dicom+json", "application/dicom+xml", "image/png", "/"]
            ),
            st.one_of(
                st.binary(max_size=60),
                st.lists(MODEL, max_size=2).map(lambda models: json.dumps(models).encode()),
                st.sampled_from([b"<NativeDicomModel/>", b"<!DOCTYPE x>", b"[", b"[[]]"]),
            ),
            st.sampled_from([None, "x", "", "cid:x"]),
        ),
        max_size=3,
    ),
    st.sampled_from([b"--b--", b"", b"--b", b"\r\n\r\n"]),
)
@settings(max_examples=100, deadline=None)
def test_any_body_is_answered_without_an_unexpected_error(
    kind: str, parts: list[tuple[str, bytes, str | None]], end: bytes
) -> None:
    body = b"".join(
        f"--b\r\nContent-Type: {of}\r\n".encode()
        + (f"Content-Location: {location}\r\n".encode() if location is not None else b"")
        + b"\r\n"
        + content
        + b"\r\n"
        for of, content, location in parts
    )
    content_type = (
        f'multipart/related; type="{kind}"; boundary=b' if kind else "multipart/related; boundary=b"
    )
    response = client().post(URL, content=body + end, headers={"Content-Type": content_type})
    assert response.status_code in {200, 202, 400, 409, 415}
    if response.headers["content-type"] == "application/dicom+json":
        failed = response.json().get("00081198", {}).get("Value", [])
        assert all(item["00081197"]["Value"] != [0x0110] for item in failed)
