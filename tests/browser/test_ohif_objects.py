"""OHIF on what other nodes, archives and models make: compressed pixels, documents, searches."""

import base64
import json

import dicomweb_node
import numpy as np
import pytest
import web_objects

from viewer.headers import SecurityHeaders
from viewer.ohif.serving import create_router

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: Series Description to a file of pydicom's with the same 64x64 MR slice, in a transfer syntax each.
COMPRESSED = {
    "Explicit VR": "MR_small.dcm",
    "RLE": "MR_small_RLE.dcm",
    "JPEG-LS lossless": "MR_small_jpeg_ls_lossless.dcm",
    "JPEG 2000 lossless": "MR_small_jp2klossless.dcm",
}


@pytest.fixture(scope="module")
def shelf(ohif):
    """A DICOMweb service and OHIF under one origin, as the node serves them."""
    node = dicomweb_node.Node()
    node.app.include_router(create_router(ohif, site="Test", render=None))
    node.app.add_middleware(SecurityHeaders)
    for number, (description, name) in enumerate(COMPRESSED.items()):
        ds = web_objects.of_sample(name, f"2.25.4{number}")
        ds.SeriesDescription, ds.SeriesNumber = description, number + 1
        ds.StudyDate, ds.StudyDescription = "20240102", "Head"
        node.publish(ds)
    document = web_objects.document()
    document.SeriesNumber = 9
    node.publish(document)
    other = dicomweb_node.slice_dataset(
        1, study="2.25.11", series="2.25.30", PatientName="Other^Two", PatientID="P-2", StudyDate="20230505"
    )
    node.publish(other)
    with dicomweb_node.Served(node.app) as server:
        node.url = server.url.removesuffix("/dicom-web")
        yield node


def test_study_list_is_searched_by_part_of_a_name(shelf, open_page, expecting):
    page = open_page(shelf.url + "/viewer/", width=1400)
    expecting(page.get_by_text("Other").first).to_be_visible(timeout=60_000)
    expecting(page.get_by_text("Pseudo").first).to_be_visible()
    page.get_by_role("row", name="Reset filters").get_by_role("textbox").first.fill("oth")
    expecting(page.get_by_text("Pseudo")).to_have_count(0, timeout=30_000)
    expecting(page.get_by_text("Other").first).to_be_visible()


@pytest.mark.parametrize("description", list(COMPRESSED))
def test_pixels_are_those_that_were_stored(shelf, view, description):
    viewer = view(shelf, "/viewer/viewer?StudyInstanceUIDs=2.25.10")
    viewer.wait_series(5)
    viewer.open(description)
    drawn = viewer.page.wait_for_function(
        """(text) => {
          const {viewportGridService: grid, cornerstoneViewportService: views} = window.services;
          const view = views.getCornerstoneViewport(grid.getActiveViewportId());
          const [id] = view?.getImageIds?.() ?? [];
          const image = id && window.cornerstone.cache.getImage(id);
          const shown = window.services.displaySetService.getDisplaySetByUID(
            grid.getState().viewports.get(grid.getActiveViewportId()).displaySetInstanceUIDs[0]);
          if (!image || !shown?.SeriesDescription?.startsWith(text)) return null;
          return JSON.stringify(Array.from(image.getPixelData()));
        }""",
        arg=description,
        timeout=60_000,
    )
    expected = web_objects.of_sample(COMPRESSED[description], "2.25.40").pixel_array.ravel()
    assert np.array_equal(np.asarray(json.loads(drawn.json_value())), expected)


def test_encapsulated_pdf_opens_whole(shelf, view):
    viewer = view(shelf, "/viewer/viewer?StudyInstanceUIDs=2.25.10")
    viewer.wait_series(5)
    viewer.open("report")
    frame = viewer.page.locator('object[type="application/pdf"], iframe, embed').first
    frame.wait_for(state="attached", timeout=60_000)
    found = viewer.page.evaluate(
        """async (frame) => {
          const answer = await fetch(frame.data || frame.src);
          return btoa(String.fromCharCode(...new Uint8Array(await answer.arrayBuffer())));
        }""",
        frame.element_handle(),
    )
    expected = web_objects.document()
    content = base64.b64decode(found)
    assert content.rstrip(b"\0") == expected.EncapsulatedDocument[: expected.EncapsulatedDocumentLength]
