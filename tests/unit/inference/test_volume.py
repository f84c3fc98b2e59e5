"""Series become volumes by their geometry, or are refused with a reason."""

import numpy as np
import pytest
from model_series import DIRECTIONS, mr_slices, study_of
from pydicom.uid import JPEGLSLossless, generate_uid

from dicom_node.domain.errors import InferenceFailed
from inference.preprocess.orientation import closest_axes
from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused

#: Rows and columns along every pair of the patient's axes, either way.
_AXES = [tuple(int(sign) * int(i == axis) for i in range(3)) for axis in range(3) for sign in (1, -1)]
CARDINAL = [(*row, *column) for row in _AXES for column in _AXES if not np.dot(np.abs(row), np.abs(column))]
#: Asymmetric in every direction.
PHANTOM = np.arange(7 * 6 * 5, dtype=np.uint16).reshape(7, 6, 5)


def read(datasets, max_voxels=10**6):
    study = study_of(datasets)
    return read_volume([e.sop_instance_uid for e in study.instances], study.read, max_voxels=max_voxels)


def refusal(datasets):
    with pytest.raises(VolumeRefused) as caught:
        read(datasets)
    return caught.value.rule


@pytest.mark.parametrize("directions", DIRECTIONS)
@pytest.mark.parametrize("arrival", ["forward", "backward", "shuffled"])
def test_slices_are_ordered_by_position_in_every_orientation(directions, arrival):
    slices = mr_slices(PHANTOM, directions)
    arrived = {
        "forward": slices,
        "backward": slices[::-1],
        "shuffled": [slices[i] for i in (3, 0, 6, 1, 5, 2, 4)],
    }[arrival]
    volume = read(arrived)
    np.testing.assert_array_equal(volume.voxels, PHANTOM)
    assert volume.sop_instance_uids == tuple(ds.SOPInstanceUID for ds in slices)
    assert volume.voxels.dtype == np.float32


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_affine_gives_the_patient_position_of_every_voxel(directions):
    slices = mr_slices(PHANTOM, directions)
    volume = read(slices)
    for index, ds in enumerate(slices):
        cosines = np.array(ds.ImageOrientationPatient, dtype=float)
        row, column = 4, 3
        # PS3.3 equation C.7.6.2.1-1
        expected = (
            np.array(ds.ImagePositionPatient, dtype=float)
            + column * cosines[:3] * float(ds.PixelSpacing[1])
            + row * cosines[3:] * float(ds.PixelSpacing[0])
        )
        np.testing.assert_allclose(volume.affine @ [index, row, column, 1], [*expected, 1], atol=1e-5)
    assert volume.spacing_mm == pytest.approx((2.0, 1.0, 0.5))
    assert volume.extent_mm == pytest.approx((14.0, 6.0, 2.5))
    assert volume.tilt_deg == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_mask_made_on_model_axes_returns_to_its_voxels(directions):
    volume = read(mr_slices(PHANTOM, directions)[::-1])
    order = closest_axes(volume.affine)
    on_model_axes = order.turned(volume.voxels)
    marked = on_model_axes > 100
    np.testing.assert_array_equal(order.turned_back(marked), PHANTOM > 100)
    np.testing.assert_array_equal(order.turned_back(on_model_axes), PHANTOM)


def test_what_a_model_marks_in_any_of_24_directions_stays_where_it_is():
    marks = [(0, 0, 0), (6, 0, 4), (2, 5, 1), (5, 3, 3)]
    for cosines in CARDINAL:
        for tilt in (0.0, 0.7):
            slices = mr_slices(PHANTOM, cosines, tilt=tilt)
            volume = read([slices[i] for i in (3, 0, 6, 1, 5, 2, 4)])
            order = closest_axes(volume.affine)
            on_model_axes = np.zeros_like(order.turned(volume.voxels))
            for mark in marks:
                on_model_axes[order.turned(volume.voxels) == PHANTOM[mark]] = 1
            marked = np.argwhere(order.turned_back(on_model_axes))
            assert sorted(map(tuple, marked)) == sorted(marks)
            for index, row, column in marks:
                place = volume.affine @ [index, row, column, 1]
                ds = slices[index]
                expected = (
                    np.array(ds.ImagePositionPatient, dtype=float)
                    + column * 0.5 * np.array(cosines[:3])
                    + row * 1.0 * np.array(cosines[3:])
                )
                np.testing.assert_allclose(place[:3], expected, atol=1e-5)


def test_model_axes_run_right_anterior_superior():
    volume = read(mr_slices(PHANTOM, "axial"))
    right_anterior_superior = closest_axes(volume.affine).turned(volume.voxels)
    # The first voxel of an axial slice lies right (of the patient) and in front; slices go up.
    corner = right_anterior_superior[-1, -1, 0]
    assert corner == PHANTOM[0, 0, 0]
    assert right_anterior_superior[0, 0, -1] == PHANTOM[-1, -1, -1]


def test_one_axis_twice_is_refused():
    affine = np.eye(4)
    affine[:3, 1] = affine[:3, 0]
    with pytest.raises(InferenceFailed):
        closest_axes(affine)


def test_a_missing_slice_is_refused():
    slices = mr_slices(PHANTOM)
    assert refusal(slices[:3] + slices[4:]) == "gap"


def test_two_slices_at_one_position_are_refused():
    slices = mr_slices(PHANTOM)
    slices[2].ImagePositionPatient = slices[1].ImagePositionPatient
    assert refusal(slices) == "duplicate-positions"


def test_a_localiser_in_the_series_is_left_out():
    slices = mr_slices(PHANTOM)
    volume = read(_in_one_series(slices + mr_slices(PHANTOM[:1], "sagittal")))
    np.testing.assert_array_equal(volume.voxels, PHANTOM)
    assert volume.notes == ("1 images of another orientation were left out",)


def test_two_stacks_of_different_orientation_are_refused():
    both = mr_slices(PHANTOM) + mr_slices(PHANTOM[:4], "sagittal")
    assert refusal(_in_one_series(both)) == "mixed-orientation"


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_missing_geometry_is_refused(keyword):
    slices = mr_slices(PHANTOM)
    delattr(slices[4], keyword)
    assert refusal(slices) == "missing-geometry"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", [0, 1]),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [2, 0, 0, 0, 1, 0]),
        ("ImagePositionPatient", [1, 2]),
    ],
)
def test_senseless_geometry_is_refused(keyword, value):
    slices = mr_slices(PHANTOM)
    setattr(slices[4], keyword, value)
    assert refusal(slices) == "missing-geometry"


def test_slices_of_different_size_are_refused():
    slices = mr_slices(PHANTOM)
    slices[3] = mr_slices(PHANTOM[:, :4])[3]
    assert refusal(_in_one_series(slices)) == "mixed-matrix"


def test_slices_of_different_pixel_spacing_are_refused():
    slices = mr_slices(PHANTOM)
    slices[3].PixelSpacing = [1.1, 0.5]
    assert refusal(slices) == "mixed-pixel-spacing"


def test_slices_of_different_frames_of_reference_are_refused():
    slices = mr_slices(PHANTOM)
    slices[3].FrameOfReferenceUID = generate_uid()
    assert refusal(slices) == "mixed-frame-of-reference"


def test_a_bent_stack_is_refused():
    slices = mr_slices(PHANTOM)
    x, y, z = slices[3].ImagePositionPatient
    slices[3].ImagePositionPatient = [x + 1, y, z]
    assert refusal(slices) == "bent-stack"


def test_a_sheared_stack_keeps_its_tilt_and_its_voxel_volume():
    slices = mr_slices(PHANTOM)
    for index, ds in enumerate(slices):
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y + index * 0.5, z]
    volume = read(slices)
    assert volume.tilt_deg == pytest.approx(np.degrees(np.arctan(0.25)))
    assert abs(np.linalg.det(volume.affine[:3, :3])) == pytest.approx(2.0 * 1.0 * 0.5)


def test_one_slice_is_refused():
    assert refusal(mr_slices(PHANTOM[:1])) == "slices"


def test_a_volume_larger_than_the_model_takes_is_refused():
    with pytest.raises(VolumeRefused) as caught:
        read(mr_slices(PHANTOM), max_voxels=PHANTOM.size - 1)
    assert caught.value.rule == "size"


def test_bytes_that_are_no_dicom_are_refused():
    study = study_of(mr_slices(PHANTOM))
    with pytest.raises(VolumeRefused) as caught:
        read_volume([e.sop_instance_uid for e in study.instances], lambda _: b"no", max_voxels=10**6)
    assert caught.value.rule == "unreadable"


def test_rescale_is_applied_slice_by_slice():
    slices = mr_slices(PHANTOM)
    for index, ds in enumerate(slices):
        ds.RescaleSlope, ds.RescaleIntercept = str(index + 1), "-10"
    expected = PHANTOM * np.arange(1, 8)[:, None, None] - 10.0
    np.testing.assert_array_equal(read(slices).voxels, expected)


def test_a_rescale_slope_of_zero_is_refused():
    slices = mr_slices(PHANTOM, RescaleSlope="0", RescaleIntercept="0")
    assert refusal(slices) == "rescale"


def test_monochrome1_is_turned_so_that_brighter_is_more():
    slices = mr_slices(PHANTOM, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read(slices).voxels, 4095.0 - PHANTOM)


def test_signed_values_of_twelve_bits_keep_their_sign():
    values = (PHANTOM.astype(np.int16) - 100) & 0x0FFF
    slices = mr_slices(values.astype(np.uint16), BitsStored=12, HighBit=11, PixelRepresentation=1)
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM.astype(np.float32) - 100)


def test_overlays_in_unused_bits_are_ignored():
    drawn = PHANTOM | np.uint16(0x8000)
    slices = mr_slices(drawn, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM)


def test_padding_becomes_the_darkest_true_value():
    values = PHANTOM.astype(np.int16)
    values[:, 0, 0] = -2000
    slices = mr_slices(values, PixelPaddingValue=-2000)
    voxels = read(slices).voxels
    np.testing.assert_array_equal(voxels[:, 0, 0], PHANTOM[:, 0, 1])
    np.testing.assert_array_equal(voxels[:, 1:], PHANTOM[:, 1:])


def test_compressed_slices_are_decoded():
    slices = mr_slices(PHANTOM)
    for ds in slices:
        ds.compress(JPEGLSLossless)
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM)


def test_pixels_that_cannot_be_decoded_are_refused():
    slices = mr_slices(PHANTOM)
    slices[2].PixelData = b"\0\0"
    assert refusal(slices) == "pixels"


@pytest.mark.parametrize(
    ("keyword", "value", "rule"),
    [("NumberOfFrames", 2, "missing-geometry"), ("PhotometricInterpretation", "PALETTE COLOR", "colour")],
)
def test_images_that_are_no_grey_slices_are_refused(keyword, value, rule):
    assert refusal(mr_slices(PHANTOM, **{keyword: value})) == rule


def test_a_refusal_tells_no_value_of_the_data_set():
    slices = mr_slices(PHANTOM)
    del slices[4].PixelSpacing
    with pytest.raises(VolumeRefused) as caught:
        read(slices)
    assert slices[4].SOPInstanceUID not in str(caught.value)


def _in_one_series(slices):
    for ds in slices:
        ds.SeriesInstanceUID = slices[0].SeriesInstanceUID
        ds.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    return slices
