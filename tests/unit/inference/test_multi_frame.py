"""Multi-frame instances become volumes by the geometry of their frames."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from model_series import DIRECTIONS, mr_slices, study_of
from multi_frame import enhanced_mr, item
from predicted_series import make_case, pack
from pydicom.uid import RLELossless, generate_uid

from inference.encode.source import read_source
from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused

#: Asymmetric in every direction, odd and even sizes.
PHANTOM = np.arange(7 * 6 * 5, dtype=np.uint16).reshape(7, 6, 5)
ORDER = (3, 0, 6, 1, 5, 2, 4)


def read(*datasets, **wishes):
    study = study_of(datasets)
    return read_volume([e.sop_instance_uid for e in study.instances], study.read, max_voxels=10**6, **wishes)


def refusal(*datasets, **wishes):
    with pytest.raises(VolumeRefused) as caught:
        read(*datasets, **wishes)
    return caught.value.rule


@pytest.mark.parametrize("directions", DIRECTIONS)
@pytest.mark.parametrize("shared", [(), ("orientation", "measures")])
def test_frames_are_ordered_by_position_in_every_orientation(directions, shared):
    slices = mr_slices(PHANTOM, directions)
    ds = enhanced_mr([slices[i] for i in ORDER], shared=shared)
    volume = read(ds)
    np.testing.assert_array_equal(volume.voxels, PHANTOM)
    np.testing.assert_allclose(volume.affine, read(*slices).affine)
    assert volume.sop_instance_uids == (ds.SOPInstanceUID,)
    assert volume.source_frames == tuple(ORDER.index(place) + 1 for place in range(7))


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_what_was_found_returns_to_the_frames_that_it_was_found_on(directions):
    slices = mr_slices(PHANTOM, directions)
    ds = enhanced_mr([slices[i] for i in ORDER])
    volume = read(ds)
    mask = (volume.voxels > 100).astype(np.uint8)
    case = make_case(slices=2)
    prediction = replace(
        case.prediction,
        source_sop_instance_uids=volume.sop_instance_uids,
        source_frames=volume.source_frames,
        arrays=pack(mask, mask.astype(np.float16)),
    )
    source = read_source(study_of([ds]), prediction)
    np.testing.assert_array_equal(source.pixels, PHANTOM)
    np.testing.assert_allclose(source.positions, [one.ImagePositionPatient for one in slices])
    for index in range(7):
        frame = ds.pixel_array[source.frame_number(index) - 1]
        np.testing.assert_array_equal(frame > 100, mask[index] > 0)
    assert source.slice_spacing == pytest.approx(2)
    assert source.slice_thickness == 2


def test_each_frame_has_its_own_rescale():
    slices = mr_slices(PHANTOM)
    for index, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = str(index + 1), "-10"
    expected = PHANTOM * np.arange(1, 8)[:, None, None] - 10.0
    np.testing.assert_array_equal(read(enhanced_mr(slices)).voxels, expected)


def test_compressed_frames_are_decoded():
    ds = enhanced_mr(mr_slices(PHANTOM)[::-1])
    ds.compress(RLELossless)
    np.testing.assert_array_equal(read(ds).voxels, PHANTOM)


def test_a_legacy_converted_instance_is_the_volume_that_it_was_made_of():
    slices = mr_slices(
        PHANTOM, PatientID="1", PatientName="A^B", PatientBirthDate="", PatientSex="O", StudyDate="20260101",
        StudyTime="101010", AccessionNumber="", StudyID="", ReferringPhysicianName="",
        Manufacturer="X", AcquisitionNumber=1,
    )  # fmt: skip
    legacy = hd.legacy.LegacyConvertedEnhancedMRImage(slices[::-1], generate_uid(), 9, generate_uid(), 1)
    volume = read(legacy)
    np.testing.assert_array_equal(volume.voxels, PHANTOM)
    np.testing.assert_allclose(volume.affine, read(*slices).affine)


@pytest.mark.parametrize(("sequences", "echo"), [((), 0), (("T1",), 0), (("T2", "FLAIR"), 1)])
def test_of_two_echoes_the_right_one_is_chosen(sequences, echo):
    slices = mr_slices(PHANTOM) + mr_slices(PHANTOM + 1000)

    def own(index, group):
        group.MREchoSequence = item(EffectiveEchoTime=10.0 if index < 7 else 80.0)

    volume = read(enhanced_mr(slices, own=own), sequences=sequences)
    np.testing.assert_array_equal(volume.voxels, PHANTOM + 1000 * echo)
    assert volume.source_frames == tuple(range(1 + 7 * echo, 8 + 7 * echo))
    assert volume.notes[0].startswith("of several volumes one was chosen by echo time")


def test_of_several_times_of_an_mr_the_first_is_chosen():
    slices = mr_slices(PHANTOM + 1000) + mr_slices(PHANTOM)

    def own(index, group):
        group.FrameContentSequence = item(TemporalPositionIndex=2 if index < 7 else 1)

    np.testing.assert_array_equal(read(enhanced_mr(slices, own=own)).voxels, PHANTOM)


@pytest.mark.parametrize(("sequences", "expected"), [((), 0), (("DWI",), 1000)])
def test_of_b_values_the_one_of_the_wanted_sequence_is_chosen(sequences, expected):
    slices = mr_slices(PHANTOM + 1000) + mr_slices(PHANTOM)

    def own(index, group):
        group.MRDiffusionSequence = item(DiffusionBValue=800.0 if index < 7 else 0.0)

    volume = read(enhanced_mr(slices, own=own), sequences=sequences)
    np.testing.assert_array_equal(volume.voxels, PHANTOM + expected)


def test_directions_of_one_b_value_are_not_chosen_from():
    slices = mr_slices(PHANTOM) + mr_slices(PHANTOM + 1)

    def own(index, group):
        direction = [1.0, 0.0, 0.0] if index < 7 else [0.0, 1.0, 0.0]
        group.MRDiffusionSequence = item(
            DiffusionBValue=800.0,
            DiffusionGradientDirectionSequence=item(DiffusionGradientOrientation=direction),
        )

    assert refusal(enhanced_mr(slices, own=own)) == "several-volumes"


def test_frames_without_a_place_are_refused():
    ds = enhanced_mr(mr_slices(PHANTOM))
    del ds.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence
    assert refusal(ds) == "missing-geometry"


def test_fewer_groups_than_frames_are_refused():
    ds = enhanced_mr(mr_slices(PHANTOM))
    del ds.PerFrameFunctionalGroupsSequence[4]
    assert refusal(ds) == "frames"


def test_a_volume_spread_over_two_instances_is_refused():
    slices = mr_slices(PHANTOM)
    assert refusal(enhanced_mr(slices[:4]), enhanced_mr(slices[4:])) == "several-multi-frame"
