"""The built-in model's real weights on real heads, and on all that it must not pronounce on."""

import io

import nibabel
import numpy as np
import pytest
from model_series import as_t1_mr, ct_head, study_of
from scipy.ndimage import gaussian_filter

from dicom_node.demo.series import wrap_mr_series
from dicom_node.demo.volume import load_t1_head
from dicom_node.domain.run import Assignment, RunStatus
from inference.cli_api import run_on_folder
from inference.packages.check import check_model
from inference.registry import ModelRegistry
from inference.runner.engine import ProcessEngine

MODEL = "mr-brain-extraction"
#: Of the demo's head, mL; deepbet's own code gives 1613.26.
VOLUME_ML = 1613.3
REFERENCE = "/usr/share/mricron/templates/ch2bet.nii.gz"


@pytest.fixture(scope="module")
def registry():
    return ModelRegistry.load()


@pytest.fixture(scope="module")
def predict(registry, tmp_path_factory):
    engine = ProcessEngine(registry, device="cpu", timeout_s=250, min_confidence=0.6)

    def predicted(series):
        study = study_of(series)
        assignment = Assignment(MODEL, "1.0.2", study.instances[0].series_instance_uid, "test")
        return engine.run(assignment, study, tmp_path_factory.mktemp("scratch"))

    yield predicted
    engine.close()


@pytest.fixture(scope="module")
def head():
    return load_t1_head()


@pytest.fixture(scope="module")
def axial(predict, t1_series):
    return predict(t1_series)


def arrays_of(prediction):
    with np.load(io.BytesIO(prediction.arrays)) as archive:
        return archive["mask"], archive["probability"]


def volume_of(prediction):
    return prediction.segments[0].measurements[0].value


def refused_by(prediction):
    assert prediction.status is RunStatus.REJECTED
    assert prediction.reason.startswith("Unable to determine: ")
    assert prediction.arrays == b""
    return {reason.rule for reason in prediction.reasons if not reason.passed}


def test_a_real_head_is_outlined_on_its_own_slices(axial, t1_series):
    assert axial.status is RunStatus.DONE
    assert volume_of(axial) == pytest.approx(VOLUME_ML, abs=0.2)
    assert axial.label == "Intracranial volume 1613 mL"
    assert axial.confidence == pytest.approx(0.994, abs=0.002)
    assert axial.source_sop_instance_uids == tuple(ds.SOPInstanceUID for ds in t1_series)
    mask, probability = arrays_of(axial)
    assert mask.shape == probability.shape == (256, 256, 208)
    assert mask.sum() / 1000 == pytest.approx(VOLUME_ML, abs=0.2)
    assert probability[mask > 0].min() >= 0
    assert probability[mask > 0].mean() > 0.99


def test_every_gate_is_recorded_with_what_it_measured(axial):
    rules = {reason.rule for reason in axial.reasons}
    assert {"gate.confidence", "gate.volume_ml", "gate.rim_to_core", "gate.border_contact"} <= rules
    assert all(reason.passed for reason in axial.reasons)


def test_the_same_head_cut_sagittally_and_sent_backwards_gives_the_same_mask(predict, head, axial):
    sagittal = list(wrap_mr_series(head, seed="sagittal", plane="sagittal"))
    prediction = predict(sagittal[::-1])
    assert prediction.source_sop_instance_uids == tuple(ds.SOPInstanceUID for ds in sagittal)
    mask, _ = arrays_of(prediction)
    from_axial, _ = arrays_of(axial)
    # (left, down, back) of the one are (slice, row, column) in another order in the other.
    as_axial = mask.transpose(1, 2, 0)[::-1, :, ::-1]
    overlap = 2 * (as_axial & from_axial).sum() / (int(mask.sum()) + int(from_axial.sum()))
    assert overlap > 0.9999


def test_a_coarser_head_has_the_same_volume(predict, t1_half):
    prediction = predict(t1_half)
    assert prediction.status is RunStatus.DONE
    assert volume_of(prediction) == pytest.approx(VOLUME_ML, rel=0.02)


def test_the_colin27_template_overlaps_its_own_brain_mask(predict, odd_matrix_series):
    prediction = predict(odd_matrix_series)
    assert prediction.status is RunStatus.DONE
    assert volume_of(prediction) == pytest.approx(1956.5, abs=1)
    # (superior, posterior, left) back to the template's (right, anterior, superior)
    mask = arrays_of(prediction)[0].transpose(2, 1, 0)[::-1, ::-1] > 0
    reference = np.asarray(nibabel.load(REFERENCE).dataobj) > 0
    assert 2 * (mask & reference).sum() / (mask.sum() + reference.sum()) > 0.93


def test_a_ct_that_claims_to_be_mr_is_refused_for_its_air(predict):
    ct = ct_head()
    series = as_t1_mr(ct + 1024, (0.957, 0.957, 1.5))
    for ds in series:
        ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    assert "gate.negative_fraction" in refused_by(predict(series))


@pytest.mark.parametrize("disguise", ["shifted", "windowed", "turned"])
def test_a_ct_in_the_disguise_of_a_t1_is_refused(predict, disguise):
    ct = ct_head().astype(np.float32)
    voxels = {
        "shifted": ct + 1024,
        "windowed": np.clip(ct + 100, 0, 250) * 8,
        "turned": (ct + 1024)[:, ::-1, ::-1],
    }[disguise]
    prediction = predict(as_t1_mr(voxels, (0.957, 0.957, 1.5)))
    assert "gate.rim_to_core" in refused_by(prediction)


def test_noise_is_refused_before_the_model(predict):
    noise = np.random.default_rng(0).normal(500, 100, (160, 180, 160))
    prediction = predict(as_t1_mr(noise))
    assert refused_by(prediction) == {"gate.neighbour_correlation"}
    assert prediction.elapsed_s == 0


def test_clouds_are_refused(predict):
    clouds = gaussian_filter(np.random.default_rng(0).normal(500, 300, (160, 180, 160)), 6)
    assert "gate.confidence" in refused_by(predict(as_t1_mr((clouds - clouds.min()) * 20)))


def test_a_sphere_of_the_size_of_a_head_is_refused(predict):
    grid = np.indices((180, 200, 180)) - np.array([90, 100, 90])[:, None, None, None]
    distance = np.sqrt((grid**2).sum(0))
    sphere = np.where(distance < 75, 2000, 60) + np.random.default_rng(0).normal(0, 30, distance.shape)
    assert {"gate.confidence", "gate.rim_to_core"} <= refused_by(predict(as_t1_mr(sphere)))


def test_an_image_whose_fluid_is_bright_is_refused(predict, head):
    bright = np.percentile(head.voxels, 99.5)
    turned = (bright - np.clip(head.voxels, 0, bright)) * (head.voxels > 30)
    assert "gate.rim_to_core" in refused_by(predict(as_t1_mr(turned)))


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        (np.s_[:, :, 150:], "gate.border_contact"),
        (np.s_[:, :, :165], "gate.border_contact"),
        (np.s_[:, 128:, :], "gate.border_contact"),
    ],
    ids=["upper half", "lower half", "front half"],
)
def test_a_head_that_is_cut_off_is_refused(predict, head, part, rule):
    series = as_t1_mr(head.voxels[part])
    assert refused_by(predict(series)) & {rule, "gate.coverage_mm"}


def test_half_a_head_is_too_narrow_to_be_tried(predict, head):
    assert refused_by(predict(as_t1_mr(head.voxels[:104]))) == {"gate.coverage_mm"}


@pytest.mark.parametrize("scale", [0.72, 1.3], ids=["small", "large"])
def test_a_head_of_no_adult_size_is_refused(predict, head, scale):
    series = as_t1_mr(head.voxels[::2, ::2, ::2], (2 * scale, 2 * scale, 2 * scale))
    assert "gate.volume_ml" in refused_by(predict(series))


def test_the_package_passes_on_its_own_sample(registry):
    assert check_model(registry, MODEL, device="cpu", timeout_s=250).errors == ()


def test_a_folder_of_files_can_be_run(registry, t1_half, tmp_path):
    for number, ds in enumerate(t1_half):
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("no DICOM")
    prediction = run_on_folder(registry, MODEL, tmp_path, device="cpu", timeout_s=250)
    assert prediction.status is RunStatus.DONE
