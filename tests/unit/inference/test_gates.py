"""Facts of volumes and masks, and the limits that decide on them."""

import numpy as np
import pytest

from inference.contract.inputs import GateLimit
from inference.gates.limits import check_confidence, check_limits
from inference.gates.measure import measure_mask, measure_volume
from inference.preprocess.volume import Volume

LIMIT = GateLimit("size", "size", 1.0, 2.0)


def ball(radius_mm, spacing=(1.0, 1.0, 1.0), shape_mm=200, center=None):
    count = [int(shape_mm / step) for step in spacing]
    grids = np.meshgrid(*(np.arange(n) * s for n, s in zip(count, spacing, strict=True)), indexing="ij")
    middle = center or [n * s / 2 for n, s in zip(count, spacing, strict=True)]
    return sum((g - m) ** 2 for g, m in zip(grids, middle, strict=True)) < radius_mm**2


def axial(spacing=(1.0, 1.0, 1.0)):
    """Slices go up, rows to the back, columns to the left."""
    slices, rows, columns = spacing
    return np.array([[0, 0, columns, 0], [0, rows, 0, 0], [slices, 0, 0, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.8, 0.8), (2.0, 3.0, 1.0)])
def test_a_ball_is_measured_alike_on_any_grid(spacing):
    inside = ball(60, spacing)
    facts = measure_mask(np.where(inside, 100, 5).astype(np.float32), inside.astype(np.uint8), axial(spacing))
    assert facts["volume_ml"] == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    for name in ("left_right", "posterior_anterior", "inferior_superior"):
        assert facts[f"extent_{name}_mm"] == pytest.approx(120, abs=6)
    assert facts["elongation"] == pytest.approx(1, abs=0.03)
    assert facts["symmetry"] > 0.95
    assert facts["border_contact"] == 0
    assert facts["rim_to_core"] == pytest.approx(1, abs=0.05)


def test_extents_follow_the_patient_and_not_the_array():
    inside = np.zeros((40, 60, 80), dtype=np.uint8)
    inside[10:30, 10:50, 10:70] = 1
    # Sagittal: slices to the left, rows down, columns to the back.
    affine = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    facts = measure_mask(np.zeros(inside.shape, np.float32), inside, affine)
    assert facts["extent_left_right_mm"] == pytest.approx(20, abs=2)
    assert facts["extent_inferior_superior_mm"] == pytest.approx(40, abs=2)
    assert facts["extent_posterior_anterior_mm"] == pytest.approx(60, abs=2)


def test_half_a_ball_touches_the_border_and_is_not_symmetrical():
    inside = ball(60)[:, :, 100:].astype(np.uint8)
    facts = measure_mask(inside.astype(np.float32), inside, axial())
    assert facts["border_contact"] > 0.9
    assert facts["symmetry"] < 0.85


def test_a_dark_rim_shows_in_its_ratio():
    inside = ball(60)
    image = np.where(ball(56), 100, np.where(inside, 40, 0)).astype(np.float32)
    assert measure_mask(image, inside.astype(np.uint8), axial())["rim_to_core"] == pytest.approx(
        0.4, abs=0.05
    )


def test_an_empty_mask_has_no_shape():
    empty = np.zeros((8, 8, 8), dtype=np.uint8)
    assert measure_mask(np.zeros((8, 8, 8), np.float32), empty, axial()) == {"volume_ml": 0.0}


def test_a_mask_of_one_voxel_can_be_measured():
    one = np.zeros((8, 8, 8), dtype=np.uint8)
    one[4, 4, 4] = 1
    assert measure_mask(np.zeros((8, 8, 8), np.float32), one, axial())["volume_ml"] == 0.001


def test_noise_is_told_from_an_image_by_its_neighbours():
    rng = np.random.default_rng(1)
    noise = rng.normal(100, 20, (60, 60, 60)).astype(np.float32)
    image = np.where(ball(20, shape_mm=60), 200, 10) + rng.normal(0, 10, (60, 60, 60))
    facts = {
        name: measure_volume(Volume(v.astype(np.float32), axial(), ()))
        for name, v in (("noise", noise), ("image", image))
    }
    assert abs(facts["noise"]["neighbour_correlation"]) < 0.05
    assert facts["image"]["neighbour_correlation"] > 0.7


def test_a_blank_image_has_one_value_and_no_correlation():
    facts = measure_volume(Volume(np.full((5, 6, 7), 9, np.float32), axial(), ()))
    assert facts["distinct_values"] == 1
    assert facts["neighbour_correlation"] == 0
    assert facts["coverage_mm"] == 5


def test_negative_values_are_counted():
    values = np.full((4, 10, 10), 50, np.float32)
    values[:, :3] = -1000
    assert measure_volume(Volume(values, axial(), ()))["negative_fraction"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("value", "passed"), [(0.9, False), (1.0, True), (2.0, True), (2.1, False), (float("nan"), False)]
)
def test_a_limit_includes_its_ends_and_refuses_what_is_no_number(value, passed):
    (reason,) = check_limits([LIMIT], {"size": value}, "model")
    assert reason.passed is passed
    assert reason.rule == "gate.size"


def test_a_fact_that_was_not_measured_does_not_pass():
    (reason,) = check_limits([LIMIT], {}, "model")
    assert not reason.passed
    assert reason.text == "size: could not be measured"


@pytest.mark.parametrize(
    ("confidence", "passed"), [(0.98, True), (0.97, False), (1.01, False), (float("nan"), False)]
)
def test_confidence_must_reach_the_threshold(confidence, passed):
    assert check_confidence(confidence, 0.98, "model").passed is passed
