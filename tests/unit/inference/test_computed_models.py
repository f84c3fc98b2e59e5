"""Models that are computed, not learned: on phantoms with known contents and on real heads."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from ct_phantoms import chest, head
from model_series import ct_head

from dicom_node.domain.errors import InferenceFailed
from inference.gates.limits import check_limits
from inference.gates.measure import measure_mask
from inference.models.ct_chest_density.adapter import ChestDensity
from inference.models.ct_head_icv.adapter import IntracranialVolume
from inference.models.mr_brain_tissue.adapter import FEED, BrainTissue
from inference.registry import ModelRegistry
from inference.runner.adapter import ModelInput

_TEMPLATES = Path("/usr/share/mricron/templates")
MODELS = ModelRegistry.load().models


def as_input(voxels, spacing, *, plane="axial", tilt=0.0, feeds=None):
    """An array whose axes run right, anterior and superior as slices, rows and columns of a series."""
    # To LPS: right and anterior run against x and y.
    to_lps = np.diag([-1.0, -1.0, 1.0])
    axes = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}[plane]
    flips = {"axial": (1, -1, -1), "coronal": (1, -1, -1), "sagittal": (1, -1, -1)}[plane]
    affine = np.eye(4)
    turned, extra = voxels.transpose(axes), {}
    for axis, (source, sign) in enumerate(zip(axes, flips, strict=True)):
        affine[:3, axis] = to_lps[:, source] * spacing[source] * sign
    turned = turned[tuple(slice(None, None, sign) for sign in flips)]
    for name, feed in (feeds or {}).items():
        extra[name] = feed.transpose(axes)[tuple(slice(None, None, sign) for sign in flips)]
    if tilt:
        # Room to lean over.
        turned = np.pad(turned, ((0, 0), (40, 40), (0, 0)), mode="edge")
        affine[:3, 3] -= 40 * affine[:3, 1]
        affine[:3, 0] += affine[:3, 1] / np.linalg.norm(affine[:3, 1]) * tilt
        step = tilt / np.linalg.norm(affine[:3, 1])
        turned = np.stack([np.roll(one, -round(index * step), axis=0) for index, one in enumerate(turned)])
    return ModelInput(np.ascontiguousarray(turned, dtype=np.float32), affine, extra)


def refusals(name, given, output):
    facts = {**measure_mask(given.voxels, output.mask, given.affine), **output.facts}
    reasons = check_limits(MODELS[name].gates_after, facts, name)
    refused = {reason.rule for reason in reasons if not reason.passed}
    return refused | ({"gate.confidence"} if output.confidence < MODELS[name].min_confidence else set())


def dice(one, other):
    return 2 * int((one & other).sum()) / (int(one.sum()) + int(other.sum()))


def in_slices(array, spacing, **how):
    return as_input(array.astype(np.float32), spacing, **how).voxels > 0


@pytest.mark.parametrize(
    "how",
    [{}, {"plane": "coronal"}, {"plane": "sagittal"}, {"tilt": 0.6}],
    ids=["axial", "cor", "sag", "tilt"],
)
def test_the_cavity_of_a_skull_is_outlined_in_every_direction(how):
    spacing = (2.5, 2.5, 3.0)
    hu, cavity = head(spacing)
    given = as_input(hu, spacing, **how)
    output = IntracranialVolume({}, "cpu").predict(given)
    assert output.mask.shape == given.voxels.shape
    assert dice(output.mask > 0, in_slices(cavity, spacing, **how)) > 0.97
    assert refusals("ct-head-icv", given, output) == set()


def test_a_skull_with_a_large_defect_is_refused():
    spacing = (2.5, 2.5, 3.0)
    given = as_input(head(spacing, defect=True)[0], spacing)
    assert refusals("ct-head-icv", given, IntracranialVolume({}, "cpu").predict(given)) != set()


@pytest.mark.parametrize("hu", [-1000.0, 40.0, 1000.0])
def test_a_uniform_block_has_no_cavity(hu):
    given = as_input(np.full((40, 40, 40), hu), (4.0, 4.0, 4.0))
    output = IntracranialVolume({}, "cpu").predict(given)
    assert not output.mask.any()
    assert "gate.volume_ml" in refusals("ct-head-icv", given, output)


def test_the_cavity_of_a_real_head_is_outlined():
    given = as_input(ct_head().astype(np.float32)[::2, ::2], (1.914, 1.914, 1.5))
    output = IntracranialVolume({}, "cpu").predict(given)
    volume_ml = int(output.mask.sum()) * 1.914 * 1.914 * 1.5 / 1000
    assert volume_ml == pytest.approx(1444, rel=0.02)  # at full resolution, looked at slice by slice
    assert output.confidence > 0.9
    assert refusals("ct-head-icv", given, output) == set()


@pytest.mark.parametrize("how", [{}, {"plane": "coronal"}], ids=["axial", "coronal"])
def test_lungs_are_outlined_and_measured(how):
    spacing = (3.0, 3.0, 4.0)
    hu, right, left, emphysema = chest(spacing)
    given = as_input(hu, spacing, **how)
    output = ChestDensity({}, "cpu").predict(given)
    assert dice(output.mask == 1, in_slices(right, spacing, **how)) > 0.97
    assert dice(output.mask == 2, in_slices(left, spacing, **how)) > 0.97
    assert output.facts["laa950_percent"] == pytest.approx(
        100 * emphysema.sum() / (right | left).sum(), abs=1
    )
    assert output.facts["right_ml"] + output.facts["left_ml"] == pytest.approx(output.facts["lung_ml"])
    assert output.facts["mean_hu"] == pytest.approx(hu[right | left].mean(), abs=10)
    assert output.facts["perc15_hu"] == pytest.approx(np.percentile(hu[right | left], 15), abs=5)
    local = output.maps["laa950_local"]
    assert local.shape == given.voxels.shape
    assert local[in_slices(emphysema, spacing, **how)].mean() > 80
    assert local[in_slices(left, spacing, **how)].max() == 0
    assert refusals("ct-chest-density", given, output) == set()


def test_a_head_has_no_lungs():
    spacing = (4.0, 4.0, 4.0)
    given = as_input(head(spacing)[0], spacing)
    assert "gate.lung_ml" in refusals("ct-chest-density", given, ChestDensity({}, "cpu").predict(given))


def _tissues(rng, field=0.0):
    """Onion layers of known tissue, the middle bright, with a field along the first axis and noise."""
    shape, spacing = (64, 60, 56), (3.0, 3.0, 3.0)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(g**2 for g in grid)) + 0.12 * np.sin(7 * grid[0]) * np.cos(5 * grid[1])
    labels = np.select([radius < 0.55, radius < 0.8, radius < 0.92], [3, 2, 1], 0)
    bright = np.array([300, 40, 110, 170])[labels] * (1 + field * grid[0])
    return bright + rng.normal(0, 8, shape), labels, spacing


@pytest.mark.parametrize("field", [0.0, 0.3])
@pytest.mark.parametrize("plane", ["axial", "sagittal"])
def test_tissues_are_told_apart_under_a_field(field, plane):
    voxels, labels, spacing = _tissues(np.random.default_rng(1), field)
    inside = (labels > 0).astype(np.uint8)
    given = as_input(voxels, spacing, plane=plane, feeds={FEED: inside})
    output = BrainTissue({}, "cpu").predict(given)
    for tissue in (1, 2, 3):
        assert dice(output.mask == tissue, in_slices(labels == tissue, spacing, plane=plane)) > 0.93
    assert output.facts["grey_ml"] == pytest.approx((labels == 2).sum() * 0.027, rel=0.08)
    assert output.confidence > 0.9
    assert not output.mask[given.feeds[FEED] == 0].any()


def test_noise_inside_a_mask_is_not_sure():
    rng = np.random.default_rng(2)
    voxels, labels, spacing = _tissues(rng)
    given = as_input(rng.random(voxels.shape) * 100, spacing, feeds={FEED: (labels > 0).astype(np.uint8)})
    assert "gate.confidence" in refusals("mr-brain-tissue", given, BrainTissue({}, "cpu").predict(given))


@pytest.mark.parametrize(("fill", "inside"), [(7.0, 1), (0.0, 1), (7.0, 0)])
def test_tissues_of_nothing_are_an_error(fill, inside):
    shape = (20, 20, 20)
    given = as_input(np.full(shape, fill), (3.0,) * 3, feeds={FEED: np.full(shape, inside, np.uint8)})
    with pytest.raises(InferenceFailed):
        BrainTissue({}, "cpu").predict(given)


def test_tissues_of_a_real_head_are_plausible():
    if not (_TEMPLATES / "ch2bet.nii.gz").is_file():
        pytest.skip("needs mricron-data")
    image, brain = (nibabel.load(_TEMPLATES / name) for name in ("ch2.nii.gz", "ch2bet.nii.gz"))
    thin = np.s_[::2, ::2, ::2]
    inside = (np.asarray(brain.dataobj)[thin] > 0).astype(np.uint8)
    given = as_input(np.asarray(image.dataobj)[thin], (2.0,) * 3, feeds={FEED: inside})
    output = BrainTissue({}, "cpu").predict(given)
    assert refusals("mr-brain-tissue", given, output) == set()
    assert output.facts["grey_ml"] == pytest.approx(898, abs=5)  # golden, as first computed
    assert output.facts["white_ml"] == pytest.approx(715, abs=5)


@pytest.mark.parametrize("name", ["mr-brain-tissue", "ct-head-icv", "ct-chest-density"])
def test_a_computed_model_says_that_it_is_none_of_ai(name):
    manifest = MODELS[name]
    assert not manifest.identity.is_ai
    assert any("not a trained model" in notice for notice in manifest.card.notices)
    assert manifest.card.training.startswith("None")
