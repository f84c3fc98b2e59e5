"""npm's dicomweb-client, the library that OHIF uses, in Chromium against the service behind a real server."""

import base64
import io

import dicomweb_node
import pydicom
import pytest
from npm_package import npm_file
from pydicom.encaps import generate_frames

pytestmark = [pytest.mark.browser, pytest.mark.integration]

VERSION = "0.11.3"
INTEGRITY = "sha512-7t1Rc/01fyFnKlQeNPW9Pvxvmsx8R/BgB2n7BxTuWirRFwlTC5upEeLeS3vO72P+n6/SQZ3+5ij0bgaWDHQG/A=="
UIDS = {"studyInstanceUID": "2.25.10", "seriesInstanceUID": "2.25.20", "sopInstanceUID": "2.25.20.2"}

#: Calls a method; binary results come back in base64, with what the client read from the part's headers.
CALL = """async ([method, options]) => {
  const inBase64 = (part) => {
    const bytes = new Uint8Array(part.buffer ?? part, part.byteOffset ?? 0, part.byteLength);
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return {content: btoa(text), contentType: part.contentType, transferSyntax: part.transferSyntaxUID};
  };
  const plain = (value) => {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return inBase64(value);
    return Array.isArray(value) ? value.map(plain) : value;
  };
  if (options.datasets) {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    options.datasets = options.datasets.map((text) => bytes(text).buffer);
  }
  try {
    return {value: plain(await window.client[method](options))};
  } catch (error) {
    return {status: error.status, problem: String(error.message)};
  }
}"""


class WebClient:
    """The client in a page; `call` gives its answer, bytes as `bytes`."""

    def __init__(self, page, url, **options):
        self._page = page
        page.evaluate(
            "(options) => { window.client = new window.DICOMwebClient.api.DICOMwebClient(options); }",
            {"url": url, "verbose": False, **options},
        )

    def ask(self, method, **options):
        return self._page.evaluate(CALL, [method, options])

    def call(self, method, **options):
        answer = self.ask(method, **options)
        assert "value" in answer, answer
        return answer["value"]


def content(part):
    return base64.b64decode(part["content"])


@pytest.fixture(scope="module")
def service():
    node = dicomweb_node.Node()
    for number in (1, 2, 3):
        node.publish(dicomweb_node.slice_dataset(number))
    with dicomweb_node.Served(node.app) as server:
        node.url = server.url
        yield node


@pytest.fixture(scope="module")
def page(chromium, service):
    script = npm_file("dicomweb-client", VERSION, INTEGRITY, "build/dicomweb-client.js")
    page = chromium.new_page(bypass_csp=True)
    # Any answer of the service will do: the page shares its origin.
    page.goto(f"{service.url}/studies")
    page.add_script_tag(path=script)
    yield page
    page.close()


@pytest.fixture
def client(page, service):
    return WebClient(page, service.url)


def test_search_at_all_levels(client):
    studies = client.call("searchForStudies", queryParams={"PatientID": "P-1", "includefield": "00081030"})
    assert [study["0020000D"]["Value"] for study in studies] == [["2.25.10"]]
    assert studies[0]["00081030"]["Value"] == ["Head"]
    series = client.call("searchForSeries", studyInstanceUID="2.25.10")
    assert series[0]["00201209"]["Value"] == [3]
    instances = client.call(
        "searchForInstances", studyInstanceUID="2.25.10", queryParams={"limit": 2, "offset": 1}
    )
    assert len(instances) == 2
    assert client.call("searchForStudies", queryParams={"PatientID": "nobody"}) == []


def test_metadata_at_all_levels(client):
    study = client.call("retrieveStudyMetadata", studyInstanceUID="2.25.10")
    series = client.call("retrieveSeriesMetadata", studyInstanceUID="2.25.10", seriesInstanceUID="2.25.20")
    assert study == series
    assert len(series) == 3
    one = client.call("retrieveInstanceMetadata", **UIDS)
    assert one == [series[1]]


def test_bulk_data_that_metadata_names_is_fetched(client, service, page):
    (model,) = client.call("retrieveInstanceMetadata", **UIDS)
    uri = model["7FE00010"]["BulkDataURI"]
    expected = dicomweb_node.slice_dataset(2).PixelData[: 7 * 5 * 2]
    (part,) = client.call("retrieveBulkData", BulkDataURI=uri)
    assert content(part)[: 7 * 5 * 2] == expected
    single = WebClient(page, service.url, singlepart="bulkdata")
    (part,) = single.call("retrieveBulkData", BulkDataURI=uri, headers={"Accept": "*/*"})
    assert content(part)[: 7 * 5 * 2] == expected


def test_instances_come_as_files(client):
    instance = client.call("retrieveInstance", **UIDS)
    assert pydicom.dcmread(io.BytesIO(content(instance))).SOPInstanceUID == "2.25.20.2"
    series = client.call("retrieveSeries", studyInstanceUID="2.25.10", seriesInstanceUID="2.25.20")
    study = client.call("retrieveStudy", studyInstanceUID="2.25.10")
    for files in (series, study):
        found = [pydicom.dcmread(io.BytesIO(content(part))).InstanceNumber for part in files]
        assert sorted(found) == [1, 2, 3]


def test_frames_come_native_and_as_stored(client, service):
    (frame,) = client.call("retrieveInstanceFrames", frameNumbers=[1], **UIDS)
    assert content(frame) == dicomweb_node.slice_dataset(2).PixelData[: 7 * 5 * 2]
    stored = dicomweb_node.sample_bytes("JPEG2000.dcm")
    ds = pydicom.dcmread(io.BytesIO(stored))
    service.publish(stored)
    uids = {
        "studyInstanceUID": ds.StudyInstanceUID,
        "seriesInstanceUID": ds.SeriesInstanceUID,
        "sopInstanceUID": ds.SOPInstanceUID,
        "frameNumbers": [1],
    }
    wanted = [{"mediaType": "image/jp2", "transferSyntaxUID": str(ds.file_meta.TransferSyntaxUID)}]
    (compressed,) = client.call("retrieveInstanceFrames", mediaTypes=wanted, **uids)
    assert content(compressed).rstrip(b"\0") == next(generate_frames(ds.PixelData)).rstrip(b"\0")
    assert compressed["transferSyntax"] == ds.file_meta.TransferSyntaxUID


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
def test_rendered_and_thumbnail(client, kind):
    start = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG"}[kind]
    for method, more in (
        ("retrieveInstanceRendered", {}),
        ("retrieveInstanceFramesRendered", {"frameNumbers": [1]}),
    ):
        shown = client.call(method, mediaTypes=[{"mediaType": kind}], **UIDS, **more)
        shown = shown[0] if isinstance(shown, list) else shown
        assert content(shown).startswith(start), method
    thumbnail = client.call("retrieveInstanceThumbnail", **UIDS)
    thumbnail = thumbnail[0] if isinstance(thumbnail, list) else thumbnail
    assert content(thumbnail).startswith((b"\xff\xd8\xff", b"\x89PNG"))


def test_instances_are_stored(client, service):
    ds = dicomweb_node.slice_dataset(9, study="2.25.77", series="2.25.78")
    data = base64.b64encode(dicomweb_node.to_bytes(ds)).decode()
    client.call("storeInstances", datasets=[data])
    assert "2.25.78.9" in service.receiver.kept
    refused = client.ask("storeInstances", datasets=[data], studyInstanceUID="2.25.1")
    assert refused["status"] == 409


def test_errors_keep_their_status(client):
    answer = client.ask("retrieveStudyMetadata", studyInstanceUID="2.25.404")
    assert answer["status"] == 404
    answer = client.ask("searchForStudies", queryParams={"NoSuchKeyword": "1"})
    assert answer["status"] == 400
