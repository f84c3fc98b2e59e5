"""Films, segmentations, documents and mixed studies in rendered form (PS3.18 §8.7.4, §10.4.3.3.3)."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from rendered_samples import MASKS, cine, mpeg2, pdf, report, segmentation, stored_video

from dicomweb.wado.colour import cielab_to_rgb

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
STUDY = "/dicom-web/studies/2.25.10"
URL = f"{STUDY}/series/2.25.20/instances/2.25.20.1"


def image_of(response: Any) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def film_of(content: bytes, path: Any) -> list[np.ndarray]:
    """The frames of a film, read by OpenCV's own reader."""
    (path / "film.mp4").write_bytes(content)
    capture = cv2.VideoCapture(str(path / "film.mp4"))
    frames = []
    while True:
        found, frame = capture.read()
        if not found:
            return frames
        frames.append(frame)


@pytest.mark.clause("8.7.4")
def test_frames_play_as_mp4(client: Any, node: Any, support: Any, tmp_path: Any) -> None:
    node.publish(cine())
    response = client.get(f"{URL}/rendered", "video/mp4")
    assert response.headers["content-type"] == "video/mp4"
    assert response.content[4:8] == b"ftyp"
    frames = film_of(response.content, tmp_path)
    assert len(frames) == 5
    assert frames[0].shape == (32, 46, 3)  # even sides, as the codec asks
    brightness = [frame.mean() for frame in frames]
    assert brightness == sorted(brightness)
    assert brightness[-1] - brightness[0] > 150


@pytest.mark.clause("8.7.4")
def test_chosen_frames_play_as_mp4_and_gif(client: Any, node: Any, support: Any, tmp_path: Any) -> None:
    node.publish(cine())
    film = client.get(f"{URL}/frames/2,4,5/rendered", "video/mp4")
    assert len(film_of(film.content, tmp_path)) == 3
    animation = image_of(client.get(f"{URL}/frames/2,4,5/rendered?accept=image/gif"))
    assert (animation.n_frames, animation.info["duration"]) == (3, 250)


@pytest.mark.clause("8.7.4")
def test_single_frames_are_no_film(client: Any, node: Any, support: Any) -> None:
    node.publish(support.slice_dataset(1))
    assert client.get(f"{URL}/rendered", "video/mp4").status_code == 406
    assert image_of(client.get(f"{URL}/rendered", "image/gif")).format == "GIF"


@pytest.mark.clause("8.7.4")
@pytest.mark.parametrize("accept", ["video/mp4", "*/*", BROWSER, None])
def test_stored_video_is_given_as_it_is(client: Any, node: Any, support: Any, accept: str | None) -> None:
    ds, stream = stored_video()
    node.publish(ds)
    response = client.get(f"{URL}/rendered", accept)
    assert response.headers["content-type"] == "video/mp4"
    assert response.content.rstrip(b"\0") == stream.rstrip(b"\0")


@pytest.mark.clause("8.7.4")
def test_stored_mpeg2_is_video_mpeg(client: Any, node: Any, support: Any) -> None:
    ds, stream = mpeg2()
    node.publish(ds)
    response = client.get(f"{URL}/rendered", "video/mpeg")
    assert (response.headers["content-type"], response.content) == ("video/mpeg", stream)


@pytest.mark.clause("8.7.4")
def test_stored_mpeg2_plays_as_mp4_and_has_pictures(
    client: Any, node: Any, support: Any, tmp_path: Any
) -> None:
    """Browsers do not play MPEG2."""
    node.publish(mpeg2()[0])
    film = film_of(client.get(f"{URL}/rendered", "video/mp4").content, tmp_path)
    assert [frame.mean() < 128 for frame in film] == [True] * 6 + [False] * 6
    url = f"{URL}/frames/12,1/rendered"
    parts = support.parts_of(client.get(url, 'multipart/related; type="image/png"'))
    last, first = (np.asarray(Image.open(io.BytesIO(content))).mean() for _, content in parts)
    assert last > 200
    assert first < 60


@pytest.mark.clause("8.3.5.1.3")
def test_stored_video_is_made_anew_in_a_viewport(client: Any, node: Any, support: Any, tmp_path: Any) -> None:
    node.publish(stored_video()[0])
    film = film_of(client.get(f"{URL}/rendered?viewport=24,24", "video/mp4").content, tmp_path)
    assert [frame.shape for frame in film] == [(16, 24, 3)] * 4


@pytest.mark.clause("8.7.4")
def test_stored_video_has_pictures_too(client: Any, node: Any, support: Any) -> None:
    node.publish(stored_video()[0])
    first, last = (
        np.asarray(image_of(client.get(f"{URL}/frames/{n}/rendered", "image/png"))) for n in (1, 4)
    )
    assert first.shape == (32, 48, 3)
    assert first.mean() < 60
    assert last.mean() > 200
    assert client.get(f"{URL}/frames/9/rendered", "image/png").status_code == 404
    assert image_of(client.get(f"{URL}/thumbnail")).size == (128, 85)


@pytest.mark.clause("8.7.4")
def test_what_is_no_video_in_a_video_transfer_syntax_is_refused(client: Any, node: Any, support: Any) -> None:
    ds, _ = stored_video()
    ds.PixelData = encapsulate([b"no video at all!"])
    node.publish(ds)
    assert client.get(f"{URL}/rendered", "image/png").status_code == 406


@pytest.mark.clause("8.3.5.1")
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_are_shown_in_their_own_colour(client: Any, node: Any, support: Any, kind: str) -> None:
    pixels = MASKS if kind == "BINARY" else MASKS * 100
    node.publish(segmentation(kind, pixels, 1 if kind == "BINARY" else 8))
    first, second = (
        np.asarray(image_of(client.get(f"{URL}/frames/{n}/rendered", "image/png"))).astype(int)
        for n in (1, 2)
    )
    strength = 1 if kind == "BINARY" else 0.5
    np.testing.assert_allclose(first, MASKS[0][..., None] * np.array([255, 0, 0]) * strength, atol=4)
    np.testing.assert_allclose(second, MASKS[1][..., None] * np.array([0, 0, 255]) * strength, atol=4)


@pytest.mark.clause("8.3.5.1")
def test_label_maps_show_all_segments(client: Any, node: Any, support: Any) -> None:
    node.publish(segmentation("LABELMAP", np.array([[[0, 1], [2, 1]]], np.uint8), 8))
    got = np.asarray(image_of(client.get(f"{URL}/rendered", "image/png"))).astype(int)
    np.testing.assert_allclose(got, [[[0, 0, 0], [255, 0, 0]], [[0, 0, 255], [255, 0, 0]]], atol=4)


def test_thumbnail_of_a_segmentation_is_the_frame_that_shows_most(
    client: Any, node: Any, support: Any
) -> None:
    """PS3.18 §10.4.3.3.4: a meaningful representation"""
    node.publish(segmentation("BINARY", MASKS[::-1], 1))
    got = np.asarray(image_of(client.get(f"{URL}/thumbnail?viewport=3,2&accept=image/png")))
    assert got[..., 0].max() > 200  # frame 1, which is red


def test_cielab_of_the_standard_becomes_srgb() -> None:
    """PS3.3 §C.10.7.1.1"""
    assert cielab_to_rgb((65535, 32896, 32896)) == (255, 255, 255)
    assert cielab_to_rgb((0, 32896, 32896)) == (0, 0, 0)
    np.testing.assert_allclose(cielab_to_rgb((35579, 53665, 50859)), (255, 0, 0), atol=3)


@pytest.mark.clause("8.7.4")
@pytest.mark.parametrize("accept", ["application/pdf", "*/*", BROWSER, None])
def test_encapsulated_pdf_is_rendered_as_it_is(
    client: Any, node: Any, support: Any, accept: str | None
) -> None:
    ds, content = pdf()
    node.publish(ds)
    response = client.get(f"{URL}/rendered", accept)
    assert (response.headers["content-type"], response.content) == ("application/pdf", content)
    assert client.get(f"{URL}/rendered", "text/html").status_code == 406


@pytest.mark.clause("8.7.4")
def test_report_is_xml_where_asked_for(client: Any, node: Any, support: Any) -> None:
    entry = node.publish(support.sample_bytes("reportsi.dcm"))
    url = (
        f"/dicom-web/studies/{entry.study_instance_uid}/series/{entry.series_instance_uid}"
        f"/instances/{entry.sop_instance_uid}/rendered"
    )
    response = client.get(url, "text/xml")
    assert response.headers["content-type"] == "text/xml; charset=utf-8"
    assert b"NativeDicomModel" in response.content
    assert client.get(url, BROWSER).headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.clause("10.4.3.3.3")
def test_reports_of_a_series_come_as_parts(client: Any, node: Any, support: Any) -> None:
    for number in (1, 2):
        node.publish(support.to_bytes(report(number)))
    response = client.get(f"{STUDY}/series/2.25.40/rendered", 'multipart/related; type="text/html"')
    parts = support.parts_of(response)
    assert [part[0]["content-type"] for part in parts] == ["text/html; charset=utf-8"] * 2
    assert parts[1][0]["content-location"].endswith("/instances/2.25.40.2/rendered")


@pytest.mark.clause("10.4.3.3.3")
def test_a_mixed_study_is_shown_by_its_original_images(client: Any, node: Any, support: Any) -> None:
    node.publish(support.to_bytes(report(1)))
    derived = segmentation("BINARY", MASKS, 1)
    derived.SeriesInstanceUID = "2.25.15"
    node.publish(derived)
    for number in (1, 2, 3):
        node.publish(support.slice_dataset(number, series="2.25.50", rows=20, columns=30))
    assert image_of(client.get(f"{STUDY}/rendered", "image/png")).size == (30, 20)
    assert image_of(client.get(f"{STUDY}/rendered", BROWSER)).size == (30, 20)
    parts = support.parts_of(client.get(f"{STUDY}/rendered", 'multipart/related; type="image/png"'))
    assert len(parts) == 5


@pytest.mark.clause("10.4.3.3.3")
def test_a_part_that_cannot_be_made_keeps_its_place(client: Any, node: Any, support: Any) -> None:
    for number in (1, 2, 3):
        ds = support.slice_dataset(number, rows=20, columns=30)
        if number == 2:
            ds.PixelData = ds.PixelData[:40]
        node.publish(ds)
    url = f"{STUDY}/series/2.25.20/rendered"
    parts = support.parts_of(client.get(url, 'multipart/related; type="image/png"'))
    sizes = [Image.open(io.BytesIO(content)).size for _, content in parts]
    assert sizes == [(30, 20), (256, 256), (30, 20)]
    assert client.get(f"{URL.replace('20.1', '20.2')}/rendered").status_code in {404, 406}


@pytest.mark.clause("10.4.1.1.6")
def test_frames_that_are_not_there_are_404(client: Any, node: Any, support: Any) -> None:
    node.publish(cine())
    for accept in ("image/png", 'multipart/related; type="image/png"', "image/gif"):
        assert client.get(f"{URL}/frames/1,6/rendered", accept).status_code == 404
    assert client.get(f"{URL}/frames/6/thumbnail").status_code == 404


@pytest.mark.clause("8.3.5.2")
@pytest.mark.parametrize("query", ["viewport=1", "viewport=10,10,0,0,5,5", "viewport=0,1", "viewport=a,b"])
def test_thumbnail_takes_width_and_height_only(client: Any, node: Any, support: Any, query: str) -> None:
    node.publish(support.slice_dataset(1))
    assert client.get(f"{URL}/thumbnail?{query}").status_code == 400


@pytest.mark.clause("10.4.3.3.4")
def test_thumbnail_takes_no_annotation(client: Any, node: Any, support: Any) -> None:
    node.publish(support.slice_dataset(1, rows=200, columns=200))
    plain = client.get(f"{URL}/thumbnail?viewport=200,200")
    asked = client.get(f"{URL}/thumbnail?viewport=200,200&annotation=patient")
    assert asked.content == plain.content


def test_thumbnail_is_made_once(client: Any, node: Any, support: Any) -> None:
    """Overviews ask for the same ones again and again."""
    entry = node.publish(support.slice_dataset(1, rows=40, columns=40))
    first = client.get(f"{URL}/thumbnail")
    node.blobs.clear()
    assert client.get(f"{URL}/thumbnail").content == first.content
    assert node.reads[entry.ref] == 1


@pytest.mark.clause("10.4.3.3.4")
def test_thumbnail_of_what_cannot_be_decoded_is_a_tile(client: Any, node: Any, support: Any) -> None:
    ds = support.slice_dataset(1)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.93"  # no decoder reads it
    ds.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
    ds["PixelData"].is_undefined_length = True
    node.publish(ds)
    assert client.get(f"{URL}/rendered").status_code == 406
    assert image_of(client.get(f"{URL}/thumbnail")).size == (128, 128)


@pytest.mark.clause("8.5")
def test_films_are_given_in_pieces(client: Any, node: Any, support: Any) -> None:
    """Players ask for ranges (RFC 9110 §14)."""
    node.publish(cine())
    whole = client.get(f"{URL}/rendered", "video/mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(f"{URL}/rendered", "video/mp4", headers={"Range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, whole.content[4:12])
    beyond = client.get(f"{URL}/rendered", "video/mp4", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
