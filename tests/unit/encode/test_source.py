"""The source of a result: stacks, frames of one instance, images without geometry."""

from dataclasses import replace

import numpy as np
import pytest
from image_samples import image
from model_series import study_of
from predicted_series import make_case

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.finding import Task
from inference.encode.source import read_headers, read_source
from inference.preprocess.spacing import SpacingMeaning

CINE = np.arange(4 * 10, dtype=np.uint8).reshape(4, 2, 5)


@pytest.fixture
def finding():
    """A prediction without anything that lies in the patient."""
    return replace(make_case(slices=2).prediction, segments=(), task=Task.CLASSIFICATION)


def test_a_stack_keeps_its_places():
    case = make_case(slices=4)
    source = read_source(case.study, case.prediction)
    assert source.has_geometry
    assert source.frames == ()
    assert source.frame_number(2) is None
    assert source.shape == (4, 40, 30)
    assert source.slice_spacing == 2.5
    assert source.slice_thickness == 2.5
    assert len(source.instances) == 4
    assert not source.colour


def test_an_image_without_geometry_has_no_place(finding):
    ds = image(CINE[0], ImagerPixelSpacing=[0.2, 0.1])
    source = read_source(study_of([ds]), replace(finding, source_sop_instance_uids=(ds.SOPInstanceUID,)))
    assert not source.has_geometry
    assert source.spacing == (0.2, 0.1)
    assert source.spacing_meaning is SpacingMeaning.DETECTOR
    np.testing.assert_array_equal(source.pixels, CINE[:1])


def test_colours_are_red_green_blue(finding):
    rgb = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    ds = image(rgb)
    source = read_source(study_of([ds]), replace(finding, source_sop_instance_uids=(ds.SOPInstanceUID,)))
    assert source.colour
    assert source.shape == (1, 2, 3)
    np.testing.assert_array_equal(source.pixels, rgb[None])


def test_frames_of_one_instance_are_the_slices(finding):
    ds = image(CINE, frames=4)
    found = replace(finding, source_sop_instance_uids=(ds.SOPInstanceUID,), source_frames=(4, 2))
    source = read_source(study_of([ds]), found)
    np.testing.assert_array_equal(source.pixels, CINE[[3, 1]])
    assert source.frame_number(0) == 4
    assert len(source.slices) == 2
    assert len(source.instances) == 1
    assert "PixelData" not in source.header


@pytest.mark.parametrize("frames", [(5,), (0,), ()])
def test_frames_that_are_not_there_or_not_named_are_an_error(finding, frames):
    ds = image(CINE, frames=4)
    found = replace(finding, source_sop_instance_uids=(ds.SOPInstanceUID,), source_frames=frames)
    with pytest.raises(EncodingFailed):
        read_source(study_of([ds]), found)


def test_a_mask_needs_geometry(finding):
    ds = image(CINE[0])
    found = replace(
        finding,
        source_sop_instance_uids=(ds.SOPInstanceUID,),
        segments=make_case(slices=2).prediction.segments,
    )
    with pytest.raises(EncodingFailed, match="need a stack"):
        read_source(study_of([ds]), found)


def test_headers_are_read_of_anything(finding):
    ds = image(CINE, frames=4)
    (header,) = read_headers(study_of([ds]), [ds.SOPInstanceUID])
    assert header.SOPInstanceUID == ds.SOPInstanceUID
    assert "PixelData" not in header
    assert header.PatientName == ""
