"""The face goes from real heads whose brain the built-in model outlines, and from nothing else."""

import copy

import numpy as np
import pytest
from model_series import as_t1_mr
from real_heads import as_part10

from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch
from anonymizer.faces.cleaner import FaceCleaner
from anonymizer.faces.volume import read_dataset, read_volume
from dicom_node.app.faces import BrainOutline
from dicom_node.demo.volume import load_t1_head
from inference.registry import ModelRegistry
from inference.runner.engine import ProcessEngine


@pytest.fixture(scope="module")
def outline(tmp_path_factory):
    engine = ProcessEngine(ModelRegistry.load(), device="cpu", timeout_s=250, min_confidence=0.6)
    yield BrainOutline(engine, tmp_path_factory.mktemp("scratch"))
    engine.close()


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("head", ["t1_half", "odd_matrix_series"])
def test_real_heads_lose_their_face_and_no_voxel_of_the_brain(request, outline, head):
    engine = Engine(bytes(range(32)))
    instances = [engine.deidentify(data).data for data in as_part10(request.getfixturevalue(head))]
    masks = []

    def recorded(voxels, affine):
        masks.append(outline(voxels, affine))
        return masks[0]

    outcome = FaceCleaner(recorded).clean(instances)
    before, after = read_volume(instances), read_volume(outcome.instances)
    (brain,) = masks
    differ = before.voxels != after.voxels
    assert not (differ & brain).any()
    assert not (differ & ~outcome.plane.beyond(brain.shape, before.affine)).any()
    assert outcome.measures.brain_voxels_lost == 0
    assert outcome.measures.face_moved > 0.9
    assert outcome.measures.eyes_moved > 0.85
    assert 0.02 < outcome.measures.head_removed < 0.35
    # The model finds the same brain in what is left.
    assert dice(brain, outline(after.voxels, after.affine)) > 0.99
    said = read_dataset(outcome.instances[0])
    assert "113102" in [item.CodeValue for item in said.DeidentificationMethodCodeSequence]
    assert said.RecognizableVisualFeatures == "NO"


def test_what_the_model_refuses_keeps_no_code_and_is_kept_back(outline):
    head = load_t1_head().voxels[::2, ::2, ::2]
    bright = np.percentile(head, 99.5)
    turned = (bright - np.clip(head, 0, bright)) * (head > 30)
    with pytest.raises(CannotVouch, match="Unable to determine"):
        FaceCleaner(outline).clean(as_part10(as_t1_mr(turned, (2.0, 2.0, 2.0))))


def test_a_model_that_is_not_there_keeps_the_series_back(t1_half, tmp_path):
    engine = ProcessEngine(ModelRegistry({}, {}), device="cpu", timeout_s=5, min_confidence=0.6)
    with pytest.raises(CannotVouch, match="could not be outlined"):
        FaceCleaner(BrainOutline(engine, tmp_path)).clean(as_part10(copy.deepcopy(t1_half)))
    assert list(tmp_path.iterdir()) == []
