"""HTTP of WADO-RS: validators, HEAD, ranges, compression (PS3.18 §8.4, §10.4; RFC 9110)."""

from __future__ import annotations

import gzip
import io
import re
from typing import Any

import pydicom
import pytest
from pydicom.encaps import encapsulate

from dicom_node.domain.catalog import CatalogKind

S, R = "/dicom-web/studies/2.25.10", "/dicom-web/studies/2.25.10/series/2.25.20"
I1 = f"{R}/instances/2.25.20.1"
PIXELS = f"{I1}/bulkdata/7FE00010"
RESOURCES = [
    (S, None),
    (R, None),
    (I1, None),
    (I1, "application/dicom"),
    (f"{S}/metadata", None),
    (f"{I1}/metadata", 'multipart/related; type="application/dicom+xml"'),
    (f"{I1}/frames/1", None),
    (f"{I1}/frames/1", "application/octet-stream"),
    (PIXELS, "application/octet-stream"),
    (PIXELS, None),
    (f"{I1}/bulkdata/00420011", "*/*"),
    (f"{S}/bulkdata", None),
    (f"{R}/bulkdata", None),
    (f"{I1}/bulkdata", None),
    (f"{S}/pixeldata", None),
    (f"{R}/pixeldata", None),
    (f"{I1}/pixeldata", None),
]


@pytest.fixture(scope="module")
def kept(support: Any) -> Any:
    """A client of a service with two slices, for tests that change nothing."""
    node = support.Node()
    datasets = [support.slice_dataset(1), support.slice_dataset(2)]
    datasets[0].EncapsulatedDocument = bytes(2000)
    for ds in datasets:
        node.publish(ds)
    return support.Client(node.app)


@pytest.mark.clause("8.4")
@pytest.mark.parametrize(("url", "accept"), RESOURCES)
def test_every_representation_has_a_tag_that_saves_it_the_next_time(
    kept: Any, url: str, accept: str | None
) -> None:
    """RFC 9110 §8.8.3, §13.1.2."""
    first = kept.get(url, accept)
    assert first.status_code == 200, first.text
    tag = first.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    assert "Accept" in first.headers["vary"]
    again = kept.get(url, accept, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert kept.get(url, accept, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.clause("8.4")
@pytest.mark.parametrize(("url", "accept"), RESOURCES)
def test_head_answers_like_get_without_the_body(kept: Any, url: str, accept: str | None) -> None:
    """RFC 9110 §9.3.2."""
    got = kept.get(url, accept)
    head = kept.request("HEAD", url, headers={"Accept": accept} if accept else {})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]
    assert (
        head.headers["content-type"].partition("boundary")[0]
        == got.headers["content-type"].partition("boundary")[0]
    )
    if "content-length" in got.headers:
        assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.clause("10.4.3")
def test_what_was_purged_is_gone_at_once_whatever_was_served_before(
    client: Any, node: Any, support: Any
) -> None:
    """Table 10.4.3-1: 410; caches of the node and a tag that matches change nothing."""
    ds = support.slice_dataset(1)
    ds.EncapsulatedDocument = bytes(2000)
    node.publish(ds, CatalogKind.SOURCE)
    tags = {url: client.get(url).headers["etag"] for url, _ in RESOURCES}
    node.catalog.withdraw_sources("id-1")
    for url, tag in tags.items():
        assert client.get(url).status_code == 410
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 410
        assert client.request("HEAD", url).status_code == 410


@pytest.mark.clause("8.4")
@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-0", 206, [(0, 1)]),
        ("bytes=10-19", 206, [(10, 20)]),
        ("bytes=60-", 206, [(60, 70)]),
        ("bytes=60-1000", 206, [(60, 70)]),
        ("bytes=-10", 206, [(60, 70)]),
        ("bytes=-1000", 206, [(0, 70)]),
        ("BYTES = 0-9", 206, [(0, 10)]),
        ("bytes=0-9,20-29", 206, [(0, 10), (20, 30)]),
        ("bytes=20-29, 0-9 , -1", 206, [(20, 30), (0, 10), (69, 70)]),
        ("bytes=0-9,500-600", 206, [(0, 10)]),
        ("bytes=70-", 416, None),
        ("bytes=500-600,700-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=0-9,5-15", 200, None),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 60, 2)), 200, None),
        ("bytes=a-b", 200, None),
        ("bytes=", 200, None),
        ("bytes=-", 200, None),
        ("items=0-1", 200, None),
        ("bytes=0-" + "9" * 30, 200, None),
    ],
)
def test_ranges(kept: Any, support: Any, asked: str, status: int, expected: Any) -> None:
    """RFC 9110 §14.2: ranges within are sent, what is beyond is 416, and what is odd is ignored."""
    content = support.slice_dataset(1).PixelData
    response = kept.get(PIXELS, "application/octet-stream", headers={"Range": asked})
    assert response.status_code == status
    if status == 416:
        assert response.headers["content-range"] == "bytes */70"
    elif status == 200:
        assert (response.content, response.headers["accept-ranges"]) == (content, "bytes")
    elif len(expected) == 1:
        ((start, stop),) = expected
        assert response.content == content[start:stop]
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/70"
    else:
        assert response.headers["content-type"].startswith("multipart/byteranges; boundary=")
        assert int(response.headers["content-length"]) == len(response.content)
        parts = support.parts_of(response)
        assert [body for _, body in parts] == [content[start:stop] for start, stop in expected]
        assert [headers["content-range"] for headers, _ in parts] == [
            f"bytes {start}-{stop - 1}/70" for start, stop in expected
        ]


@pytest.mark.clause("8.4")
def test_a_range_holds_only_for_the_representation_that_if_range_names(kept: Any) -> None:
    """RFC 9110 §13.1.5."""
    tag = kept.get(PIXELS, "application/octet-stream").headers["etag"]
    statuses = {}
    for value in (tag, f"W/{tag}", '"other"', "Sat, 29 Oct 1994 19:43:31 GMT"):
        headers = {"Range": "bytes=0-9", "If-Range": value}
        statuses[value] = kept.get(PIXELS, "application/octet-stream", headers=headers).status_code
    assert list(statuses.values()) == [206, 200, 200, 200]


@pytest.mark.clause("8.4")
@pytest.mark.parametrize("path", ["", "/frames/1", "/bulkdata/00420011"])
def test_single_parts_of_every_kind_take_ranges(kept: Any, path: str) -> None:
    accept = "application/dicom" if not path else "application/octet-stream"
    whole = kept.get(I1 + path, accept).content
    part = kept.get(I1 + path, accept, headers={"Range": "bytes=16-31"})
    assert (part.status_code, part.content) == (206, whole[16:32])


@pytest.mark.clause("8.4")
def test_metadata_is_compressed_for_clients_that_take_it(client: Any, node: Any, support: Any) -> None:
    """RFC 9110 §8.4: Content-Encoding, told apart by tag and Vary."""
    for number in range(1, 9):
        node.publish(support.slice_dataset(number))
    plain = client.get(f"{S}/metadata", headers={"Accept-Encoding": "identity"})
    packed = client.get(f"{S}/metadata", headers={"Accept-Encoding": "br;q=1, gzip;q=0.5"})
    refused = client.get(f"{S}/metadata", headers={"Accept-Encoding": "gzip;q=0, *;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.json() == plain.json()  # the client unpacks it
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in plain.headers["vary"]
    assert gzip.decompress(gzip.compress(plain.content)) == packed.content


@pytest.mark.clause("8.6.1.2")
@pytest.mark.parametrize("path", ["", "/frames/1", "/bulkdata/7FE00010"])
def test_length_is_told_where_it_is_known(kept: Any, path: str) -> None:
    response = kept.get(I1 + path)
    if response.headers["content-type"].startswith("multipart/related") and path.startswith("/bulk"):
        return
    assert int(response.headers["content-length"]) == len(response.content)


@pytest.mark.clause("8.7.3.3.2")
def test_a_video_is_one_part_that_takes_ranges(client: Any, node: Any, support: Any) -> None:
    """Table 8.7.3-5: video/mp4; a video is one stream, so no frame can be cut out."""
    stream = bytes(range(250)) * 40
    ds = support.slice_dataset(1, NumberOfFrames=3)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    ds.PixelData = encapsulate([stream[:6000], stream[6000:]], has_bot=False)
    ds["PixelData"].VR = "OB"
    node.publish(ds)
    for accept in ("video/mp4", "video/*", "application/octet-stream; transfer-syntax=*"):
        response = client.get(PIXELS, accept)
        assert (response.status_code, response.content) == (200, stream)
    seek = client.get(PIXELS, "video/mp4", headers={"Range": "bytes=5990-6009"})
    assert (seek.status_code, seek.content) == (206, stream[5990:6010])
    parts = support.parts_of(client.get(f"{I1}/pixeldata", 'multipart/related; type="video/mp4"'))
    assert [content for _, content in parts] == [stream]
    assert client.get(f"{I1}/frames/1", 'multipart/related; type="video/mp4"').status_code == 406


@pytest.mark.clause("10.4.3.3.5")
def test_what_has_no_bulk_data_answers_404(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1)
    del ds.PixelData
    node.publish(ds)
    assert client.get(f"{I1}/bulkdata").status_code == 404
    assert client.get(f"{I1}/pixeldata").status_code == 404


@pytest.mark.clause("10.4.3.3.5")
def test_bulk_data_of_a_study_stands_under_the_uris_of_its_metadata(kept: Any, support: Any) -> None:
    """Content-Location is the URI that metadata name."""

    def uris(model: Any) -> list[str]:
        return [value["BulkDataURI"] for value in model.values() if "BulkDataURI" in value]

    named = [uri for model in kept.get(f"{S}/metadata").json() for uri in uris(model)]
    parts = support.parts_of(kept.get(f"{S}/bulkdata"))
    assert sorted(headers["content-location"] for headers, _ in parts) == sorted(named)
    for headers, content in parts:
        assert kept.get(headers["content-location"], "application/octet-stream").content == content


@pytest.mark.clause("10.4.1.1.6")
def test_pixel_data_of_a_series_comes_compressed_frame_by_frame(client: Any, node: Any, support: Any) -> None:
    data = support.sample_bytes("emri_small_jpeg_ls_lossless.dcm")
    entry = node.publish(data)
    series = f"/dicom-web/studies/{entry.study_instance_uid}/series/{entry.series_instance_uid}"
    stored = support.parts_of(client.get(f"{series}/pixeldata", 'multipart/related; type="image/jls"'))
    assert len(stored) == 10
    assert stored[3][0]["content-location"].endswith("/frames/4")
    native = support.parts_of(client.get(f"{series}/pixeldata"))
    assert native[0][1] == pydicom.dcmread(io.BytesIO(data)).pixel_array.tobytes()
