"""Images as presentation states want them (PS3.18 §8.3.5.1, §9.5.1.2.7, PS3.4 Annex N)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ColorSoftcopyPresentationStateStorage, GrayscaleSoftcopyPresentationStateStorage

SERIES = "/dicom-web/studies/2.25.10/series"
STATE_URL = f"{SERIES}/2.25.30/instances/2.25.30.1/rendered"
WADO = "/wado?requestType=WADO&studyUID=2.25.10&seriesUID=2.25.20&objectUID=2.25.20.1"
STATE_QUERY = "&presentationSeriesUID=2.25.30&presentationUID=2.25.30.1"


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def reference(number: int = 1, **attributes: Any) -> Dataset:
    return item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4",
        ReferencedSOPInstanceUID=f"2.25.20.{number}",
        **attributes,
    )


def state(support: Any, numbers: tuple[int, ...] = (1,), **attributes: Any) -> Dataset:
    """A grayscale state of images of series 2.25.20."""
    ds = support.slice_dataset(1, series="2.25.30")
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"):
        delattr(ds, keyword)
    del ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.PixelData
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    ds.Modality = "PR"
    series = item(SeriesInstanceUID="2.25.20")
    series.ReferencedImageSequence = [reference(number) for number in numbers]
    ds.ReferencedSeriesSequence = [series]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def ramp(support: Any, number: int = 1, **attributes: Any) -> Dataset:
    """Two rows of three pixels: 0, 10, 20 and 30, 40, 50."""
    ds = support.slice_dataset(number, rows=2, columns=3, **attributes)
    ds.PixelData = np.array([0, 10, 20, 30, 40, 50], "<u2").tobytes()
    return ds


def shades(client: Any, url: str = STATE_URL) -> np.ndarray:
    response = client.get(url, "image/png")
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content))).astype(int)


WINDOW = {"SoftcopyVOILUTSequence": [item(WindowCenter=25, WindowWidth=51)]}
PLAIN = np.array([[2, 53, 104], [155, 206, 255]])


@pytest.mark.clause("8.3.5.1")
def test_window_of_the_state_replaces_that_of_the_image(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support, WindowCenter=1000, WindowWidth=10))
    node.publish(state(support, **WINDOW))
    np.testing.assert_allclose(shades(client), PLAIN, atol=3)


@pytest.mark.clause("8.3.5.1")
def test_modality_transformation_of_the_state_is_used(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support, RescaleSlope=1, RescaleIntercept=0))
    rescaled = {"RescaleSlope": 2, "RescaleIntercept": 100}
    voi = [item(WindowCenter=150, WindowWidth=101)]
    node.publish(state(support, **rescaled, SoftcopyVOILUTSequence=voi))
    np.testing.assert_allclose(shades(client), PLAIN, atol=3)


@pytest.mark.clause("8.3.5.1")
def test_presentation_shape_of_the_state_decides_inversion(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support, PhotometricInterpretation="MONOCHROME1"))
    node.publish(state(support, **WINDOW, PresentationLUTShape="IDENTITY"))
    np.testing.assert_allclose(shades(client), PLAIN, atol=3)


@pytest.mark.clause("8.3.5.1")
def test_presentation_table_of_the_state_is_applied(client: Any, node: Any, support: Any) -> None:
    table = item(LUTDescriptor=[2, 0, 16], LUTData=b"\xff\xff\0\0")
    node.publish(ramp(support))
    node.publish(state(support, **WINDOW, PresentationLUTSequence=[table]))
    np.testing.assert_array_equal(shades(client), np.where(PLAIN > 127, 0, 255))


@pytest.mark.clause("8.3.5.1")
def test_voi_table_of_the_state_is_applied(client: Any, node: Any, support: Any) -> None:
    entries = (np.arange(51) * 5 * 257).astype("<u2").tobytes()
    table = item(LUTDescriptor=[51, 0, 16], LUTData=entries)
    node.publish(ramp(support))
    node.publish(state(support, SoftcopyVOILUTSequence=[item(VOILUTSequence=[table])]))
    np.testing.assert_allclose(shades(client), [[0, 50, 100], [150, 200, 250]], atol=1)


@pytest.mark.clause("8.3.5.1")
@pytest.mark.parametrize(
    ("rotation", "flip", "expected"),
    [
        (0, "N", [[0, 1, 2], [3, 4, 5]]),
        (90, "N", [[3, 0], [4, 1], [5, 2]]),
        (180, "N", [[5, 4, 3], [2, 1, 0]]),
        (270, "N", [[2, 5], [1, 4], [0, 3]]),
        (0, "Y", [[2, 1, 0], [5, 4, 3]]),
        (90, "Y", [[0, 3], [1, 4], [2, 5]]),
    ],
)
def test_rotation_goes_clockwise_before_the_flip(
    client: Any, node: Any, support: Any, rotation: int, flip: str, expected: list[list[int]]
) -> None:
    node.publish(ramp(support))
    node.publish(state(support, **WINDOW, ImageRotation=rotation, ImageHorizontalFlip=flip))
    np.testing.assert_allclose(shades(client), np.array(PLAIN).ravel()[np.array(expected)], atol=3)


def area(**attributes: Any) -> dict[str, Any]:
    given = {"PresentationSizeMode": "SCALE TO FIT", **attributes}
    return {"DisplayedAreaSelectionSequence": [item(**given)]}


@pytest.mark.clause("8.3.5.1")
def test_displayed_area_is_cut_out_and_scaled(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support))
    corners = {"DisplayedAreaTopLeftHandCorner": [2, 1], "DisplayedAreaBottomRightHandCorner": [3, 2]}
    node.publish(state(support, **WINDOW, **area(**corners)))
    np.testing.assert_allclose(shades(client), PLAIN[:, 1:], atol=3)
    assert shades(client, f"{STATE_URL}?viewport=40,60").shape == (40, 40)


@pytest.mark.clause("8.3.5.1")
def test_aspect_ratio_and_magnification_of_the_state_count(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support))
    corners = {"DisplayedAreaTopLeftHandCorner": [1, 1], "DisplayedAreaBottomRightHandCorner": [3, 2]}
    magnified = {"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 4.0}
    ratio = {"PresentationPixelAspectRatio": [3, 1]}
    node.publish(state(support, **WINDOW, **area(**corners, **magnified, **ratio)))
    assert shades(client).shape == (24, 12)


@pytest.mark.clause("8.3.5.1")
def test_text_and_graphics_are_drawn_where_they_belong(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, rows=100, columns=100, WindowCenter=50, WindowWidth=101)
    ds.PixelData = np.full((100, 100), 50, "<u2").tobytes()
    node.publish(ds)
    objects = [
        ("POLYLINE", [10, 10, 30, 10], "PIXEL"),
        ("CIRCLE", [70, 30, 80, 30], "PIXEL"),
        ("ELLIPSE", [60, 80, 90, 80, 75, 75, 75, 85], "PIXEL"),
        ("POINT", [0.2, 0.6], "DISPLAY"),
    ]
    graphics = [
        item(GraphicType=kind, GraphicData=data, GraphicAnnotationUnits=units, GraphicFilled="N")
        for kind, data, units in objects
    ]
    text = item(UnformattedTextValue="A", AnchorPoint=[40, 40], AnchorPointAnnotationUnits="PIXEL")
    layer = item(GraphicLayer="L", GraphicObjectSequence=graphics, TextObjectSequence=[text])
    node.publish(state(support, GraphicAnnotationSequence=[layer]))
    got = shades(client)
    for row, column in ((10, 20), (30, 60), (30, 80), (80, 60), (75, 75), (60, 20)):
        assert got[row - 2 : row + 3, column - 2 : column + 3].max() == 255, (row, column)
    assert got[40:56, 40:56].max() > 200
    assert got[30, 70] == got[80, 75] == got[0, 0]
    other = type(node)()
    other.publish(ds)
    other.publish(state(support, GraphicAnnotationSequence=[layer], ImageRotation=90))
    rotated = shades(type(client)(other.app))
    assert rotated[18:23, 88:92].max() == 255  # the line from (10, 10) runs down the right side


@pytest.mark.clause("8.3.5.1")
def test_shutter_of_the_state_is_applied(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support))
    edges = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 2,
        "ShutterRightVerticalEdge": 3,
        "ShutterUpperHorizontalEdge": 1,
        "ShutterLowerHorizontalEdge": 1,
        "ShutterPresentationValue": 65535,
    }
    node.publish(state(support, **WINDOW, **edges))
    np.testing.assert_allclose(shades(client), [[255, 53, 104], [255, 255, 255]], atol=3)


@pytest.mark.clause("8.3.5.1")
def test_what_the_state_says_of_other_images_is_left_alone(client: Any, node: Any, support: Any) -> None:
    for number in (1, 2):
        node.publish(ramp(support, number, WindowCenter=1000, WindowWidth=10))
    voi = [item(WindowCenter=25, WindowWidth=51, ReferencedImageSequence=[reference(2)])]
    node.publish(state(support, (1, 2), SoftcopyVOILUTSequence=voi))
    parts = support.parts_of(client.get(STATE_URL, 'multipart/related; type="image/png"'))
    first, second = (np.asarray(Image.open(io.BytesIO(content))).astype(int) for _, content in parts)
    assert first.max() == 0
    np.testing.assert_allclose(second, PLAIN, atol=3)


@pytest.mark.clause("8.3.5.1.4")
@pytest.mark.parametrize("query", ["window=1,2,linear", "viewport=10,10,0,0,5,5", "viewport=10,10,1"])
def test_what_the_state_decides_cannot_be_asked_for(client: Any, node: Any, support: Any, query: str) -> None:
    node.publish(ramp(support))
    node.publish(state(support))
    assert client.get(f"{STATE_URL}?{query}").status_code == 400
    assert client.get(f"{STATE_URL}?viewport=10,10&quality=50").status_code == 200


def test_a_state_whose_images_are_not_here_is_404(client: Any, node: Any, support: Any) -> None:
    """PS3.18 §8.5"""
    node.publish(state(support))
    assert client.get(STATE_URL).status_code == 404


def test_a_colour_state_shows_colour(client: Any, node: Any, support: Any) -> None:
    """PS3.4 §N.2.2"""
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("SC_rgb.dcm")))
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "2.25.10", "2.25.20", "2.25.20.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    node.publish(ds)
    shown = state(support, ImageRotation=90)
    shown.SOPClassUID = shown.file_meta.MediaStorageSOPClassUID = ColorSoftcopyPresentationStateStorage
    node.publish(shown)
    np.testing.assert_array_equal(shades(client), np.rot90(ds.pixel_array, -1))


def test_thumbnail_of_a_state_is_a_tile(client: Any, node: Any, support: Any) -> None:
    """PS3.18 §10.4.3.3.4: its text might name somebody."""
    node.publish(ramp(support))
    node.publish(state(support))
    response = client.get(STATE_URL.replace("rendered", "thumbnail"))
    assert Image.open(io.BytesIO(response.content)).size == (128, 128)


@pytest.mark.clause("9.5.1.2.7")
def test_uri_service_applies_a_state_to_an_image(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support, WindowCenter=1000, WindowWidth=10))
    node.publish(state(support, **WINDOW, ImageRotation=180))
    got = shades(client, f"{WADO}{STATE_QUERY}&contentType=image/png")
    np.testing.assert_allclose(got, PLAIN[::-1, ::-1], atol=3)


@pytest.mark.clause("9.5.1.2.7")
def test_uri_service_refuses_what_does_not_fit_the_state(client: Any, node: Any, support: Any) -> None:
    node.publish(ramp(support))
    node.publish(ramp(support, 2))
    node.publish(state(support, (2,)))
    assert client.get(WADO + STATE_QUERY).status_code == 400  # refers to another image
    for extra in ("&region=0,0,1,1", "&windowCenter=1&windowWidth=2"):
        assert client.get(WADO.replace("20.1", "20.2") + STATE_QUERY + extra).status_code == 400
    assert client.get(WADO + STATE_QUERY.replace("30.1", "30.9")).status_code == 404
    image = "&presentationSeriesUID=2.25.20&presentationUID=2.25.20.2"
    assert client.get(WADO + image).status_code == 400
