"""STOW-RS of metadata and bulk data, one test a clause (PS3.18 §10.5.1.4, §8.7.3)."""

from __future__ import annotations

import io
import json
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from dicomweb.native_model import to_xml

pytestmark = pytest.mark.clause("10.5.1.4")
URL = "/dicom-web/studies"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PIXELS = "http://client.test/bulk/1"
#: Last digits of the transfer syntaxes that lose something.
LOSSY = {".50", ".51", ".81", ".91"}
IMAGE = {
    "00280002": ("US", 1),
    "00280004": ("CS", "MONOCHROME2"),
    "00280010": ("US", 3),
    "00280011": ("US", 5),
    "00280100": ("US", 16),
    "00280101": ("US", 12),
    "00280102": ("US", 11),
    "00280103": ("US", 0),
}


def model(number: int = 1, **more: tuple[str, Any]) -> dict[str, Any]:
    attributes = {
        "00080016": ("UI", SECONDARY_CAPTURE),
        "00080018": ("UI", f"2.25.3.{number}"),
        "0020000D": ("UI", "2.25.1"),
        "0020000E": ("UI", "2.25.2"),
        "00080060": ("CS", "OT"),
        "00100010": ("PN", {"Alphabetic": "Müller^Ä"}),
        **more,
    }
    return {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in attributes.items()} | {
        "7FE00010": {"vr": "OW", "BulkDataURI": PIXELS}
    }


def part(kind: str, content: bytes, location: str | None = PIXELS) -> bytes:
    head = f"--b\r\nContent-Type: {kind}\r\n"
    if location is not None:
        head += f"Content-Location: {location}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"


def metadata(*models: dict[str, Any]) -> bytes:
    return part("application/dicom+json", json.dumps(models).encode(), None)


def post(client: Any, *parts: bytes, kind: str = "application/dicom+json", url: str = URL) -> Any:
    headers = {"Content-Type": f'multipart/related; type="{kind}"; boundary=b'}
    return client.post(url, content=b"".join(parts) + b"--b--\r\n", headers=headers)


def stored(node: Any, uid: str = "2.25.3.1") -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(node.receiver.kept[uid]))


def reason(response: Any, at: int = 0) -> int:
    found: int = response.json()["00081198"]["Value"][at]["00081197"]["Value"][0]
    return found


def picture(rows: int = 6, columns: int = 4, samples: int = 1, dtype: Any = np.uint8) -> Any:
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    return (np.arange(np.prod(shape)).reshape(shape) * 5).astype(dtype)


def encoded(pixels: Any, suffix: str = ".png", *options: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels, options)
    assert done
    return bytes(data)


def frames_of(support: Any, name: str) -> tuple[pydicom.Dataset, list[bytes]]:
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes(name)))
    count = int(ds.get("NumberOfFrames", 1))
    return ds, list(generate_frames(ds.PixelData, number_of_frames=count))


def test_native_pixel_data_with_json_becomes_an_instance(client: Any, node: Any) -> None:
    pixels = bytes(range(30))
    response = post(client, metadata(model(**IMAGE)), part("application/octet-stream", pixels))
    assert response.status_code == 200, response.text
    ds = stored(node)
    assert ds.PixelData == pixels
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert str(ds.PatientName) == "Müller^Ä"


def test_the_same_in_xml_with_one_part_an_instance(client: Any, node: Any) -> None:
    first, second = (to_xml(model(n, **IMAGE)) for n in (1, 2))
    body = [part("application/dicom+xml", document, None) for document in (first, second)]
    response = post(client, *body, part("application/octet-stream", bytes(30)), kind="application/dicom+xml")
    assert response.status_code == 200, response.text
    assert stored(node, "2.25.3.2").PixelData == bytes(30)
    assert str(stored(node).PatientName) == "Müller^Ä"


def test_metadata_alone_is_an_instance_without_bulk_data(client: Any, node: Any) -> None:
    plain = {tag: value for tag, value in model().items() if tag != "7FE00010"}
    headers = {"Content-Type": "application/dicom+json"}
    assert client.post(URL, content=json.dumps([plain]), headers=headers).status_code == 200
    assert "PixelData" not in stored(node)


@pytest.mark.clause("8.7.3")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SC_rgb_jpeg_dcmtk.dcm", "image/jpeg"),
        ("JPGExtended.dcm", "image/jpeg"),
        ("JPEG-LL.dcm", "image/jpeg"),
        ("MR_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("JPEGLSNearLossless_08.dcm", "image/jls"),
        ("US1_J2KR.dcm", "image/jp2"),
        ("US1_J2KI.dcm", "image/jp2"),
        ("emri_small_jpeg_2k_lossless.dcm", "image/jp2"),
        ("emri_small_jpeg_ls_lossless.dcm", "image/jls"),
    ],
)
def test_compressed_pictures_stay_as_they_are_and_describe_the_image(
    client: Any, node: Any, support: Any, name: str, kind: str
) -> None:
    source, frames = frames_of(support, name)
    response = post(client, metadata(model()), *(part(kind, frame) for frame in frames))
    assert response.status_code == 200, response.headers
    ds = stored(node)
    assert ds.file_meta.TransferSyntaxUID == source.file_meta.TransferSyntaxUID
    assert (ds.Rows, ds.Columns, ds.SamplesPerPixel) == (source.Rows, source.Columns, source.SamplesPerPixel)
    assert ds.BitsAllocated == source.BitsAllocated
    assert int(ds.get("NumberOfFrames", 1)) == len(frames)
    kept = list(generate_frames(ds.PixelData, number_of_frames=len(frames)))
    assert [frame[: len(sent)] for frame, sent in zip(kept, frames, strict=True)] == frames
    assert ds.pixel_array.shape == source.pixel_array.shape
    assert ("LossyImageCompression" in ds) == (ds.file_meta.TransferSyntaxUID[-3:] in LOSSY)


def test_rle_frames_need_the_image_in_the_metadata(client: Any, node: Any, support: Any) -> None:
    source, frames = frames_of(support, "MR_small_RLE.dcm")
    described = {tag: ("CS" if tag == "00280004" else "US", source[int(tag, 16)].value) for tag in IMAGE}
    parts = [part("image/dicom-rle", frame) for frame in frames]
    assert post(client, metadata(model(**described)), *parts).status_code == 200
    ds = stored(node)
    assert ds.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert (ds.pixel_array == source.pixel_array).all()
    response = post(client, metadata(model(2)), *parts)
    assert response.status_code == 409
    assert reason(response) == 0xA900
    assert "Rows" in response.headers["warning"]


@pytest.mark.parametrize(
    ("pixels", "bits", "colour"),
    [
        (picture(), 8, "MONOCHROME2"),
        (picture(dtype=np.uint16), 16, "MONOCHROME2"),
        (picture(samples=3), 8, "RGB"),
        (picture(samples=3, dtype=np.uint16), 16, "RGB"),
    ],
)
def test_png_is_decoded_without_loss(client: Any, node: Any, pixels: Any, bits: int, colour: str) -> None:
    response = post(client, metadata(model()), part("image/png", encoded(pixels)))
    assert response.status_code == 200, response.headers
    ds = stored(node)
    assert (ds.BitsAllocated, ds.PhotometricInterpretation) == (bits, colour)
    assert "LossyImageCompression" not in ds
    expected = pixels if pixels.ndim == 2 else pixels[:, :, ::-1]  # OpenCV has blue first
    assert (ds.pixel_array == expected).all()


def test_several_parts_under_one_location_are_frames(client: Any, node: Any) -> None:
    frames = [picture() + n for n in range(3)]
    response = post(client, metadata(model()), *(part("image/png", encoded(f)) for f in frames))
    assert response.status_code == 200
    ds = stored(node)
    assert ds.NumberOfFrames == 3
    assert (ds.pixel_array == np.stack(frames)).all()


def test_progressive_jpeg_has_no_transfer_syntax_and_is_decoded(client: Any, node: Any) -> None:
    progressive = encoded(picture(64, 48), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert post(client, metadata(model()), part("image/jpeg", progressive)).status_code == 200
    ds = stored(node)
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert ds.LossyImageCompression == "01"
    assert ds.pixel_array.shape == (64, 48)


def test_boxes_around_a_jpeg2000_stream_are_taken_off(client: Any, node: Any) -> None:
    boxed = encoded(picture(64, 48), ".jp2")
    assert boxed[4:8] == b"jP  "
    assert post(client, metadata(model()), part("image/jp2", boxed)).status_code == 200
    (frame,) = generate_frames(stored(node).PixelData, number_of_frames=1)
    assert frame.startswith(b"\xff\x4f\xff\x51")


def test_encapsulated_document_is_kept_and_described(client: Any, node: Any) -> None:
    document = b"%PDF-1.4 odd"[:-1]
    described = {tag: value for tag, value in model().items() if tag != "7FE00010"}
    described["00080016"]["Value"] = ["1.2.840.10008.5.1.4.1.1.104.1"]
    described["00420011"] = {"vr": "OB", "BulkDataURI": "cid:report@client"}
    body = b"--b\r\nContent-Type: application/pdf\r\nContent-ID: <report@client>\r\n\r\n" + document + b"\r\n"
    assert post(client, metadata(described), body).status_code == 200
    ds = stored(node)
    assert ds.EncapsulatedDocument == document + b"\0"
    assert (ds.MIMETypeOfEncapsulatedDocument, ds.EncapsulatedDocumentLength) == ("application/pdf", 11)


def test_other_bulk_data_and_attributes_behind_the_pixels_keep_their_order(client: Any, node: Any) -> None:
    described = model(**IMAGE)
    described["00281201"] = {"vr": "OW", "BulkDataURI": "lut"}
    described["FFFCFFFC"] = {"vr": "OB", "InlineBinary": "AAAA"}
    parts = [part("application/octet-stream", bytes(30)), part("application/octet-stream", b"\1\2", "lut")]
    assert post(client, metadata(described), *parts).status_code == 200
    ds = stored(node)
    assert ds.RedPaletteColorLookupTableData == b"\1\2"
    assert list(ds.keys())[-1] == 0xFFFCFFFC


@pytest.mark.clause("I.2.2")
@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("00280010", 7),
        ("00280011", 5),
        ("00280002", 3),
        ("00280008", 2),
        ("00280100", 16),
        ("00280101", 9),
        ("00280004", "RGB"),
    ],
)
def test_metadata_that_contradicts_the_picture_is_that_instances_failure(
    client: Any, node: Any, attribute: str, value: Any
) -> None:
    wrong = model(**{attribute: ("US", value)})
    right = model(2)
    response = post(client, metadata(wrong, right), part("image/png", encoded(picture())))
    assert response.status_code == 202
    assert reason(response) == 0xA900
    assert response.json()["00081198"]["Value"][0]["00081155"]["Value"] == ["2.25.3.1"]
    assert list(node.receiver.kept) == ["2.25.3.2"]


@pytest.mark.clause("I.2.2")
@pytest.mark.parametrize(
    ("bulk", "code"),
    [
        ([], 0xC000),
        ([part("application/octet-stream", bytes(30), "elsewhere")], 0xC000),
        ([part("application/octet-stream", bytes(29))], 0xA900),
        ([part("image/png", b"no PNG")], 0xC000),
        ([part("image/jpeg", b"\xff\xd8\xff\xe0\x00")], 0xC000),
        ([part("image/jpeg", encoded(picture()))], 0xC000),
        ([part("image/jls; transfer-syntax=1.2.840.10008.1.2.4.51", encoded(picture(), ".jpg"))], 0xA900),
        ([part("image/jpeg; transfer-syntax=1.2.3", encoded(picture(), ".jpg"))], 0xC122),
        ([part("image/bmp", bytes(30))], 0xC122),
        ([part("image/png", encoded(np.zeros((3, 5, 4), np.uint8)))], 0xC000),
        ([part("video/mp4", b"\0\0\0\x10ftypmp42" + bytes(8))], 0xC000),
    ],
)
def test_bulk_data_that_cannot_be_used_is_a_failure_with_its_reason(
    client: Any, node: Any, bulk: list[bytes], code: int
) -> None:
    response = post(client, metadata(model(**IMAGE)), *bulk)
    assert response.status_code == 409
    assert reason(response) == code
    assert response.headers["warning"].startswith("299 ")
    assert not node.receiver.kept


def test_frames_that_differ_in_size_are_a_failure(client: Any) -> None:
    frames = [part("image/png", encoded(picture(rows))) for rows in (4, 5)]
    assert reason(post(client, metadata(model()), *frames)) == 0xA900


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[1]", b'"text"', b"\xff", b"[" * 100_000, b'[{"zz": {"vr": "CS"}}, 5]']
)
def test_unreadable_metadata_is_400_and_nothing_is_stored(client: Any, node: Any, document: bytes) -> None:
    response = post(client, part("application/dicom+json", document, None))
    assert response.status_code == 400
    assert not node.receiver.kept


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "XX", "Value": [1]},
        {"vr": "US", "Value": ["many"]},
        {"vr": "US", "Value": [70000]},
        {"vr": "OB", "InlineBinary": "?"},
        {"vr": "SQ", "Value": [1]},
        5,
    ],
)
def test_broken_attribute_fails_its_instance_alone(client: Any, node: Any, attribute: Any) -> None:
    plain = [{tag: value for tag, value in model(n).items() if tag != "7FE00010"} for n in (1, 2)]
    plain[0]["00280010"] = attribute
    response = post(client, metadata(*plain))
    assert response.status_code == 202
    assert reason(response) == 0xC000
    assert list(node.receiver.kept) == ["2.25.3.2"]


@pytest.mark.clause("10.5.1.1")
def test_metadata_of_another_study_fails_by_itself(client: Any, node: Any) -> None:
    stray = model(2, **IMAGE)
    stray["0020000D"]["Value"] = ["2.25.99"]
    response = post(
        client,
        metadata(model(**IMAGE), stray),
        part("application/octet-stream", bytes(30)),
        url=f"{URL}/2.25.1",
    )
    assert response.status_code == 202
    assert reason(response) == 0xA901
    assert list(node.receiver.kept) == ["2.25.3.1"]


@pytest.mark.clause("10.5.2")
def test_repeat_of_metadata_and_bulk_data_succeeds(client: Any, node: Any) -> None:
    body = metadata(model()), part("image/png", encoded(picture()))
    assert post(client, *body).status_code == 200
    assert post(client, *body).status_code == 200
    assert len(node.receiver.kept) == 1
