"""dicomweb-client (Python) against the service behind a real server."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.encaps import generate_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture
def served(node: Any, support: Any) -> Iterator[Any]:
    with support.Served(node.app) as server:
        yield server


@pytest.fixture
def web(served: Any) -> DICOMwebClient:
    return DICOMwebClient(served.url)


@pytest.fixture
def filled(node: Any, support: Any) -> list[pydicom.Dataset]:
    datasets = [support.slice_dataset(n) for n in (1, 2, 3)]
    for ds in datasets:
        node.publish(ds)
    return datasets


UIDS = ("2.25.10", "2.25.20", "2.25.20.2")


def test_search_at_all_levels(web: DICOMwebClient, filled: list[pydicom.Dataset]) -> None:
    studies = web.search_for_studies(
        search_filters={"PatientID": "P-1"}, fields=["StudyDescription"], limit=5
    )
    study = pydicom.Dataset.from_json(studies[0])
    assert (study.StudyInstanceUID, study.StudyDescription) == ("2.25.10", "Head")
    assert study.NumberOfStudyRelatedInstances == 3
    series = pydicom.Dataset.from_json(web.search_for_series("2.25.10")[0])
    assert (series.Modality, series.NumberOfSeriesRelatedInstances) == ("MR", 3)
    found = web.search_for_instances("2.25.10", "2.25.20", search_filters={"InstanceNumber": 2})
    assert [pydicom.Dataset.from_json(row).SOPInstanceUID for row in found] == ["2.25.20.2"]
    assert web.search_for_studies(search_filters={"PatientID": "nobody"}) == []


def test_paging_reaches_every_instance(
    web: DICOMwebClient, filled: list[pydicom.Dataset], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = web.search_for_instances(limit=2, get_remaining=True)
    assert len(found) == 3
    assert "There are 1 additional results" in caplog.text


def test_store_reports_every_instance(web: DICOMwebClient, node: Any, support: Any) -> None:
    datasets = [support.slice_dataset(n) for n in (1, 2)]
    response = web.store_instances(datasets)
    assert [i.ReferencedSOPInstanceUID for i in response.ReferencedSOPSequence] == ["2.25.20.1", "2.25.20.2"]
    assert response.RetrieveURL.endswith(f"/dicom-web/studies/{support.pseudonym('2.25.10')}")
    assert len(node.receiver.kept) == 2


def test_large_store_goes_in_chunks(served: Any, node: Any, support: Any) -> None:
    web = DICOMwebClient(served.url, chunk_size=10_000)
    web.store_instances([support.slice_dataset(n, rows=200, columns=200) for n in range(1, 6)], "2.25.10")
    assert len(node.receiver.kept) == 5


def test_retrieve_at_all_levels(web: DICOMwebClient, filled: list[pydicom.Dataset]) -> None:
    assert len(web.retrieve_study("2.25.10")) == 3
    assert len(web.retrieve_series("2.25.10", "2.25.20")) == 3
    assert web.retrieve_instance(*UIDS).PixelData == filled[1].PixelData
    assert [ds.SOPInstanceUID for ds in web.iter_study("2.25.10")] == [f"2.25.20.{n}" for n in (1, 2, 3)]


def test_metadata_reads_back_as_data_sets(web: DICOMwebClient, filled: list[pydicom.Dataset]) -> None:
    assert len(web.retrieve_study_metadata("2.25.10")) == 3
    assert len(web.retrieve_series_metadata("2.25.10", "2.25.20")) == 3
    model = web.retrieve_instance_metadata(*UIDS)
    uri = model["7FE00010"].pop("BulkDataURI")
    ds = pydicom.Dataset.from_json(model)
    assert (ds.Rows, ds.PatientName, ds.InstanceNumber) == (7, "Pseudo^One", 2)
    assert web.retrieve_bulkdata(uri)[0] == filled[1].PixelData


def test_frames_and_rendered(web: DICOMwebClient, filled: list[pydicom.Dataset]) -> None:
    assert web.retrieve_instance_frames(*UIDS, frame_numbers=[1]) == [filled[1].PixelData]
    octets = (("application/octet-stream", "1.2.840.10008.1.2.1"),)
    assert list(web.iter_instance_frames(*UIDS, [1], media_types=octets)) == [filled[1].PixelData]
    assert web.retrieve_instance_rendered(*UIDS, media_types=("image/png",)).startswith(b"\x89PNG")
    jpeg = web.retrieve_instance_frames_rendered(
        *UIDS, [1], media_types=("image/jpeg",), params={"quality": 50}
    )
    assert jpeg.startswith(b"\xff\xd8")
    assert web.retrieve_series_rendered(*UIDS[:2], media_types=("image/jpeg",)).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("MR_small_jp2klossless.dcm", "image/jp2"),
        ("MR_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("MR_small_RLE.dcm", "image/dicom-rle"),
        ("SC_rgb_jpeg_gdcm.dcm", "image/jpeg"),
    ],
)
def test_compressed_instances_stored_and_decoded(
    web: DICOMwebClient, node: Any, support: Any, name: str, media_type: str
) -> None:
    data = support.sample_bytes(name)
    entry, ds = node.publish(data), pydicom.dcmread(io.BytesIO(data))
    uids = (entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid)
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    kinds = ((media_type, entry.transfer_syntax_uid),)
    assert web.retrieve_instance_frames(*uids, [1], media_types=kinds) == [frame]
    assert web.retrieve_instance_frames(*uids, [1]) == [ds.pixel_array.tobytes()]
    stored = web.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))
    assert stored.file_meta.TransferSyntaxUID == entry.transfer_syntax_uid
    np.testing.assert_array_equal(web.retrieve_instance(*uids).pixel_array, ds.pixel_array)


def test_errors_reach_the_client_as_status_codes(web: DICOMwebClient, filled: list[pydicom.Dataset]) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        web.retrieve_study_metadata("2.25.99")
    with pytest.raises(requests.HTTPError, match="400"):
        web.search_for_studies(search_filters={"Modality": "MR"})


def test_body_over_the_limit_is_answered_while_it_is_sent(support: Any) -> None:
    small = support.Node(max_upload_bytes=1000)
    with support.Served(small.app) as server:
        body, kind = support.multipart(bytes(3_000_000))
        response = requests.post(f"{server.url}/studies", data=body, headers=kind, timeout=20)
        assert response.status_code == 413


def test_client_that_goes_away_stores_nothing_half(support: Any, node: Any, served: Any) -> None:
    data = support.to_bytes(support.slice_dataset(1))
    body, kind = support.multipart(data)
    port = int(served.url.split(":")[2].split("/")[0])
    with support.socket.create_connection(("127.0.0.1", port)) as peer:
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += f"Content-Type: {kind['Content-Type']}\r\n\r\n"
        peer.sendall(head.encode() + body[: len(body) // 2])
    response = requests.post(f"{served.url}/studies", data=body, headers=kind, timeout=20)
    assert response.status_code == 200
    assert node.receiver.kept == {"2.25.20.1": data}
