"""WADO-URI, one test a clause (PS3.18 §9)."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pydicom
import pytest
from PIL import Image

IDS = {"requestType": "WADO", "studyUID": "2.25.10", "seriesUID": "2.25.20", "objectUID": "2.25.20.1"}


def ask(client: Any, accept: str | None = None, /, **params: Any) -> Any:
    merged = {k: v for k, v in {**IDS, **params}.items() if v is not None}
    return client.get(f"/wado?{urlencode(merged)}", accept)


def shades(response: Any) -> np.ndarray:
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content))).astype(int)


@pytest.fixture
def image(node: Any, support: Any) -> Any:
    return node.publish(support.slice_dataset(1, rows=20, columns=30, WindowCenter=3000, WindowWidth=6001))


@pytest.mark.clause("9.3")
@pytest.mark.parametrize(
    ("accept", "content_type", "got"),
    [
        (None, None, "image/jpeg"),
        ("*/*", None, "image/jpeg"),
        ("image/png", None, "image/png"),
        ("image/png", "image/jpeg", "image/jpeg"),
        ("image/png", "application/dicom", "application/dicom"),
        ("application/dicom", None, "application/dicom"),
        (None, "image/gif", "image/gif"),
        (None, "image/bmp,image/png", "image/png"),
        (None, "image/png;q=0.2,image/jpeg;q=0.9", "image/jpeg"),
    ],
)
def test_media_type_decides_the_transaction(
    client: Any, image: Any, accept: str | None, content_type: str | None, got: str
) -> None:
    response = ask(client, accept, contentType=content_type)
    assert response.status_code == 200
    assert response.headers["content-type"] == got


@pytest.mark.clause("9.1.2.1.1")
@pytest.mark.parametrize("value", [None, "wado", "OTHER", ""])
def test_other_request_types_are_400(client: Any, image: Any, value: str | None) -> None:
    assert ask(client, requestType=value).status_code == 400


@pytest.mark.clause("9.1.2.1")
@pytest.mark.parametrize("name", ["studyUID", "seriesUID", "objectUID"])
@pytest.mark.parametrize("value", [None, "", "abc", "1" * 65])
def test_uids_are_required_and_checked(client: Any, image: Any, name: str, value: str | None) -> None:
    response = ask(client, **{name: value})
    assert response.status_code == 400
    assert name in response.json()["detail"]


@pytest.mark.clause("9.4.3")
def test_unknown_objects_are_404_and_purged_ones_410(client: Any, node: Any, support: Any) -> None:
    from dicom_node.domain.catalog import CatalogKind

    assert ask(client).status_code == 404
    node.publish(support.slice_dataset(1), CatalogKind.SOURCE)
    node.catalog.withdraw_sources("id-1")
    assert ask(client).status_code == 410


@pytest.mark.clause("9.4")
def test_an_instance_comes_as_a_dicom_file(client: Any, image: Any) -> None:
    response = ask(client, contentType="application/dicom")
    ds = pydicom.dcmread(io.BytesIO(response.content))
    assert ds.SOPInstanceUID == "2.25.20.1"
    assert response.headers["etag"]


@pytest.mark.clause("9.4.1.2.3")
def test_transfer_syntax_is_converted_on_demand(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("MR_small_RLE.dcm"))
    ids = {
        "studyUID": entry.study_instance_uid,
        "seriesUID": entry.series_instance_uid,
        "objectUID": entry.sop_instance_uid,
        "contentType": "application/dicom",
    }
    for asked, got in (
        (None, "1.2.840.10008.1.2.1"),
        ("*", "1.2.840.10008.1.2.5"),
        ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.5"),
        ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1"),
    ):
        response = ask(client, **ids, transferSyntax=asked)
        ds = pydicom.dcmread(io.BytesIO(response.content))
        assert ds.file_meta.TransferSyntaxUID == got
    ids["contentType"] = "application/dicom; transfer-syntax=1.2.840.10008.1.2.5"
    ds = pydicom.dcmread(io.BytesIO(ask(client, **ids).content))
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.5"
    ids["contentType"] = "application/dicom"
    assert ask(client, **ids, transferSyntax="1.2.840.10008.1.2").status_code == 406
    assert ask(client, **ids, transferSyntax="rle").status_code == 400


@pytest.mark.clause("9.4.1.2.3")
def test_transfer_syntax_without_dicom_is_400(client: Any, image: Any) -> None:
    assert ask(client, transferSyntax="1.2.840.10008.1.2.1").status_code == 400


@pytest.mark.clause("9.4.1.2.1")
def test_anonymous_objects_are_given_and_burned_in_identity_is_refused(
    client: Any, node: Any, image: Any, support: Any
) -> None:
    assert ask(client, contentType="application/dicom", anonymize="yes").status_code == 200
    assert ask(client, contentType="application/dicom", anonymize="no").status_code == 400
    node.publish(support.slice_dataset(2, BurnedInAnnotation="YES"))
    response = ask(client, contentType="application/dicom", anonymize="yes", objectUID="2.25.20.2")
    assert response.status_code == 406


@pytest.mark.clause("9.5.1.2")
@pytest.mark.parametrize(
    "params",
    [
        {"frameNumber": 1},
        {"rows": 10},
        {"region": "0,0,1,1"},
        {"windowCenter": 1, "windowWidth": 2},
        {"imageQuality": 50},
        {"imageAnnotation": "patient"},
    ],
)
def test_image_parameters_do_not_go_with_dicom(client: Any, image: Any, params: dict[str, Any]) -> None:
    assert ask(client, contentType="application/dicom", **params).status_code == 400


@pytest.mark.clause("9.5.1.2.1")
def test_frame_number_selects_a_frame(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, rows=1, columns=2, NumberOfFrames=2, WindowCenter=50, WindowWidth=101)
    ds.PixelData = np.array([0, 100, 100, 0], "<u2").tobytes()
    node.publish(ds)
    first, second = (shades(ask(client, contentType="image/png", frameNumber=n))[0] for n in (1, 2))
    assert first[0] < first[1]
    assert second[0] > second[1]
    assert ask(client, frameNumber=3).status_code == 404
    assert ask(client, frameNumber=0).status_code == 400


@pytest.mark.clause("9.5.1.2.4")
@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"rows": 10, "columns": 10}, (10, 7)),
        ({"rows": 10}, (15, 10)),
        ({"columns": 60}, (60, 40)),
        ({}, (30, 20)),
    ],
)
def test_rows_and_columns_bound_the_picture(
    client: Any, image: Any, params: dict[str, int], size: tuple[int, int]
) -> None:
    response = ask(client, **params)
    assert Image.open(io.BytesIO(response.content)).size == size


@pytest.mark.clause("9.5.1.2.5")
def test_region_cuts_the_picture(client: Any, image: Any) -> None:
    whole = shades(ask(client, contentType="image/png"))
    part = shades(ask(client, contentType="image/png", region="0.5,0,1,0.5"))
    np.testing.assert_array_equal(part, whole[:10, 15:])
    scaled = ask(client, contentType="image/png", region="0.5,0,1,0.5", rows=40, columns=30)
    assert shades(scaled).shape == (20, 30)


@pytest.mark.clause("9.5.1.2.6")
def test_window_centre_and_width_go_together(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, rows=1, columns=3, WindowCenter=1, WindowWidth=1)
    ds.PixelData = np.array([0, 50, 100], "<u2").tobytes()
    node.publish(ds)
    got = shades(ask(client, contentType="image/png", windowCenter=50, windowWidth=101))[0]
    np.testing.assert_allclose(got, [1, 128, 255], atol=2)
    assert ask(client, windowCenter=50).status_code == 400
    assert ask(client, windowWidth=50).status_code == 400


@pytest.mark.clause("9.5.1.2.3")
def test_image_quality_decides_the_size(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, rows=64, columns=64)
    ds.PixelData = np.random.default_rng(1).integers(0, 1000, 64 * 64).astype("<u2").tobytes()
    node.publish(ds)
    assert len(ask(client, imageQuality=5).content) * 2 < len(ask(client, imageQuality=95).content)


@pytest.mark.clause("9.5.1.2.2")
def test_annotation_is_written_onto_the_picture(client: Any, node: Any, support: Any) -> None:
    node.publish(support.slice_dataset(1, rows=200, columns=200))
    plain = shades(ask(client, contentType="image/png"))
    for name in ("imageAnnotation", "annotation"):
        marked = shades(ask(client, contentType="image/png", **{name: "patient,technique"}))
        assert (marked != plain).sum() > 200


@pytest.mark.clause("9.5.1.2")
@pytest.mark.parametrize(
    "params",
    [
        {"frameNumber": "x"},
        {"frameNumber": -1},
        {"rows": 0},
        {"columns": 99999},
        {"region": "0,0,1"},
        {"region": "0.5,0,0.5,1"},
        {"region": "0,0,1,2"},
        {"region": "0,0,nan,1"},
        {"windowCenter": "a", "windowWidth": 5},
        {"windowCenter": 1, "windowWidth": 0},
        {"imageQuality": 101},
        {"imageAnnotation": ""},
        {"presentationUID": "1.2"},
        {"presentationSeriesUID": "1.2"},
        {"presentationUID": "x", "presentationSeriesUID": "1.2"},
    ],
)
def test_malformed_parameters_are_400(client: Any, image: Any, params: dict[str, Any]) -> None:
    response = ask(client, **params)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.clause("9.5")
@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (None, "text/html; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/xml", "text/xml; charset=utf-8"),
        ("application/dicom", "application/dicom"),
    ],
)
def test_reports_are_text(client: Any, node: Any, support: Any, asked: str | None, got: str) -> None:
    entry = node.publish(support.sample_bytes("reportsi.dcm"))
    ids = {
        "studyUID": entry.study_instance_uid,
        "seriesUID": entry.series_instance_uid,
        "objectUID": entry.sop_instance_uid,
    }
    response = ask(client, **ids, contentType=asked)
    assert response.headers["content-type"] == got
    assert ask(client, **ids, contentType="image/jpeg").status_code == 406
    assert ask(client, **ids, rows=10).status_code == 400


@pytest.mark.clause("9.5")
def test_several_parts_cannot_be_asked_for(client: Any, image: Any) -> None:
    assert ask(client, 'multipart/related; type="image/jpeg"').status_code == 406


def test_known_representation_is_not_sent_again(client: Any, image: Any) -> None:
    """RFC 9110 §13.1.2"""
    tag = ask(client).headers["etag"]
    url = f"/wado?{urlencode(IDS)}"
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(url + "&rows=10", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.clause("8.5")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_are_answered(client: Any, image: Any, method: str) -> None:
    response = client.request(method, f"/wado?{urlencode(IDS)}")
    expected = {"OPTIONS": 204, "HEAD": 200}.get(method, 405)
    assert response.status_code == expected
    if expected != 200:
        assert response.headers["allow"] == "GET, HEAD, OPTIONS"
