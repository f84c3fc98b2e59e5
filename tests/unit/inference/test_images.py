"""Single images become arrays, or are refused with a reason."""

import numpy as np
import pytest
from image_samples import image
from model_series import study_of
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from inference.preprocess.images import read_images
from inference.preprocess.spacing import SpacingMeaning
from inference.preprocess.volume import VolumeRefused

GREY = np.arange(20, dtype=np.uint16).reshape(4, 5)
RGB = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
CINE = np.arange(9 * 20, dtype=np.uint8).reshape(9, 4, 5)


def read(*datasets, **wishes):
    study = study_of(datasets)
    uids = [e.sop_instance_uid for e in study.instances]
    return read_images(uids, study.read, max_voxels=wishes.pop("max_voxels", 10**6), **wishes)


def refusal(*datasets, **wishes):
    with pytest.raises(VolumeRefused) as caught:
        read(*datasets, **wishes)
    return caught.value.rule


def test_a_grey_image_is_read_without_geometry():
    images = read(image(GREY, RescaleSlope="2", RescaleIntercept="1"))
    np.testing.assert_array_equal(images.pixels, GREY[None] * 2.0 + 1)
    assert images.pixels.dtype == np.float32
    assert images.source_frames == ()
    assert images.pixel_size.meaning is SpacingMeaning.UNKNOWN
    assert not images.colour


def test_images_come_in_the_order_of_their_instance_numbers():
    second, first = image(GREY, InstanceNumber=12), image(GREY + 100, InstanceNumber=3)
    images = read(second, first)
    np.testing.assert_array_equal(images.pixels, [GREY + 100, GREY])
    assert images.sop_instance_uids == (first.SOPInstanceUID, second.SOPInstanceUID)


def test_colours_are_given_where_they_are_asked_for():
    images = read(image(RGB), colour=True)
    np.testing.assert_array_equal(images.pixels, RGB[None])
    assert images.colour


def test_colour_is_refused_where_grey_is_asked_for_unless_it_is_grey():
    assert refusal(image(RGB)) == "colour"
    grey = np.repeat(RGB[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(read(image(grey)).pixels[0], grey[..., 0])


def test_components_of_sixteen_bits_become_eight():
    deep = (RGB.astype(np.uint16) * 257)[None]
    np.testing.assert_array_equal(read(image(deep[0]), colour=True).pixels, deep // 257)


def test_a_palette_becomes_colours_as_its_sample_is_drawn():
    path = get_testdata_file("OBXXXX1A.dcm", download=False)
    pixels = read(dcmread(path), colour=True).pixels[0]
    ds = dcmread(path)
    red = np.frombuffer(ds.RedPaletteColorLookupTableData, "<u2") >> 8
    blue = np.frombuffer(ds.BluePaletteColorLookupTableData, "<u2") >> 8
    np.testing.assert_array_equal(pixels[..., 0], red[ds.pixel_array])
    np.testing.assert_array_equal(pixels[..., 2], blue[ds.pixel_array])


def test_frames_are_thinned_out_evenly_and_named():
    images = read(image(CINE, frames=9), max_images=3)
    assert images.source_frames == (1, 5, 9)
    np.testing.assert_array_equal(images.pixels, CINE[[0, 4, 8]])
    assert len(images.sop_instance_uids) == 1
    assert images.notes == ("3 of 9 images were taken",)


@pytest.mark.parametrize(
    ("attributes", "frame"),
    [({}, 5), ({"RepresentativeFrameNumber": 2}, 2), ({"RepresentativeFrameNumber": 99}, 5)],
)
def test_of_many_frames_the_representative_or_the_middle_one_is_taken(attributes, frame):
    images = read(image(CINE, frames=9, **attributes), max_images=1)
    assert images.source_frames == (frame,)
    np.testing.assert_array_equal(images.pixels[0], CINE[frame - 1])


def test_a_view_is_chosen_and_others_are_left_out():
    frontal, side = image(GREY, ViewPosition="PA"), image(GREY[:3], ViewPosition="LL", InstanceNumber=0)
    images = read(side, frontal, views=("PA", "AP"))
    assert images.sop_instance_uids == (frontal.SOPInstanceUID,)
    assert images.notes == ("1 images of other views were left out",)
    assert refusal(side, views=("PA", "AP")) == "view"


def test_a_laterality_is_chosen():
    left, right = image(GREY, ImageLaterality="L"), image(GREY, Laterality="R")
    assert read(left, right, lateralities=("R",)).sop_instance_uids == (right.SOPInstanceUID,)


def test_images_of_another_size_are_left_out():
    images = read(image(GREY, InstanceNumber=1), image(GREY[:2], InstanceNumber=2))
    assert images.pixels.shape == (1, 4, 5)
    assert images.notes == ("1 images of another size or kind were left out",)


def _region(**changes):
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, -0.05
    region.update(changes)
    return region


@pytest.mark.parametrize(
    ("attributes", "size", "meaning"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), SpacingMeaning.DETECTOR),
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, (0.2, 0.1), SpacingMeaning.DETECTOR),
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.16, 0.08]},
            (0.16, 0.08),
            SpacingMeaning.CALIBRATED,
        ),
        ({"PixelSpacing": [0.4, 0.3]}, (0.4, 0.3), SpacingMeaning.PATIENT),
        ({"PixelSpacing": [0.4, 0]}, (1, 1), SpacingMeaning.UNKNOWN),
        ({"SequenceOfUltrasoundRegions": [_region()]}, (0.5, 0.2), SpacingMeaning.PATIENT),
        ({"SequenceOfUltrasoundRegions": [_region(), _region()]}, (1, 1), SpacingMeaning.UNKNOWN),
    ],
)
def test_pixel_sizes_say_where_they_hold(attributes, size, meaning):
    found = read(image(GREY, **attributes)).pixel_size
    assert (found.rows_mm, found.columns_mm) == pytest.approx(size)
    assert found.meaning is meaning


def test_more_pixels_than_the_model_takes_are_refused():
    assert refusal(image(GREY), max_voxels=19) == "size"


def test_an_instance_that_is_no_image_is_refused():
    ds = image(GREY)
    del ds.Rows
    assert refusal(ds) == "pixels"


def test_a_frame_count_of_nonsense_is_refused():
    assert refusal(image(GREY, NumberOfFrames=-2)) == "frames"
