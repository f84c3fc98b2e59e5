"""Transfer syntaxes in and out: what comes back is, decoded, bit for bit what is stored (PS3.18 §8.7.3)."""

from __future__ import annotations

import io
from typing import Any

import htj2k_sample
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from web_objects import instance_path

pytestmark = pytest.mark.clause("8.7.3")

NATIVE = "1.2.840.10008.1.2.1"
JPEG_LS, J2K, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
MEDIA_TYPES = {JPEG_LS: "image/jls", J2K: "image/jp2", RLE: "image/dicom-rle"}
SAMPLES = [
    "CT_small.dcm",  # signed 16 bit
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "emri_small_big_endian.dcm",  # 10 frames
    "SC_rgb_expb_16bit_2frame.dcm",
    "color-pl.dcm",  # colour by plane
    "SC_ybr_full_uncompressed.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm",
    "MR-SIEMENS-DICOM-WithOverlays.dcm",
    "image_dfl.dcm",  # deflated
    "emri_small_RLE.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_jpeg_gdcm.dcm",  # JPEG lossless, SV1
    "JPEG-LL.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",  # JPEG baseline, YBR_FULL_422
    "JPGExtended.dcm",  # 12 bit
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "693_J2KI.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "GDCMJ2K_TextGBR.dcm",  # YBR_RCT
]


def url_of(entry: Any) -> str:
    return instance_path(entry)


def expected(support: Any, name: str) -> np.ndarray:
    """All frames, native colour as it is, compressed colour as RGB; shape (frames, rows, columns...)."""
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes(name)))
    syntax = ds.file_meta.TransferSyntaxUID
    native = not ds.file_meta.TransferSyntaxUID.is_encapsulated
    raw = native and ds.PhotometricInterpretation != "YBR_FULL_422"
    if not ds.file_meta.TransferSyntaxUID.is_encapsulated and ds.original_encoding[1]:
        syntax = ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(
            NATIVE
        )  # deflated, implicit: the same pixels
    array, _ = get_decoder(syntax).as_array(ds, raw=raw)
    return array if int(ds.get("NumberOfFrames", 1) or 1) > 1 else array[np.newaxis]


def decoded(ds: pydicom.Dataset) -> np.ndarray:
    raw = ds.PhotometricInterpretation != "YBR_FULL_422"
    array, _ = get_decoder(ds.file_meta.TransferSyntaxUID).as_array(ds, raw=raw)
    return array if int(ds.get("NumberOfFrames", 1) or 1) > 1 else array[np.newaxis]


def retrieve(client: Any, entry: Any, syntax: str) -> pydicom.FileDataset:
    response = client.get(url_of(entry), f"application/dicom; transfer-syntax={syntax}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == f"application/dicom; transfer-syntax={syntax}"
    return pydicom.dcmread(io.BytesIO(response.content))


@pytest.mark.parametrize("name", SAMPLES)
def test_instances_are_exact_in_every_transfer_syntax_that_is_offered(
    client: Any, node: Any, support: Any, name: str
) -> None:
    """8.7.3.2, PS3.3 §C.7.6.3: the pixels are the same, and the attributes say what they are now."""
    source = pydicom.dcmread(io.BytesIO(support.sample_bytes(name)))
    if "StudyInstanceUID" not in source:
        source.StudyInstanceUID, source.SeriesInstanceUID = "2.25.1", "2.25.2"
    entry = node.publish(source)
    pixels = expected(support, name)
    for syntax in (NATIVE, JPEG_LS, J2K, RLE):
        ds = retrieve(client, entry, syntax)
        assert ds.file_meta.TransferSyntaxUID == syntax
        np.testing.assert_array_equal(decoded(ds), pixels)
        unchanged = (
            "Rows",
            "Columns",
            "BitsStored",
            "PixelRepresentation",
            "NumberOfFrames",
            "SOPInstanceUID",
        )
        assert [ds.get(key) for key in unchanged] == [source.get(key) for key in unchanged]
        assert ("PlanarConfiguration" in ds) == (ds.SamplesPerPixel > 1)
        if syntax not in {NATIVE, entry.transfer_syntax_uid}:
            assert ds.get("PlanarConfiguration", 0) == 0
            assert ds["PixelData"].VR == "OB"


@pytest.mark.clause("8.7.3.3.2")
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "emri_small_RLE.dcm", "color-pl.dcm", "GDCMJ2K_TextGBR.dcm"]
)
def test_frames_are_exact_in_every_media_type_that_is_made(
    client: Any, node: Any, support: Any, name: str
) -> None:
    """Table 8.7.3-5: image/jls, image/jp2, image/dicom-rle without a parameter are without loss."""
    entry = node.publish(support.sample_bytes(name))
    native = retrieve(client, entry, NATIVE)
    pixels = expected(support, name)
    for syntax, media_type in MEDIA_TYPES.items():
        for accept in (
            f'multipart/related; type="{media_type}"',
            f"multipart/related; type={media_type}; transfer-syntax={syntax}",
        ):
            response = client.get(f"{url_of(entry)}/frames/1", accept)
            ((headers, frame),) = support.parts_of(response)
            assert headers["content-type"] == f"{media_type}; transfer-syntax={syntax}"
            options = {
                "rows": native.Rows,
                "columns": native.Columns,
                "samples_per_pixel": native.SamplesPerPixel,
                "photometric_interpretation": native.PhotometricInterpretation,
                "number_of_frames": 1,
                "bits_allocated": native.BitsAllocated,
                "bits_stored": native.BitsStored,
                "pixel_representation": native.PixelRepresentation,
                "pixel_keyword": "PixelData",
                "planar_configuration": 0,
            }
            array, _ = get_decoder(syntax).as_array(encapsulate([frame]), index=0, raw=True, **options)
            np.testing.assert_array_equal(array, pixels[0])


def test_htj2k_is_decoded_and_given_as_stored(client: Any, node: Any, support: Any) -> None:
    """Table 8.7.3-5: image/jphc."""
    ds = support.slice_dataset(1, rows=40, columns=33)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    ds.PixelData = encapsulate([htj2k_sample.CODESTREAM])
    ds["PixelData"].VR = "OB"
    entry = node.publish(ds)
    stored = client.get(f"{url_of(entry)}/frames/1", 'multipart/related; type="image/jphc"')
    assert support.parts_of(stored)[0][1].rstrip(b"\0") == htj2k_sample.CODESTREAM.rstrip(b"\0")
    native = client.get(f"{url_of(entry)}/frames/1", "application/octet-stream")
    assert native.content == htj2k_sample.PIXELS.tobytes()
    np.testing.assert_array_equal(decoded(retrieve(client, entry, JPEG_LS))[0], htj2k_sample.PIXELS)


def test_lossy_images_say_so_once_they_are_decoded(client: Any, node: Any, support: Any) -> None:
    """PS3.3 §C.7.6.1.1.5: once lossy, always lossy."""
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("JPGExtended.dcm")))
    if "LossyImageCompression" in ds:
        del ds.LossyImageCompression
    entry = node.publish(ds)
    assert retrieve(client, entry, NATIVE).LossyImageCompression == "01"
    assert retrieve(client, entry, RLE).LossyImageCompression == "01"


def test_offset_tables_of_the_stored_encoding_do_not_stay(client: Any, node: Any, support: Any) -> None:
    """PS3.5 §A.4: offset tables are those of encapsulated pixel data."""
    ds = pydicom.dcmread(io.BytesIO(support.sample_bytes("emri_small_RLE.dcm")))
    frames = list(generate_frames(ds.PixelData, number_of_frames=10))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = pydicom.encaps.encapsulate_extended(
        frames
    )
    entry = node.publish(ds)
    for syntax in (NATIVE, J2K):
        given = retrieve(client, entry, syntax)
        assert "ExtendedOffsetTable" not in given
        assert "ExtendedOffsetTableLengths" not in given
        np.testing.assert_array_equal(decoded(given), expected(support, "emri_small_RLE.dcm"))
    assert "ExtendedOffsetTable" in retrieve(client, entry, RLE)


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("liver_1frame.dcm", JPEG_LS),  # one bit a pixel
        ("rtdose.dcm", J2K),  # 32 bits
        ("SC_rgb_small_odd.dcm", J2K),  # 3 by 3 pixels
        ("CT_small.dcm", "1.2.840.10008.1.2.4.50"),  # with loss
        ("CT_small.dcm", "1.2.840.10008.1.2.4.81"),
        ("CT_small.dcm", "1.2.840.10008.1.2"),
        ("CT_small.dcm", "1.2.840.10008.1.2.2"),
        ("CT_small.dcm", "1.2.3"),
    ],
)
def test_what_cannot_be_given_without_loss_is_406(
    client: Any, node: Any, support: Any, name: str, syntax: str
) -> None:
    """8.7.3: Implicit VR and Big Endian never go out; lossy compression is not made."""
    entry = node.publish(support.sample_bytes(name))
    response = client.get(url_of(entry), f"application/dicom; transfer-syntax={syntax}")
    assert response.status_code == 406
    assert response.headers["content-type"] == "application/problem+json"


def test_a_report_comes_in_explicit_little_endian_though_images_come_compressed(
    client: Any, node: Any, support: Any
) -> None:
    """8.7.3: compression is for pixel data; each part says what it is."""
    node.publish(support.slice_dataset(1, rows=40, columns=40))
    report = support.slice_dataset(2, series="2.25.21")
    del report.PixelData
    node.publish(report)
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_LS}'
    parts = support.parts_of(client.get("/dicom-web/studies/2.25.10", accept))
    assert [headers["content-type"].rpartition("=")[2] for headers, _ in parts] == [JPEG_LS, NATIVE]


def test_pixels_beyond_bits_stored_are_406_where_a_codec_cannot_hold_them(
    client: Any, node: Any, support: Any
) -> None:
    ds = support.slice_dataset(1, rows=40, columns=40, BitsStored=8, HighBit=7)
    entry = node.publish(ds)
    for syntax in (JPEG_LS, J2K):
        response = client.get(url_of(entry), f"application/dicom; transfer-syntax={syntax}")
        if response.status_code == 200:
            given = pydicom.dcmread(io.BytesIO(response.content))
            np.testing.assert_array_equal(decoded(given)[0], ds.pixel_array)
        else:
            assert response.status_code == 406
    assert retrieve(client, entry, NATIVE).PixelData == ds.PixelData


def test_a_series_of_which_one_image_cannot_be_compressed_is_406_before_anything_goes_out(
    client: Any, node: Any, support: Any
) -> None:
    node.publish(support.slice_dataset(1, rows=40, columns=40))
    node.publish(support.slice_dataset(2, rows=3, columns=3))
    accept = 'multipart/related; type="application/dicom"; transfer-syntax='
    assert client.get("/dicom-web/studies/2.25.10", accept + J2K).status_code == 406
    assert len(support.parts_of(client.get("/dicom-web/studies/2.25.10", accept + RLE))) == 2
