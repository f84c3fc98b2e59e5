"""Results that feed another model: taken as they are, resampled, or missing with the reason."""

import dataclasses

import numpy as np
import pytest
from model_series import mr_slices, study_of
from pydicom.uid import generate_uid

from dicom_node.domain.finding import Code, ModelIdentity, Prediction
from dicom_node.domain.run import RejectionKind, RunStatus
from inference.preprocess.series import read_volume
from inference.runner.arrays import pack_arrays
from inference.runner.feeds import FeedMissing, feed_arrays, needed_predictions
from inference.runner.source import input_of

BRAIN = ModelIdentity("brain", "1.0", "Brain", "Tests", "2.25.1", Code("123110", "DCM", "AI"))
#: Smooth, so that interpolation shows where it is wrong; asymmetric.
VOXELS = (np.arange(6)[:, None, None] * 40 + np.arange(8)[:, None] * 20 + np.arange(10) * 7).astype(np.uint16)


def instances_of(study, series):
    return [e.sop_instance_uid for e in study.instances if e.series_instance_uid == series]


def two_series(**attributes):
    """A study of two series on different grids over the same space, the second one twice as fine."""
    frame, study_uid = generate_uid(), generate_uid()
    same = {"FrameOfReferenceUID": frame, "StudyInstanceUID": study_uid}
    coarse = mr_slices(VOXELS, spacing=(2.0, 1.0, 1.0), origin=(-20.0, 30.0, 5.0), **same)
    fine_voxels = np.zeros((8, 12, 16), np.uint16)
    fine = mr_slices(
        fine_voxels, spacing=(1.0, 0.5, 0.5), origin=(-18.0, 31.0, 7.0), **{**same, **attributes}
    )
    study = study_of(coarse + fine)
    return study, str(coarse[0].SeriesInstanceUID), str(fine[0].SeriesInstanceUID)


def prediction_on(study, series, **changes):
    volume = read_volume(instances_of(study, series), study.read, max_voxels=10**6)
    arrays = {
        "mask": (volume.voxels > 150).astype(np.uint8),
        "probability": (volume.voxels / 1000).astype(np.float16),
    }
    made = Prediction(
        BRAIN,
        series,
        RunStatus.DONE,
        source_sop_instance_uids=volume.sop_instance_uids,
        arrays=pack_arrays(arrays),
    )
    return dataclasses.replace(made, **changes), arrays


def given_of(study, series):
    return input_of(read_volume(instances_of(study, series), study.read, max_voxels=10**6))


def test_arrays_over_the_same_slices_are_taken_as_they_are():
    study, coarse, _ = two_series()
    prediction, arrays = prediction_on(study, coarse)
    found = feed_arrays((prediction,), given_of(study, coarse), study, coarse)
    assert set(found) == {"brain.mask", "brain.probability"}
    np.testing.assert_array_equal(found["brain.mask"], arrays["mask"])


def test_arrays_of_another_series_are_brought_to_the_grid_in_the_same_frame_of_reference():
    study, coarse, fine = two_series()
    prediction, _ = prediction_on(study, coarse)
    given = given_of(study, fine)
    found = feed_arrays((prediction,), given, study, fine)
    # The value at each place in the patient, from the formula of VOXELS.
    index = np.stack(np.meshgrid(*map(np.arange, given.voxels.shape), indexing="ij"), axis=-1)
    places = index @ given.affine[:3, :3].T + given.affine[:3, 3]
    columns, rows, slices = places[..., 0] + 20, places[..., 1] - 30, (places[..., 2] - 5) / 2
    expected = slices * 40 + rows * 20 + columns * 7
    inside = (slices <= 5) & (rows <= 7) & (columns <= 9)
    assert 0.5 < inside.mean() < 1
    np.testing.assert_allclose(found["brain.probability"][inside], expected[inside] / 1000, atol=1e-3)
    assert found["brain.mask"].dtype == np.uint8
    sure = inside & (np.abs(expected - 150) > 40)
    np.testing.assert_array_equal(found["brain.mask"][sure], expected[sure] > 150)
    assert found["brain.mask"][~inside & (slices > 5.6)].sum() == 0


def test_another_frame_of_reference_is_no_place_to_take_a_result_from():
    study, coarse, fine = two_series(FrameOfReferenceUID=generate_uid())
    prediction, _ = prediction_on(study, coarse)
    with pytest.raises(FeedMissing, match="frame of reference") as caught:
        feed_arrays((prediction,), given_of(study, fine), study, fine)
    assert caught.value.reason.kind is RejectionKind.MISSING_RESULT


def test_a_result_that_is_not_there_or_was_rejected_is_missing_with_its_reason():
    study, coarse, _ = two_series()
    prediction, _ = prediction_on(study, coarse)
    assert needed_predictions(("brain",), {"brain": prediction}, coarse) == (prediction,)
    with pytest.raises(FeedMissing, match="did not run or failed"):
        needed_predictions(("brain",), {}, coarse)
    refused = dataclasses.replace(prediction, status=RunStatus.REJECTED, reason="Unable to determine: noise")
    with pytest.raises(FeedMissing, match="Unable to determine: noise"):
        needed_predictions(("brain",), {"brain": refused}, coarse)


def test_no_archive_of_arrays_is_no_array():
    study, coarse, _ = two_series()
    prediction, _ = prediction_on(study, coarse, arrays=b"")
    assert feed_arrays((prediction,), given_of(study, coarse), study, coarse) == {}
