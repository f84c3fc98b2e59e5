"""WADO-RS bulk data, one test a clause (PS3.18 §10.4.1.1.5)."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pydicom
import pytest
from web_objects import instance_path

S, R = "/dicom-web/studies/2.25.10", "/dicom-web/studies/2.25.10/series/2.25.20"


def url_of(entry: Any) -> str:
    return instance_path(entry)


@pytest.mark.clause("10.4.1.1.5")
def test_every_bulk_data_uri_of_metadata_can_be_fetched(client: Any, node: Any, support: Any) -> None:
    data = support.sample_bytes("waveform_ecg.dcm")
    entry = node.publish(data)
    model = client.get(f"{url_of(entry)}/metadata").json()[0]
    ds = pydicom.dcmread(io.BytesIO(data))
    uris = [item["54001010"]["BulkDataURI"] for item in model["54000100"]["Value"]]
    for item, uri in zip(ds.WaveformSequence, uris, strict=True):
        assert uri.startswith(f"http://node.test{url_of(entry)}/bulkdata/54000100/")
        assert client.get(uri, "*/*").content == item.WaveformData
        part = support.parts_of(client.get(uri, 'multipart/related; type="application/octet-stream"'))[0]
        assert part[1] == item.WaveformData


@pytest.mark.clause("F.2.7")
def test_short_binary_values_are_inline(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1)
    ds.add_new(0x00281101, "US", [256, 0, 16])
    ds.add_new(0x00281201, "OW", bytes(range(256)) * 2)
    entry = node.publish(ds)
    model = client.get(f"{url_of(entry)}/metadata").json()[0]
    assert base64.b64decode(model["00281201"]["InlineBinary"]) == bytes(range(256)) * 2


@pytest.mark.clause("10.4.1.1.5")
def test_pixel_data_as_bulk_data(client: Any, node: Any, support: Any) -> None:
    native = node.publish(support.slice_dataset(1))
    ds = support.slice_dataset(1)
    response = client.get(
        f"{url_of(native)}/bulkdata/7FE00010", 'multipart/related; type="application/octet-stream"'
    )
    assert support.parts_of(response)[0][1] == ds.PixelData
    compressed = node.publish(support.sample_bytes("emri_small_jpeg_2k_lossless.dcm"))
    url = f"{url_of(compressed)}/bulkdata/7FE00010"
    stored = pydicom.dcmread(io.BytesIO(support.sample_bytes("emri_small_jpeg_2k_lossless.dcm")))
    decoded = support.parts_of(client.get(url, 'multipart/related; type="application/octet-stream"'))[0][1]
    assert decoded == stored.pixel_array.tobytes()
    parts = support.parts_of(client.get(url, 'multipart/related; type="image/jp2"; transfer-syntax=*'))
    assert len(parts) == 10


@pytest.mark.clause("10.4.3.3.5")
@pytest.mark.parametrize("base", [S, R, f"{R}/instances/2.25.20.1"])
def test_all_bulk_data_of_a_resource(client: Any, study: list[bytes], support: Any, base: str) -> None:
    parts = support.parts_of(
        client.get(f"{base}/bulkdata", 'multipart/related; type="application/octet-stream"')
    )
    assert parts[0][1] == support.slice_dataset(1).PixelData
    assert parts[0][0]["content-location"].endswith("/bulkdata/7FE00010")


@pytest.mark.clause("8.5")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("7FE00010/0", 400),
        ("zzz", 400),
        ("7FE0001", 400),
        ("00100010", 404),
        ("00420011", 404),
        ("00082218/0/00080100", 404),
        ("", 400),
        ("00080018/-1/00080100", 404),
    ],
)
def test_bulk_data_paths_that_lead_nowhere(client: Any, study: list[bytes], path: str, status: int) -> None:
    assert client.get(f"{R}/instances/2.25.20.1/bulkdata/{path}").status_code == status


@pytest.mark.clause("8.4")
@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=-2", 206, slice(-2, None)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=60-999", 206, slice(60, None)),
        ("items=1", 200, slice(None)),
        ("bytes=999-", 416, None),
        ("bytes=5-2", 416, None),
    ],
)
def test_ranges_of_bulk_data(
    client: Any, study: list[bytes], support: Any, asked: str, status: int, expected: slice | None
) -> None:
    response = client.get(
        f"{R}/instances/2.25.20.1/bulkdata/7FE00010", "application/octet-stream", headers={"Range": asked}
    )
    assert response.status_code == status
    if expected is not None:
        assert response.content == support.slice_dataset(1).PixelData[expected]


@pytest.mark.clause("10.4.3.3.5")
def test_encapsulated_pdf_comes_as_pdf_without_padding(client: Any, node: Any, support: Any) -> None:
    pdf = b"%PDF-1.4 " + b"x" * 2000
    ds = support.slice_dataset(1)
    del ds.PixelData, ds.Rows
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument, ds.EncapsulatedDocumentLength = pdf + b"\0", len(pdf)
    entry = node.publish(ds)
    model = client.get(f"{url_of(entry)}/metadata").json()[0]
    response = client.get(model["00420011"]["BulkDataURI"], "*/*")
    assert (response.headers["content-type"], response.content) == ("application/pdf", pdf)
    assert response.headers["x-content-type-options"] == "nosniff"
    rendered = client.get(f"{url_of(entry)}/rendered", "text/html,application/xhtml+xml,*/*;q=0.8")
    assert (rendered.headers["content-type"], rendered.content) == ("application/pdf", pdf)


@pytest.mark.clause("10.4.3.3.5")
def test_encapsulated_html_is_never_served_as_html(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1)
    del ds.PixelData, ds.Rows
    ds.MIMETypeOfEncapsulatedDocument = "text/html"
    ds.EncapsulatedDocument = b"<script>" + b"x" * 2000
    entry = node.publish(ds)
    response = client.get(f"{url_of(entry)}/bulkdata/00420011", "*/*")
    assert response.headers["content-type"] == "application/octet-stream"


@pytest.mark.clause("F.2.6")
@pytest.mark.parametrize(
    ("keyword", "key", "vr", "code"),
    [("FloatPixelData", "7FE00008", "OF", "<f4"), ("DoubleFloatPixelData", "7FE00009", "OD", "<f8")],
)
@pytest.mark.parametrize("large", [False, True], ids=["scanned", "read"])
def test_float_pixels_are_right_in_metadata_bulk_data_and_frames(
    client: Any, node: Any, support: Any, keyword: str, key: str, vr: str, code: str, large: bool
) -> None:
    """PS3.3 §C.7.6.24, §C.7.6.25: two frames of 3 by 5 samples, the second one with NaN and infinity."""
    values = np.linspace(-1, 1, 30, dtype=code)
    values[20:23] = np.nan, np.inf, -np.inf
    ds = support.slice_dataset(
        1, rows=3, columns=5, NumberOfFrames=2, BitsAllocated=np.dtype(code).itemsize * 8
    )
    del ds.PixelData
    setattr(ds, keyword, values.tobytes())
    if large:
        ds.PerFrameFunctionalGroupsSequence = [pydicom.Dataset() for _ in range(2000)]
    url = url_of(node.publish(ds))
    model = client.get(f"{url}/metadata").json()[0]
    assert model[key] == {"vr": vr, "BulkDataURI": f"http://node.test{url}/bulkdata/{key}"}
    assert "7FE00010" not in model
    assert client.get(model[key]["BulkDataURI"], "application/octet-stream").content == values.tobytes()
    second = client.get(f"{url}/frames/2", "application/octet-stream").content
    assert second == values[15:].tobytes()
    assert client.get(url, "application/dicom").content == support.to_bytes(ds)


@pytest.mark.clause("F.2.6")
def test_values_within_sequences_are_named_and_fetched(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1)
    icon = support.slice_dataset(1, rows=64, columns=64, BitsAllocated=8)
    item = pydicom.Dataset()
    for name in ("Rows", "Columns", "BitsAllocated", "PixelData"):
        item[name] = icon[name]
    ds.IconImageSequence = [pydicom.Dataset(), item]
    url = url_of(node.publish(ds))
    model = client.get(f"{url}/metadata").json()[0]
    uri = model["00880200"]["Value"][1]["7FE00010"]["BulkDataURI"]
    assert uri.endswith("/bulkdata/00880200/1/7FE00010")
    assert client.get(uri, "application/octet-stream").content == item.PixelData
