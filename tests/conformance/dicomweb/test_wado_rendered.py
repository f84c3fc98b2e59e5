"""WADO-RS rendered resources and thumbnails, one test a clause (PS3.18 §10.4.1.1.3, §8.3.5)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from web_objects import instance_path

S = "/dicom-web/studies/2.25.10"
R = f"{S}/series/2.25.20"
I1 = f"{R}/instances/2.25.20.1"


def url_of(entry: Any, tail: str = "/rendered") -> str:
    return instance_path(entry) + tail


def image_of(response: Any) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def shades(response: Any) -> np.ndarray:
    return np.asarray(image_of(response)).astype(int)


def ramp(support: Any, values: list[int], **attributes: Any) -> pydicom.Dataset:
    """One row of given pixel values."""
    ds = support.slice_dataset(1, rows=1, columns=len(values), **attributes)
    ds.PixelData = np.array(values, "<i2" if ds.PixelRepresentation else "<u2").tobytes()
    return ds


@pytest.fixture
def slices(node: Any, support: Any) -> None:
    for number in (1, 2, 3):
        node.publish(support.slice_dataset(number, rows=20, columns=30))


@pytest.mark.parametrize("base", [S, R, I1, f"{I1}/frames/1"])
@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("image/jpeg", "JPEG"),
        ("image/png", "PNG"),
        ("*/*", "JPEG"),
        ("image/*;q=0.8", "JPEG"),
        (None, "JPEG"),
    ],
)
@pytest.mark.clause("10.4.1.1.3")
def test_four_levels_in_jpeg_and_png(
    client: Any, slices: None, base: str, accept: str | None, form: str
) -> None:
    image = image_of(client.get(f"{base}/rendered", accept))
    assert (image.format, image.size, image.mode) == (form, (30, 20), "L")


@pytest.mark.clause("10.4.3.3.3")
def test_multipart_holds_every_image(client: Any, slices: None, support: Any) -> None:
    response = client.get(f"{R}/rendered", 'multipart/related; type="image/png"')
    parts = support.parts_of(response)
    assert len(parts) == 3
    assert parts[1][0]["content-location"].endswith("/instances/2.25.20.2/frames/1/rendered")


@pytest.mark.clause("8.7.4")
def test_several_frames_come_as_parts_or_as_animation(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.slice_dataset(1, NumberOfFrames=5, WindowCenter=800, WindowWidth=1700))
    parts = support.parts_of(
        client.get(url_of(entry, "/frames/2,4/rendered"), 'multipart/related; type="image/jpeg"')
    )
    assert [p[0]["content-location"][-17:] for p in parts] == [
        "frames/2/rendered",
        "frames/4/rendered",
    ]
    animation = image_of(client.get(url_of(entry), "image/gif"))
    assert animation.n_frames == 5
    assert client.get(url_of(entry, "/frames/2,4/rendered"), "image/jpeg").status_code == 406


@pytest.mark.clause("8.3.5.1")
def test_own_window_and_rescale_are_applied(client: Any, node: Any, support: Any) -> None:
    ds = ramp(
        support,
        [0, 1000, 1050, 1100, 4000],
        RescaleSlope=1,
        RescaleIntercept=-1000,
        WindowCenter=50,
        WindowWidth=101,
    )
    got = shades(client.get(url_of(node.publish(ds)), "image/png"))[0]
    # PS3.3 §C.11.2.1.2.1: y = ((x - (c - 0.5)) / (w - 1) + 0.5) * 255
    expected = [round(min(max((x - 49.5) / 100 + 0.5, 0), 1) * 255) for x in (-1000, 0, 50, 100, 3000)]
    np.testing.assert_allclose(got, expected, atol=1)


@pytest.mark.parametrize(
    ("window", "formula"),
    [
        ("100,51,linear", lambda x: (x - 99.5) / 50 + 0.5),
        ("100,50,linear-exact", lambda x: (x - 100) / 50 + 0.5),
        ("100,50,sigmoid", lambda x: 1 / (1 + np.exp(-4 * (x - 100) / 50))),
    ],
)
@pytest.mark.clause("8.3.5.1.4")
def test_asked_window_wins_over_the_stored(
    client: Any, node: Any, support: Any, window: str, formula: Any
) -> None:
    values = [0, 80, 99, 100, 110, 125, 300]
    entry = node.publish(ramp(support, values, WindowCenter=1, WindowWidth=2))
    got = shades(client.get(f"{url_of(entry)}?window={window}", "image/png"))[0]
    expected = np.clip([formula(v) for v in values], 0, 1) * 255
    np.testing.assert_allclose(got, expected, atol=1)


@pytest.mark.clause("8.3.5.1")
def test_monochrome1_is_inverted(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(
        ramp(support, [0, 50, 100], PhotometricInterpretation="MONOCHROME1", WindowCenter=50, WindowWidth=101)
    )
    np.testing.assert_allclose(shades(client.get(url_of(entry), "image/png"))[0], [254, 126, 0], atol=1)


@pytest.mark.clause("8.3.5.1")
def test_image_without_a_window_uses_its_range_without_padding(client: Any, node: Any, support: Any) -> None:
    values = [-2000, *range(0, 1000, 5)]
    ds = ramp(support, values, PixelRepresentation=1, PixelPaddingValue=-2000)
    ds["PixelPaddingValue"].VR = "SS"
    got = shades(client.get(url_of(node.publish(ds)), "image/png"))[0]
    assert got[0] == 0
    assert got[1] == 0
    assert got[-1] == 255
    assert 120 < got[101] < 136


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb.dcm",
        "SC_rgb_16bit.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_rle.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "color-pl.dcm",
        "OBXXXX1A.dcm",
        "examples_palette.dcm",
        "US1_J2KR.dcm",
    ],
)
@pytest.mark.clause("8.3.5.1")
def test_colour_is_rendered_in_colour(client: Any, node: Any, support: Any, name: str) -> None:
    data = support.sample_bytes(name)
    image = image_of(client.get(url_of(node.publish(data)), "image/png"))
    assert image.mode == "RGB"
    ds = pydicom.dcmread(io.BytesIO(data))
    array = ds.pixel_array
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        array = pydicom.pixels.apply_color_lut(array, ds) >> 8
    elif "YBR_FULL" in ds.PhotometricInterpretation:
        array = pydicom.pixels.pixel_array(ds)
    elif ds.BitsAllocated == 16:
        array = array >> 8
    np.testing.assert_array_equal(np.asarray(image), array)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name",
    [
        "mlut_18.dcm",
        "vlut_04.dcm",
        "liver.dcm",
        "rtdose.dcm",
        "emri_small.dcm",
        "JPEG2000.dcm",
        "CT_small.dcm",
        "RG1_UNCR.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "SC_rgb_32bit.dcm",
    ],
)
@pytest.mark.clause("10.4.1.1.3")
def test_samples_of_all_kinds_render_with_contrast(client: Any, node: Any, support: Any, name: str) -> None:
    got = shades(client.get(url_of(node.publish(support.sample_bytes(name))), "image/png"))
    assert got.max() > got.min()


@pytest.mark.clause("8.3.5.1")
def test_functional_groups_give_each_frame_its_window(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, rows=1, columns=2, NumberOfFrames=2)
    ds.PixelData = np.array([0, 100, 0, 100], "<u2").tobytes()
    groups = []
    for width in (101, 1001):
        voi, group = pydicom.Dataset(), pydicom.Dataset()
        voi.WindowCenter, voi.WindowWidth = 50, width
        group.FrameVOILUTSequence = [voi]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    entry = node.publish(ds)
    spread = [np.ptp(shades(client.get(url_of(entry, f"/frames/{n}/rendered"), "image/png"))) for n in (1, 2)]
    assert spread[0] > 240
    assert 20 < spread[1] < 30


@pytest.mark.parametrize(
    ("viewport", "size"),
    [
        ("60,60", (60, 40)),
        ("15,100", (15, 10)),
        ("10,10,0,0,10,10", (10, 10)),
        ("10,10,5,5,-10,10", (10, 10)),
        ("30,20,,,,", (30, 20)),
        ("8,8,29,19,5,5", (8, 8)),
        ("40,40,-5,-5,300,300", (40, 24)),
        ("10,10,20,10", (10, 10)),
        ("9,9,,,10", (4, 9)),
    ],
)
@pytest.mark.clause("8.3.5.1.3")
def test_viewport_fits_the_image_with_its_aspect_ratio(
    client: Any, slices: None, viewport: str, size: tuple[int, int]
) -> None:
    assert image_of(client.get(f"{I1}/rendered?viewport={viewport}", "image/png")).size == size


@pytest.mark.clause("8.3.5.1.3")
def test_negative_region_flips(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(ramp(support, [0, 100], WindowCenter=50, WindowWidth=101))
    got = shades(client.get(f"{url_of(entry)}?viewport=2,1,0,0,-2,1", "image/png"))[0]
    assert got[0] > got[1]


@pytest.mark.clause("8.3.5.1.2")
def test_quality_decides_the_size(client: Any, node: Any, support: Any) -> None:
    noise = np.random.default_rng(1).integers(0, 1000, 128 * 128).astype("<u2")
    ds = support.slice_dataset(1, rows=128, columns=128)
    ds.PixelData = noise.tobytes()
    url = url_of(node.publish(ds))
    sizes = [len(client.get(f"{url}?quality={q}", "image/jpeg").content) for q in (5, 95)]
    assert sizes[0] * 2 < sizes[1]


@pytest.mark.parametrize(
    "query",
    [
        "quality=0",
        "quality=101",
        "quality=x",
        "viewport=0,5",
        "viewport=5",
        "viewport=99999,5",
        "viewport=1,1,1,1,0,0",
        "viewport=nan,1",
        "window=1",
        "window=1,0",
        "window=1,2,cubic",
        "window=inf,1",
        "window=100,51",
        "window=1,2,LINEAR",
        "annotation=",
        "annotation=patient,",
        "annotation=a b",
        "iccprofile=mine",
    ],
)
@pytest.mark.clause("8.3.5.1")
def test_malformed_rendering_parameters_are_400(client: Any, slices: None, query: str) -> None:
    assert client.get(f"{I1}/rendered?{query}").status_code == 400


@pytest.mark.clause("8.3.5.1.1")
def test_annotation_keywords_that_are_unknown_are_ignored_with_a_warning(client: Any, slices: None) -> None:
    response = client.get(f"{I1}/rendered?annotation=patient,dose", "image/png")
    assert response.status_code == 200
    warning = response.headers["warning"]
    assert warning == '299 node: "The following annotation values are not supported: dose"'
    plain = client.get(f"{I1}/rendered?annotation=patient", "image/png")
    assert "warning" not in plain.headers
    assert plain.content == response.content


@pytest.mark.parametrize("base", [S, R, I1, f"{I1}/frames/1"])
@pytest.mark.clause("10.4.1.1.4")
def test_thumbnails_are_small_at_all_levels(client: Any, slices: None, base: str) -> None:
    image = image_of(client.get(f"{base}/thumbnail"))
    assert image.format == "JPEG"
    assert max(image.size) == 128
    assert image_of(client.get(f"{base}/thumbnail?viewport=64,64")).size == (64, 43)


@pytest.mark.clause("10.4.3.3.4")
def test_thumbnail_of_an_image_with_burned_in_identity_is_a_tile(
    client: Any, node: Any, support: Any
) -> None:
    shown = node.publish(support.slice_dataset(1, rows=64, columns=64))
    hidden = node.publish(support.slice_dataset(2, rows=64, columns=64, BurnedInAnnotation="YES"))
    assert image_of(client.get(url_of(hidden, "/thumbnail"))).size == (128, 128)
    assert node.reads[hidden.ref] == 0
    client.get(url_of(shown, "/thumbnail"))
    assert node.reads[shown.ref] == 1


@pytest.mark.clause("10.4.3.3.4")
def test_thumbnail_of_what_is_no_image_is_a_tile(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("reportsi.dcm"))
    assert image_of(client.get(url_of(entry, "/thumbnail"))).size == (128, 128)


@pytest.mark.clause("8.7.4")
def test_report_is_rendered_as_a_page_and_as_text(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("reportsi.dcm"))
    page = client.get(url_of(entry), "text/html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = client.get(url_of(entry), "text/plain")
    lines = text.text.splitlines()
    assert len(lines) > 5
    assert any(line.startswith("  ") for line in lines)
    assert client.get(url_of(entry), "image/jpeg").status_code == 406


@pytest.mark.clause("8.7.4")
def test_markup_in_a_report_is_escaped(client: Any, node: Any, support: Any) -> None:
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("reportsi.dcm")))
    ds.ContentSequence[0].ValueType, ds.ContentSequence[0].TextValue = "TEXT", "<script>alert(1)</script>"
    page = client.get(url_of(node.publish(support.to_bytes(ds))), "text/html").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
