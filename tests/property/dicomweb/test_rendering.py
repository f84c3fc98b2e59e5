"""Rendering never fails in an unforeseen way, whatever is asked for and whatever a data set says."""

from __future__ import annotations

import struct
from typing import Any
from urllib.parse import urlencode

import pytest
from dicomweb_node import Client, Node, slice_dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from dicomweb.errors import Problem
from dicomweb.uri.parameters import parse_uri_request
from dicomweb.wado.rendering_parameters import MAX_VIEWPORT, parse_rendering, parse_thumbnail

SOME = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
URL = "/dicom-web/studies/2.25.10/series/2.25.20/instances/2.25.20.1"

numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(width=32).map(str),
    st.sampled_from(["", " 1", "1e400", "0x10", "\u0661", "--1", "1_000", "+5", ".5", "5."]),
)
listed = st.lists(numbers, max_size=8).map(",".join)
words = st.sampled_from(["patient", "technique", "linear", "sigmoid", "yes", "no", "srgb", ""])
values = st.one_of(listed, words, st.text(max_size=20), st.lists(words, max_size=3).map(",".join))
rendering_queries = st.dictionaries(
    st.sampled_from(["viewport", "window", "quality", "annotation", "iccprofile", "accept", "charset"]),
    values,
    max_size=5,
)
uri_queries = st.dictionaries(
    st.sampled_from(
        [
            "requestType",
            "frameNumber",
            "imageAnnotation",
            "imageQuality",
            "rows",
            "columns",
            "region",
            "windowCenter",
            "windowWidth",
            "presentationUID",
            "presentationSeriesUID",
            "contentType",
            "transferSyntax",
            "anonymize",
        ]
    ),
    values,
    max_size=6,
)


def status_of(parse: Any) -> int:
    """What a request with these parameters is answered."""
    try:
        parse()
    except Problem as problem:
        return int(problem.status)
    return 200


@SOME
@given(rendering_queries)
def test_rendering_parameters_are_read_or_refused(query: dict[str, str]) -> None:
    for parse in (parse_rendering, parse_thumbnail):
        assert status_of(lambda parse=parse: parse(query)) in {200, 400}


@SOME
@given(uri_queries)
def test_uri_parameters_are_read_or_refused(query: dict[str, str]) -> None:
    uids = {"requestType": "WADO", "studyUID": "1.2", "seriesUID": "1.3", "objectUID": "1.4"}
    if status_of(lambda: parse_uri_request({**uids, **query})) == 200:
        read = parse_uri_request({**uids, **query})
        assert read.target.study == "1.2"
        assert all(side is None or 1 <= side <= MAX_VIEWPORT for side in (read.rows, read.columns))
    else:
        assert status_of(lambda: parse_uri_request({**uids, **query})) == 400


@pytest.fixture(scope="module")
def shown() -> Client:
    node = Node()
    node.publish(slice_dataset(1, rows=6, columns=4))
    return Client(node.app)


@FEW
@given(query=rendering_queries, tail=st.sampled_from(["/rendered", "/thumbnail", "/frames/1/rendered"]))
def test_no_query_of_a_picture_is_an_error_of_ours(shown: Client, query: dict[str, str], tail: str) -> None:
    small = {name: value for name, value in query.items() if name != "viewport"}
    assert shown.get(f"{URL}{tail}?{urlencode(small)}").status_code in {200, 304, 400, 406}


@FEW
@given(query=uri_queries)
def test_no_query_of_the_uri_service_is_an_error_of_ours(shown: Client, query: dict[str, str]) -> None:
    ids = {"requestType": "WADO", "studyUID": "2.25.10", "seriesUID": "2.25.20", "objectUID": "2.25.20.1"}
    small = {name: value for name, value in query.items() if name not in {"rows", "columns"}}
    assert shown.get(f"/wado?{urlencode({**ids, **small})}").status_code in {200, 304, 400, 404, 406}


integers = st.integers(-3, 70000)
decimals = st.one_of(st.integers(-5000, 5000), st.sampled_from([0.1, 1e30, -1e-30]))
tables = st.builds(
    lambda descriptor, data: {"LUTDescriptor": descriptor, "LUTData": data},
    st.lists(st.integers(0, 65535), min_size=3, max_size=3),
    st.lists(st.integers(0, 65535), max_size=8).map(lambda v: struct.pack(f"<{len(v)}H", *v)),
)
display = st.fixed_dictionaries(
    {},
    optional={
        "WindowCenter": st.lists(decimals, max_size=2),
        "WindowWidth": st.lists(decimals, max_size=2),
        "VOILUTFunction": st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID", "OTHER"]),
        "RescaleSlope": decimals,
        "RescaleIntercept": decimals,
        "PixelPaddingValue": st.integers(0, 65535),
        "PixelPaddingRangeLimit": st.integers(0, 65535),
        "BitsStored": st.integers(1, 16),
        "PixelSpacing": st.lists(decimals, min_size=2, max_size=2),
        "PixelAspectRatio": st.lists(st.integers(-1, 9999), min_size=2, max_size=2),
        "ShutterShape": st.lists(
            st.sampled_from(["RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"]), min_size=1, max_size=3
        ),
        "ShutterLeftVerticalEdge": integers,
        "ShutterRightVerticalEdge": integers,
        "ShutterUpperHorizontalEdge": integers,
        "ShutterLowerHorizontalEdge": integers,
        "CenterOfCircularShutter": st.lists(integers, min_size=2, max_size=2),
        "RadiusOfCircularShutter": integers,
        "VerticesOfThePolygonalShutter": st.lists(integers, max_size=9),
        "ShutterPresentationValue": st.integers(0, 65535),
        "PresentationLUTShape": st.sampled_from(["IDENTITY", "INVERSE", "OTHER"]),
    },
)
graphics = st.fixed_dictionaries(
    {},
    optional={
        "GraphicType": st.sampled_from(["POINT", "POLYLINE", "CIRCLE", "ELLIPSE", "INTERPOLATED", "OTHER"]),
        "GraphicData": st.lists(st.floats(-1e6, 1e6, width=32), max_size=9),
        "GraphicAnnotationUnits": st.sampled_from(["PIXEL", "DISPLAY"]),
        "GraphicFilled": st.sampled_from(["Y", "N"]),
        "UnformattedTextValue": st.sampled_from(["", "text", "two\r\nlines"]),
        "AnchorPoint": st.lists(st.floats(-1e4, 1e4, width=32), max_size=3),
    },
)
areas = st.fixed_dictionaries(
    {},
    optional={
        "DisplayedAreaTopLeftHandCorner": st.lists(st.integers(-9, 99), max_size=3),
        "DisplayedAreaBottomRightHandCorner": st.lists(st.integers(-9, 99), max_size=3),
        "PresentationSizeMode": st.sampled_from(["MAGNIFY", "TRUE SIZE", "SCALE TO FIT"]),
        "PresentationPixelMagnificationRatio": st.sampled_from([0.0, -1.0, 0.001, 2.5]),
        "PresentationPixelAspectRatio": st.lists(st.integers(-1, 99), min_size=2, max_size=2),
    },
)


def item(attributes: dict[str, Any]) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@FEW
@given(attributes=display, table=st.none() | tables)
@pytest.mark.filterwarnings("ignore")
def test_no_data_set_is_an_error_of_ours(attributes: dict[str, Any], table: dict[str, Any] | None) -> None:
    ds = slice_dataset(1, rows=6, columns=4, **attributes)
    if table is not None:
        ds.VOILUTSequence = [item(table)]
    node = Node()
    node.publish(ds)
    client = Client(node.app)
    for tail in ("/rendered", "/rendered?viewport=20,20&annotation=technique", "/thumbnail"):
        assert client.get(URL + tail).status_code in {200, 406}, tail


@FEW
@given(attributes=display, graphic=graphics, area=areas, rotation=integers, table=st.none() | tables)
@pytest.mark.filterwarnings("ignore")
def test_no_presentation_state_is_an_error_of_ours(
    attributes: dict[str, Any],
    graphic: dict[str, Any],
    area: dict[str, Any],
    rotation: int,
    table: dict[str, Any] | None,
) -> None:
    node = Node()
    node.publish(slice_dataset(1, rows=6, columns=4))
    state = slice_dataset(1, series="2.25.30")
    for keyword in ("Rows", "Columns", "PixelData", "BitsStored"):
        delattr(state, keyword)
    state.SOPClassUID = state.file_meta.MediaStorageSOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    for keyword, value in attributes.items():
        if keyword not in {"BitsStored", "WindowCenter", "WindowWidth"}:
            setattr(state, keyword, value)
    series = item({"SeriesInstanceUID": "2.25.20"})
    series.ReferencedImageSequence = [item({"ReferencedSOPInstanceUID": "2.25.20.1"})]
    state.ReferencedSeriesSequence = [series]
    state.ImageRotation = max(0, rotation) % 65536
    state.DisplayedAreaSelectionSequence = [item(area)]
    layer = Dataset()
    layer.GraphicObjectSequence = layer.TextObjectSequence = [item(graphic)]
    state.GraphicAnnotationSequence = [layer]
    if table is not None:
        state.PresentationLUTSequence = [item(table)]
    entry = node.publish(state)
    url = f"/dicom-web/studies/2.25.10/series/2.25.30/instances/{entry.sop_instance_uid}/rendered"
    client = Client(node.app)
    for query in ("", "?viewport=30,20"):
        assert client.get(url + query).status_code in {200, 406}
