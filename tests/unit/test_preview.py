"""Pictures of instances in quarantine."""

import io

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from screen_captures import as_array, picture, screen_capture

from dicom_node.app.preview import render_preview
from dicom_node.domain.errors import NotFound


def encoded(ds):
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_each_frame_is_shown_and_counted():
    part10 = encoded(screen_capture("FRAME", "preview", frames=3))
    for number in (1, 2, 3):
        shown = render_preview(part10, number, all_values=False)
        assert shown.frames == 3
        assert ((as_array(shown.png) > 200) == (picture("FRAME", 3)[number - 1] > 200)).all()
    with pytest.raises(NotFound):
        render_preview(part10, 4, all_values=False)


def test_all_values_show_what_the_window_hides():
    ds = screen_capture("HIDDEN", "preview")
    ds.WindowCenter, ds.WindowWidth = 20, 10  # text and ground are both above it
    part10 = encoded(ds)
    assert set(as_array(render_preview(part10, 1, all_values=False).png).ravel()) == {255}
    assert set(as_array(render_preview(part10, 1, all_values=True).png).ravel()) == {0, 255}


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm"])
def test_colour_and_compressed_images_are_drawn_both_ways(name):
    part10 = encoded(dcmread(get_testdata_file(name)))
    for all_values in (False, True):
        assert render_preview(part10, 1, all_values=all_values).png.startswith(b"\x89PNG")


def test_instance_without_a_picture_says_so():
    ds = screen_capture("NONE", "preview")
    del ds.PixelData
    with pytest.raises(NotFound):
        render_preview(encoded(ds), 1, all_values=False)
    with pytest.raises(NotFound):
        render_preview(b"no DICOM", 1, all_values=False)
