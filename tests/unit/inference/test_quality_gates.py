"""What every image must be, and how far it may lie from those that a model learned from."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dicom_node.domain.errors import InvalidModelPackage
from dicom_node.domain.run import RejectionKind
from inference.contract.inputs import GateLimit, Validator
from inference.contract.outputs import ClassificationOutput
from inference.gates.advice import advice
from inference.gates.agreement import check_agreement
from inference.gates.limits import check_confidence, check_limits
from inference.gates.measure import measure_mask, measure_volume
from inference.gates.pixels import STATISTICS, measure_pixels
from inference.gates.quality import check_quality
from inference.gates.reference import check_reference, fit_reference, read_reference
from inference.gates.source import check_images, check_volume
from inference.gates.validator import check_validator
from inference.preprocess.volume import Volume
from inference.registry import ModelRegistry

GRID = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 64, 64)), indexing="ij"))
AXIAL = np.array([[0, 0, 3.0, -96], [0, 3.0, 0, -96], [6.0, 0, 0, -72], [0, 0, 0, 1.0]])


def head(seed=0, *, noise=8.0):
    """A bright ball with a darker centre, off the middle, in noise: float32 (24, 64, 64), darkest 0."""
    rng = np.random.default_rng(seed)
    slices, rows, columns = GRID
    radius = np.sqrt(
        (slices * 0.9) ** 2 + (rows / 0.8) ** 2 + ((columns - 0.02) / (0.6 + 0.05 * rng.random())) ** 2
    )
    image = np.where(radius < 1, 400 + 150 * rows, 10) - np.where(radius < 0.3, 200, 0)
    return np.clip(image + rng.normal(0, noise, image.shape), 0, None).astype(np.float32)


def ct(scale=1.0, shift=0.0):
    values = np.where(head(noise=0) > 100, 40.0, -1000.0) + np.random.default_rng(1).normal(
        0, 5, (24, 64, 64)
    )
    return (values * scale + shift).astype(np.float32)


def photograph():
    rng = np.random.default_rng(3)
    colour = np.repeat(rng.random((8, 8, 3)), 8, axis=0).repeat(8, axis=1) * 255
    return colour[np.newaxis].astype(np.float32)


def refused(reasons):
    return {reason.rule.removeprefix("quality."): reason.kind for reason in reasons if not reason.passed}


def quality(voxels, *, hounsfield=False):
    return check_quality(measure_pixels(voxels), "series", hounsfield=hounsfield)


def test_an_image_passes_all_demands():
    assert refused(quality(head())) == {}
    assert refused(quality(ct(), hounsfield=True)) == {}


@pytest.mark.parametrize(
    ("voxels", "rule"),
    [
        (np.zeros((4, 16, 16), np.float32), "distinct_values"),
        (np.full((1, 16, 16), 7, np.float32), "blank_slices"),
        (np.where(head() > 200, 3.0, 1.0).astype(np.float32), "distinct_values"),
        (np.random.default_rng(1).normal(100, 20, (6, 40, 40)).astype(np.float32), "neighbour_correlation"),
        (
            np.random.default_rng(1).integers(0, 255, (1, 40, 40, 3)).astype(np.float32),
            "neighbour_correlation",
        ),
        (np.where(GRID[1] > -0.5, 4095, head()).astype(np.float32), "at_maximum_fraction"),
    ],
)
def test_blank_noisy_and_saturated_images_are_refused_for_their_quality(voxels, rule):
    assert refused(quality(voxels))[rule] is RejectionKind.QUALITY


def test_a_volume_of_mostly_blank_slices_is_refused():
    voxels = head()
    voxels[1:] = 5
    assert "blank_slices" in refused(quality(voxels))


@pytest.mark.parametrize(
    ("scale", "shift", "rule"),
    [(1, 1024, "lowest"), (0.1, 0, "lowest"), (1000, 0, "highest"), (0, -300, "highest")],
)
def test_a_ct_without_hounsfield_units_is_refused_and_told_what_to_send(scale, shift, rule):
    reasons = quality(ct(scale, shift), hounsfield=True)
    assert rule in refused(reasons)
    text = next(reason.text for reason in reasons if reason.rule == f"quality.{rule}")
    assert "rescale slope and intercept" in text


def test_the_refusal_says_what_was_measured_and_what_to_do():
    (reason,) = [r for r in quality(np.zeros((2, 8, 8), np.float32)) if r.rule == "quality.distinct_values"]
    assert (
        reason.text
        == "the images look blank (1 different values): send the series again, or check its export"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_do_not_stop_the_measuring(value):
    voxels = head()
    voxels[0, 0, :8] = value
    assert all(np.isfinite(v) for v in measure_pixels(voxels).values())


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (3, 2, 1), (0, 4, 4)])
def test_the_smallest_images_can_be_measured(shape):
    facts = measure_pixels(np.ones(shape, np.float32))
    assert all(np.isfinite(v) for v in facts.values())


def test_statistics_do_not_depend_on_matrix_or_brightness():
    facts = measure_pixels(head(noise=0))
    fine = measure_pixels(np.kron(head(noise=0) * 7 + 3, np.ones((1, 3, 3), np.float32)))
    for name in STATISTICS:
        assert fine[name] == pytest.approx(facts[name], abs=0.06), name


@pytest.fixture(scope="module")
def reference_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "reference.json"
    path.write_text(json.dumps(fit_reference([measure_pixels(head(seed)) for seed in range(30)])))
    return path


def test_an_image_like_the_reference_passes_and_others_do_not(reference_file):
    reference = read_reference(reference_file)
    assert check_reference(reference, measure_pixels(head(99)), "s").passed
    rng = np.random.default_rng(5)
    for other in (
        rng.normal(100, 20, (24, 64, 64)).astype(np.float32),
        photograph(),
        np.clip(900 - head(), 0, None),
        np.zeros((24, 64, 64), np.float32),
        head()[:, :32, :32],
    ):
        reason = check_reference(reference, measure_pixels(other), "s")
        assert not reason.passed
        assert reason.kind is RejectionKind.OUT_OF_DISTRIBUTION
        assert "unlike those that the model learned from" in reason.text


def test_a_reference_of_too_few_images_is_not_made():
    with pytest.raises(ValueError, match="too few"):
        fit_reference([measure_pixels(head())] * 4)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"facts": ["a"], "mean": [1], "scale": [0], "precision": [[1]], "limit": 2}',
             '{"facts": ["a"], "mean": [1, 2], "scale": [1], "precision": [[1]], "limit": 2}']
)  # fmt: skip
def test_a_broken_reference_makes_the_package_invalid(tmp_path, text):
    path = tmp_path / "reference.json"
    with pytest.raises(InvalidModelPackage, match="cannot be read"):
        read_reference(path)
    path.write_text(text)
    with pytest.raises(InvalidModelPackage, match="is no reference"):
        read_reference(path)


@pytest.fixture(scope="module")
def manifest():
    return ModelRegistry.load().models["mr-brain-extraction"]


def test_a_volume_is_judged_by_place_quality_manifest_and_reference(manifest, reference_file):
    manifest = replace(manifest, folder=reference_file.parent, reference=reference_file.name)
    kinds = {}
    for name, voxels in (
        ("good", head()),
        ("blank", np.zeros((24, 64, 64), np.float32)),
        ("noise", np.random.default_rng(2).normal(500, 30, (24, 64, 64)).astype(np.float32)),
        ("ct", ct()),
    ):
        reasons = check_volume(manifest, measure_volume(Volume(voxels, AXIAL, ())), "series")
        kinds[name] = {reason.kind for reason in reasons if not reason.passed}
    assert kinds["good"] == set()
    assert RejectionKind.QUALITY in kinds["blank"] & kinds["noise"]
    assert RejectionKind.OUT_OF_DISTRIBUTION in kinds["ct"]
    coarse = Volume(head(), AXIAL * 4, ())
    far = check_volume(manifest, measure_volume(coarse), "series")
    assert RejectionKind.GEOMETRY in {reason.kind for reason in far if not reason.passed}


def test_single_images_are_judged_without_a_place(manifest):
    reasons = check_images(manifest, measure_pixels(head()[5:6]), "image")
    assert reasons
    assert all(reason.passed for reason in reasons)
    assert not {"gate.tilt_deg", "gate.coverage_mm"} & {reason.rule for reason in reasons}


def test_limits_after_the_model_say_what_cannot_be():
    limit = GateLimit("volume_ml", "volume, mL", 800, 2300)
    (reason,) = check_limits([limit], {"volume_ml": 90.0}, "model")
    assert reason.kind is RejectionKind.PLAUSIBILITY
    (reason,) = check_limits([GateLimit("agreement", "agreement", 0.5, None)], {"agreement": 0.1}, "model")
    assert reason.kind is RejectionKind.DISAGREEMENT
    assert check_confidence(0.4, 0.6, "model").kind is RejectionKind.CONFIDENCE
    assert check_confidence(0.7, 0.6, "model").kind is None


VALIDATOR = Validator("image-gate", ("mr_brain", "ct_head"), 0.7)


@pytest.mark.parametrize(
    ("probabilities", "passed"),
    [
        ({"mr_brain": 0.5, "ct_head": 0.3, "photograph": 0.2}, True),
        ({"mr_brain": 0.69, "photograph": 0.31}, False),
        ({"mr_brain": float("nan")}, False),
        ({}, False),
    ],
)
def test_the_validator_adds_the_accepted_classes(probabilities, passed):
    reason = check_validator(VALIDATOR, probabilities, "series")
    assert reason.passed is passed
    assert reason.kind is (None if passed else RejectionKind.OUT_OF_DISTRIBUTION)


def test_a_refused_image_is_called_what_it_looks_like():
    text = check_validator(VALIDATOR, {"mr_brain": 0.1, "hand_xray": 0.9}, "series").text
    assert "looks like hand xray" in text


@pytest.mark.parametrize(
    ("facts", "passed"),
    [({"agreement": 0.7}, True), ({"agreement": 0.5}, False), ({}, False), ({"agreement": np.nan}, False)],
)
def test_slices_that_contradict_each_other_are_refused(facts, passed):
    reason = check_agreement(ClassificationOutput("multi-class", (), min_agreement=0.6), facts, "model")
    assert reason.passed is passed
    assert reason.kind is (None if passed else RejectionKind.DISAGREEMENT)


def test_there_is_advice_for_every_kind():
    for kind in RejectionKind:
        assert advice(kind).endswith(".")


def test_the_side_and_the_pieces_of_a_mask_are_measured():
    voxels = head(noise=0)
    body = (voxels > 100).astype(np.uint8)
    whole = measure_mask(voxels, body, AXIAL)
    assert whole["left_share"] == pytest.approx(0.5, abs=0.05)
    assert (whole["components"], whole["largest_component"]) == (1, 1)
    left = body.copy()
    left[:, :, :40] = 0
    assert measure_mask(voxels, left, AXIAL)["left_share"] == 1
    # The same arrays in a patient who lies the other way round.
    mirrored = AXIAL.copy()
    mirrored[0] *= -1
    assert measure_mask(voxels, left, mirrored)["left_share"] == 0
    two = body.copy()
    two[:, :, 28:36] = 0
    pieces = measure_mask(voxels, two, AXIAL)
    assert pieces["components"] == 2
    assert pieces["largest_component"] == pytest.approx(0.5, abs=0.1)
