"""WADO-RS instances, metadata and bulk data, one test a clause (PS3.18 §10.4)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from web_objects import instance_path

from dicom_node.domain.catalog import CatalogKind
from dicom_node.domain.errors import StorageFailure

S, R = "/dicom-web/studies/2.25.10", "/dicom-web/studies/2.25.10/series/2.25.20"
DICOM = 'multipart/related; type="application/dicom"'
ANY = f"{DICOM}; transfer-syntax=*"
COMPRESSED = [
    "MR_small_jp2klossless.dcm",
    "JPEG2000.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_RLE.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "examples_ybr_color.dcm",
]
NATIVE = [
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "rtdose_expb.dcm",
    "liver_expb.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "image_dfl.dcm",
    "SC_rgb_small_odd.dcm",
]


def url_of(entry: Any) -> str:
    return instance_path(entry)


@pytest.mark.clause("10.4.1.1.1")
@pytest.mark.parametrize(("url", "which"), [(S, [0, 1, 2]), (R, [0, 1]), (f"{R}/instances/2.25.20.2", [1])])
@pytest.mark.parametrize(
    "accept",
    [
        DICOM,
        ANY,
        "*/*",
        None,
        "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
    ],
)
def test_study_series_and_instance_come_as_stored_bytes(
    client: Any, study: list[bytes], support: Any, url: str, which: list[int], accept: str | None
) -> None:
    response = client.get(url, accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(
        'multipart/related; type="application/dicom"; boundary='
    )
    parts = support.parts_of(response)
    assert [content for _, content in parts] == [study[i] for i in which]
    assert parts[0][0]["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert parts[0][0]["content-location"].startswith("http://node.test/dicom-web/studies/2.25.10/series/")


@pytest.mark.clause("8.7.3.5")
def test_one_instance_can_come_as_a_single_part(client: Any, study: list[bytes]) -> None:
    response = client.get(f"{R}/instances/2.25.20.1", "application/dicom")
    assert response.headers["content-type"].startswith("application/dicom;")
    assert response.content == study[0]
    assert client.get(R, "application/dicom").status_code == 406


@pytest.mark.clause("8.7.3.5.2")
@pytest.mark.parametrize("name", COMPRESSED)
def test_any_transfer_syntax_gives_the_stored_bytes(client: Any, node: Any, support: Any, name: str) -> None:
    data = support.sample_bytes(name)
    entry = node.publish(data)
    for accept in (ANY, f"{DICOM}; transfer-syntax={entry.transfer_syntax_uid}"):
        headers, content = support.parts_of(client.get(url_of(entry), accept))[0]
        assert content == data
        assert headers["content-type"].endswith(f"transfer-syntax={entry.transfer_syntax_uid}")


@pytest.mark.clause("8.7.3.2")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [*COMPRESSED, *NATIVE])
def test_no_transfer_syntax_gives_explicit_little_endian_with_the_same_pixels(
    client: Any, node: Any, support: Any, name: str
) -> None:
    data = support.sample_bytes(name)
    entry = node.publish(data)
    _, content = support.parts_of(client.get(url_of(entry), DICOM))[0]
    given, stored = pydicom.dcmread(io.BytesIO(content)), pydicom.dcmread(io.BytesIO(data))
    assert given.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert given.SOPInstanceUID == stored.SOPInstanceUID
    np.testing.assert_array_equal(given.pixel_array, stored.pixel_array)
    for element in stored:
        if element.VR not in {"OB", "OW", "UN", "SQ"} and element.tag.group != 0x0028 and element.tag.element:
            assert given[element.tag].value == element.value


@pytest.mark.clause("8.7.3.2")
def test_lookup_tables_of_big_endian_files_are_turned_too(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("OBXXXX1A_expb.dcm"))
    _, content = support.parts_of(client.get(url_of(entry), ANY))[0]
    given = pydicom.dcmread(io.BytesIO(content))
    reference = pydicom.dcmread(io.BytesIO(support.sample_bytes("OBXXXX1A.dcm")))
    assert given.RedPaletteColorLookupTableData == reference.RedPaletteColorLookupTableData
    assert given.PixelData == reference.PixelData


@pytest.mark.clause("8.7.3")
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_implicit_and_big_endian_are_never_sent(client: Any, node: Any, support: Any, syntax: str) -> None:
    names = {"1.2.840.10008.1.2": "MR_small_implicit.dcm", "1.2.840.10008.1.2.2": "MR_small_bigendian.dcm"}
    entry = node.publish(support.sample_bytes(names[syntax]))
    assert client.get(url_of(entry), f"{DICOM}; transfer-syntax={syntax}").status_code == 406
    headers, _ = support.parts_of(client.get(url_of(entry), ANY))[0]
    assert headers["content-type"].endswith("1.2.840.10008.1.2.1")


@pytest.mark.clause("8.7.3.5.2")
def test_study_of_mixed_transfer_syntaxes_comes_as_stored(client: Any, node: Any, support: Any) -> None:
    data = support.to_bytes(support.slice_dataset(1))
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("MR_small_RLE.dcm")))
    ds.StudyInstanceUID = "2.25.10"
    other = support.to_bytes(ds)
    node.publish(data), node.publish(other)
    parts = support.parts_of(client.get(S, ANY))
    assert {content for _, content in parts} == {data, other}
    assert len(support.parts_of(client.get(S, DICOM))) == 2


@pytest.mark.clause("8.7.8")
@pytest.mark.parametrize(
    "accept",
    [
        "image/jpeg",
        'multipart/related; type="image/jpeg"',
        f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50",
        "text/css;q=0.5",
    ],
)
def test_what_cannot_be_given_is_406(client: Any, study: list[bytes], accept: str) -> None:
    response = client.get(f"{R}/instances/2.25.20.1", accept)
    assert response.status_code == 406
    assert "application/dicom" in response.json()["detail"]


@pytest.mark.clause("8.7.8")
def test_undecodable_pixels_are_406_and_still_given_as_stored(client: Any, node: Any, support: Any) -> None:
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("MR_small_jp2klossless.dcm")))
    ds.PixelData = pydicom.encaps.encapsulate([b"no JPEG 2000 at all!"])
    entry = node.publish(ds)
    assert client.get(url_of(entry), DICOM).status_code == 406
    assert client.get(url_of(entry), ANY).status_code == 200
    assert client.get(f"{url_of(entry)}/frames/1", "*/*").status_code == 406


@pytest.mark.clause("8.5")
@pytest.mark.parametrize(
    "tail",
    [
        "",
        "/metadata",
        "/rendered",
        "/thumbnail",
        "/bulkdata",
        "/series/2.25.98",
        "/series/2.25.98/instances/2.25.99",
        "/series/2.25.98/instances/2.25.99/frames/1",
    ],
)
def test_unknown_is_404(client: Any, study: list[bytes], tail: str) -> None:
    assert client.get(f"/dicom-web/studies/2.25.97{tail}").status_code == 404


@pytest.mark.clause("8.5")
@pytest.mark.parametrize(
    "tail", ["", "/metadata", "/rendered", "/thumbnail", "/frames/1", "/bulkdata/7FE00010"]
)
def test_purged_is_410(client: Any, node: Any, support: Any, tail: str) -> None:
    entry = node.publish(support.slice_dataset(1), CatalogKind.SOURCE)
    assert client.get(url_of(entry) + tail).status_code == 200
    node.catalog.withdraw_sources("id-1")
    response = client.get(url_of(entry) + tail)
    assert response.status_code == 410
    assert response.json()["code"] == "gone"


@pytest.mark.clause("8.5")
@pytest.mark.parametrize("tail", ["", "/frames/1", "/rendered"])
def test_storage_failure_is_503_even_for_a_multipart_response(
    client: Any, node: Any, study: list[bytes], tail: str
) -> None:
    node.failure = StorageFailure("the store does not answer")
    response = client.get(f"{R}/instances/2.25.20.1{tail}")
    assert response.status_code == 503
    assert "retry-after" in response.headers


@pytest.mark.clause("8.4")
def test_etag_saves_the_body_and_differs_between_representations(
    client: Any, study: list[bytes], node: Any
) -> None:
    url = f"{R}/instances/2.25.20.1"
    first = client.get(url, ANY)
    reads = sum(node.reads.values())
    again = client.get(url, ANY, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert sum(node.reads.values()) == reads
    assert client.get(f"{url}/metadata").headers["etag"] != first.headers["etag"]


@pytest.mark.clause("8.4")
def test_inputs_are_revalidated_so_that_a_purge_shows(client: Any, node: Any, support: Any) -> None:
    source = node.publish(support.slice_dataset(1), CatalogKind.SOURCE)
    result = node.publish(support.slice_dataset(5, series="2.25.77"))
    assert client.get(url_of(source)).headers["cache-control"] == "private, no-cache"
    assert client.get(url_of(result)).headers["cache-control"] == "private, max-age=3600, immutable"


@pytest.mark.clause("10.4.1.1.2")
@pytest.mark.parametrize(("url", "count"), [(S, 3), (R, 2), (f"{R}/instances/2.25.20.1", 1)])
def test_metadata_at_three_levels_is_one_array(client: Any, study: list[bytes], url: str, count: int) -> None:
    response = client.get(f"{url}/metadata", "application/dicom+json")
    assert response.headers["content-type"] == "application/dicom+json"
    models = response.json()
    assert len(models) == count
    for model in models:
        assert list(model) == sorted(model)
        assert model["00280010"] == {"vr": "US", "Value": [7]}
        assert "Value" not in model["7FE00010"]


@pytest.mark.clause("10.4.3.3.2")
def test_metadata_of_small_instances_needs_no_file(client: Any, node: Any, study: list[bytes]) -> None:
    client.get(f"{S}/metadata")
    assert not node.reads


@pytest.mark.clause("10.4.3.3.2")
def test_metadata_holds_the_full_data_set_with_nested_sequences(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("eCT_Supplemental.dcm"))
    model = client.get(f"{url_of(entry)}/metadata").json()[0]
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("eCT_Supplemental.dcm")))
    groups = model["52009230"]["Value"]
    assert len(groups) == len(ds.PerFrameFunctionalGroupsSequence) == 2
    position = groups[1]["00209113"]["Value"][0]["00200032"]["Value"]
    assert position == list(
        ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient
    )
    assert {f"{e.tag:08X}" for e in ds if e.tag.element} <= set(model)
    assert model["00083002"]["Value"] == [entry.transfer_syntax_uid]


@pytest.mark.clause("10.4.3.3.2")
def test_metadata_is_the_same_from_index_and_file(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.slice_dataset(1, PatientComments="x" * 900))
    fast = client.get(f"{url_of(entry)}/metadata").json()
    assert not node.reads
    del entry.attributes["00104000"]["Value"]
    entry.attributes["00104000"]["BulkDataURI"] = "bulkdata/00104000"
    slow = client.get(f"{url_of(entry)}/metadata").json()
    assert node.reads
    assert slow == fast


@pytest.mark.clause("8.7.3.2")
def test_metadata_comes_as_xml_when_asked(client: Any, study: list[bytes], support: Any) -> None:
    response = client.get(f"{S}/metadata", 'multipart/related; type="application/dicom+xml"')
    parts = support.parts_of(response)
    assert len(parts) == 3
    assert b'keyword="Rows"' in parts[0][1]
    assert b"<BulkData uri=" in parts[0][1]
