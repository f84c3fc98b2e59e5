"""Rendering parameters beyond windows and viewports: annotation, colour profiles, the shape of pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms

from dicomweb.wado.annotation import patient_lines, technique_lines
from dicomweb.wado.colour_profiles import profile_of

URL = "/dicom-web/studies/2.25.10/series/2.25.20/instances/2.25.20.1/rendered"


def image_of(response: Any) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def pixels_of(response: Any) -> np.ndarray:
    return np.asarray(image_of(response)).astype(int)


def primaries(profile: bytes) -> np.ndarray:
    """XYZ of red, green and blue in the connection space."""
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    return np.array([read.red_colorant[0], read.green_colorant[0], read.blue_colorant[0]])


def colour_image(support: Any, **attributes: Any) -> pydicom.Dataset:
    """One red, green, blue and grey pixel each."""
    ds = support.slice_dataset(
        1,
        rows=1,
        columns=4,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        **attributes,
    )
    ds.PixelData = bytes([200, 30, 30, 30, 200, 30, 30, 30, 200, 128, 128, 128])
    return ds


@pytest.mark.clause("8.3.5.1.1")
@pytest.mark.parametrize("kind", ["patient", "technique", "patient,technique"])
def test_annotation_is_legible_on_black_and_on_white(client: Any, node: Any, support: Any, kind: str) -> None:
    ds = support.slice_dataset(1, rows=256, columns=256, WindowCenter=50, WindowWidth=101)
    ground = np.zeros((256, 256), "<u2")
    ground[:, 8:] = 100
    ds.PixelData = ground.tobytes()
    node.publish(ds)
    plain = pixels_of(client.get(URL, "image/png"))
    marked = pixels_of(client.get(f"{URL}?annotation={kind}", "image/png"))
    changed = marked != plain
    assert changed.sum() > 300
    assert (marked[changed] > 200).any()  # letters on black
    assert (marked[changed] < 50).any()  # their edge on white


@pytest.mark.clause("8.3.5.1.1")
def test_annotation_is_applied_after_scaling(client: Any, node: Any, support: Any) -> None:
    node.publish(support.slice_dataset(1, rows=20, columns=30))
    url = f"{URL}?viewport=600,600"
    plain = pixels_of(client.get(url, "image/png"))
    marked = pixels_of(client.get(f"{url}&annotation=patient", "image/png"))
    assert marked.shape == plain.shape
    assert 200 < (marked != plain).sum() < plain.size / 8


@pytest.mark.clause("8.3.5.1.1")
def test_annotation_says_what_the_pseudonymous_data_set_holds(support: Any) -> None:
    ds = support.slice_dataset(7, PatientBirthDate="19700101", EchoTime=12.5, SliceLocation=-3)
    patient, technique = list(patient_lines(ds)), list(technique_lines(ds, 0, 1))
    assert patient == ["Pseudo^One", "P-1", "19700101  O"]
    assert technique == ["20240102  MR", "Head", "T1", "Series 3  Image 7", "at -3 mm  TE 12.5 ms"]
    assert list(technique_lines(ds, 4, 9))[3] == "Series 3  Image 7  Frame 5/9"


@pytest.mark.clause("8.3.5.1.5")
@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
def test_no_profile_unless_asked_for(client: Any, node: Any, support: Any, media_type: str) -> None:
    node.publish(colour_image(support))
    assert "icc_profile" not in image_of(client.get(URL, media_type)).info
    assert "icc_profile" not in image_of(client.get(f"{URL}?iccprofile=no", media_type)).info
    assert "icc_profile" in image_of(client.get(f"{URL}?iccprofile=yes", media_type)).info


@pytest.mark.clause("8.3.5.1.5")
def test_own_profile_is_given_with_its_pixels(client: Any, node: Any, support: Any) -> None:
    node.publish(colour_image(support, ICCProfile=profile_of("adobergb")))
    image = image_of(client.get(f"{URL}?iccprofile=yes", "image/png"))
    assert image.info["icc_profile"] == profile_of("adobergb")
    assert image.getpixel((0, 0)) == (200, 30, 30)


@pytest.mark.clause("8.3.5.1.5")
@pytest.mark.parametrize("query", ["", "?iccprofile=srgb"])
def test_own_profile_is_converted_to_srgb(client: Any, node: Any, support: Any, query: str) -> None:
    node.publish(colour_image(support, ICCProfile=profile_of("adobergb")))
    image = image_of(client.get(URL + query, "image/png"))
    red, green, blue = image.getpixel((0, 0))
    assert red > 220  # Adobe RGB's red reaches further
    assert max(green, blue) < 40
    assert image.getpixel((3, 0)) == pytest.approx((128, 128, 128), abs=2)
    assert ("icc_profile" in image.info) is bool(query)


@pytest.mark.clause("8.3.5.1.5")
@pytest.mark.parametrize(
    ("space", "expected"),
    [
        # XYZ of the primaries adapted to D50, as ICC's registry publishes them.
        ("srgb", [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7139]]),
        ("adobergb", [[0.6097, 0.3111, 0.0195], [0.2053, 0.6257, 0.0609], [0.1492, 0.0632, 0.7446]]),
        ("rommrgb", [[0.7977, 0.2880, 0.0], [0.1352, 0.7119, 0.0], [0.0313, 0.0001, 0.8251]]),
        ("displayp3", [[0.5151, 0.2412, -0.0011], [0.2920, 0.6922, 0.0419], [0.1571, 0.0666, 0.7841]]),
    ],
)
def test_known_colour_spaces_carry_their_profile(
    client: Any, node: Any, support: Any, space: str, expected: list[list[float]]
) -> None:
    node.publish(colour_image(support))
    image = image_of(client.get(f"{URL}?iccprofile={space}", "image/png"))
    np.testing.assert_allclose(primaries(image.info["icc_profile"]), expected, atol=0.002)
    back = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])),
        ImageCms.ImageCmsProfile(io.BytesIO(profile_of("srgb"))),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    np.testing.assert_allclose(
        np.asarray(back)[0], [[200, 30, 30], [30, 200, 30], [30, 30, 200], [128, 128, 128]], atol=4
    )


@pytest.mark.clause("8.3.5.1.5")
def test_grey_images_with_a_profile_become_rgb(client: Any, node: Any, support: Any) -> None:
    node.publish(support.slice_dataset(1))
    image = image_of(client.get(f"{URL}?iccprofile=yes", "image/jpeg"))
    assert image.mode == "RGB"
    assert primaries(image.info["icc_profile"]).shape == (3, 3)


@pytest.mark.clause("8.3.5.1.5")
def test_media_types_without_profiles_refuse_them(client: Any, node: Any, support: Any) -> None:
    node.publish(support.slice_dataset(1))
    assert client.get(f"{URL}?iccprofile=srgb", "image/gif").status_code == 400
    assert client.get(f"{URL}?iccprofile=no", "image/gif").status_code == 200


def test_a_broken_profile_is_no_profile(client: Any, node: Any, support: Any) -> None:
    """PS3.3 §C.11.15"""
    node.publish(colour_image(support, ICCProfile=bytes(16) + b"RGB " + bytes(16) + b"acsp" + bytes(200)))
    image = image_of(client.get(URL, "image/png"))
    assert image.getpixel((0, 0)) == (200, 30, 30)


@pytest.mark.clause("8.3.5.1.3")
@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({}, (30, 20)),
        ({"PixelSpacing": [2, 1]}, (30, 40)),
        ({"PixelSpacing": [0.5, 0.5]}, (30, 20)),
        ({"PixelAspectRatio": [1, 2]}, (30, 10)),
        ({"PixelAspectRatio": [1, 2], "PixelSpacing": [1, 1]}, (30, 10)),
        ({"ImagerPixelSpacing": [1, 2]}, (30, 10)),
        ({"PixelSpacing": [0, 1]}, (30, 20)),
    ],
)
def test_pixels_keep_their_shape_in_a_viewport(
    client: Any, node: Any, support: Any, attributes: dict[str, Any], size: tuple[int, int]
) -> None:
    node.publish(support.slice_dataset(1, rows=20, columns=30, **attributes))
    assert image_of(client.get(URL)).size == (30, 20)  # §8.3.5.1.3: not scaled without a viewport
    width, height = size
    assert image_of(client.get(f"{URL}?viewport={width},{height}")).size == size
    shown = image_of(client.get(f"{URL}?viewport=300,300")).size
    scale = 300 / max(size)
    assert shown == (round(width * scale), round(height * scale))


@pytest.mark.clause("8.3.5.1.3")
def test_spacing_of_functional_groups_counts(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1, rows=10, columns=10)
    measures, group = pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing = [3, 1]
    group.PixelMeasuresSequence = [measures]
    ds.SharedFunctionalGroupsSequence = [group]
    node.publish(ds)
    assert image_of(client.get(f"{URL}?viewport=90,90")).size == (30, 90)


@pytest.mark.clause("8.3.5.1")
def test_overlay_bits_are_no_part_of_the_value(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(
        1, rows=1, columns=3, BitsStored=12, HighBit=11, WindowCenter=50, WindowWidth=101
    )
    ds.PixelData = np.array([0, 50 | 0x8000, 100 | 0x1000], "<u2").tobytes()
    node.publish(ds)
    np.testing.assert_allclose(pixels_of(client.get(URL, "image/png"))[0], [1, 128, 255], atol=2)


@pytest.mark.clause("8.3.5.1")
def test_signed_values_with_high_bits_are_extended(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(
        1,
        rows=1,
        columns=3,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=1,
        WindowCenter=0,
        WindowWidth=101,
    )
    ds.PixelData = np.array([0x0FCE, 0, 50], "<u2").tobytes()  # 0xFCE is -50 in 12 bits
    node.publish(ds)
    np.testing.assert_allclose(pixels_of(client.get(URL, "image/png"))[0], [1, 128, 255], atol=2)


@pytest.mark.clause("8.3.5.1")
def test_shutter_hides_what_lies_outside(client: Any, node: Any, support: Any) -> None:
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 3,
        "ShutterRightVerticalEdge": 6,
        "ShutterUpperHorizontalEdge": 2,
        "ShutterLowerHorizontalEdge": 4,
        "ShutterPresentationValue": 0,
    }
    ds = support.slice_dataset(1, rows=8, columns=8, WindowCenter=50, WindowWidth=101, **shutter)
    ds.PixelData = np.full((8, 8), 100, "<u2").tobytes()
    node.publish(ds)
    expected = np.zeros((8, 8), int)
    expected[1:4, 2:6] = 255
    np.testing.assert_array_equal(pixels_of(client.get(URL, "image/png")), expected)


@pytest.mark.clause("8.3.5.1")
@pytest.mark.parametrize("shape", ["CIRCULAR", "POLYGONAL"])
def test_round_and_angular_shutters(client: Any, node: Any, support: Any, shape: str) -> None:
    ds = support.slice_dataset(
        1,
        rows=40,
        columns=40,
        WindowCenter=50,
        WindowWidth=101,
        ShutterShape=shape,
        CenterOfCircularShutter=[20, 20],
        RadiusOfCircularShutter=10,
        VerticesOfThePolygonalShutter=[10, 10, 10, 30, 30, 30, 30, 10],
    )
    ds.PixelData = np.full((40, 40), 100, "<u2").tobytes()
    node.publish(ds)
    got = pixels_of(client.get(URL, "image/png"))
    assert got[20, 20] == 255
    assert got[3, 3] == got[36, 36] == 0
    assert got[11, 11] == (255 if shape == "POLYGONAL" else 0)


@pytest.mark.clause("8.3.5.1")
def test_float_frames_share_one_range(client: Any, node: Any, support: Any) -> None:
    """Without a window a quiet frame must not look like a loud one."""
    ds = support.slice_dataset(1, rows=2, columns=2, NumberOfFrames=2, BitsAllocated=32)
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.FloatPixelData = np.array([0, 0.01, 0.02, 0.01, 0, 10, 5, np.nan], "<f4").tobytes()
    node.publish(ds)
    base = URL.removesuffix("/rendered")
    quiet, loud = (pixels_of(client.get(f"{base}/frames/{n}/rendered", "image/png")) for n in (1, 2))
    assert quiet.max() < 5
    assert loud.max() == 255
