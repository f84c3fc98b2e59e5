"""The engine with models of every task: series, single images, validators, results that feed models."""

import dataclasses

import numpy as np
import pytest
from model_series import mr_slices, study_of
from task_packages import classifier_manifest, detector_manifest
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import InferenceFailed, NotFound
from dicom_node.domain.finding import Task
from dicom_node.domain.run import Assignment, RejectionKind, RunStatus
from inference.registry import ModelRegistry
from inference.runner.arrays import unpack_arrays
from inference.runner.engine import ProcessEngine

GREY = np.linspace(40, 90, 30 * 36).reshape(1, 30, 36)


def picture(bright=0.0):
    """Smooth, as pictures are: no noise and not blank."""
    return (GREY[0] + bright).astype(np.float32)


def packages():
    classes = {"classes": ("none", "glioma")}
    mr = {"modalities": ["MR"], "body_parts": ["HEAD"]}
    classifier = classifier_manifest(**classes)
    classifier["input"] |= mr
    validated = {**classifier_manifest(**classes), "name": "validated"}
    validated["gates"] = {
        "before": [{"fact": "coverage_mm", "text": "coverage", "at_least": 1}],
        "after": [],
        "validator": {"model": "classifier", "accept": ["glioma"], "min_probability": 0.6},
    }
    images = {**classifier_manifest(**classes), "name": "images"}
    images["input"] |= {"kind": "image", "colour": True}
    detector = {**detector_manifest(preprocessing={}), "name": "detector"}
    detector["gates"]["after"] = []
    consumer = {**toy_manifest(), "name": "consumer", "task": "measurement", "requires": ["toy"]}
    unit = ["1", "UCUM", "no units"]
    consumer["outputs"] = {
        "label": "{inside:.0f} voxels inside",
        "measurements": [{"fact": "inside", "name": ["1", "99TEST", "Inside"], "unit": unit}],
        "maps": [{"name": "inside", "label": "Inside", "quantity": ["1", "99TEST", "Inside"], "unit": unit}],
    }
    consumer["gates"]["after"] = []
    toy = toy_manifest()
    return {
        "toy": (toy, "toy_model:ToyModel"),
        "classifier": ({**classifier, "name": "classifier"}, "toy_tasks:ToyClassifier"),
        "validated": (validated, "toy_tasks:ToyClassifier"),
        "images": (images, "toy_tasks:ToyClassifier"),
        "detector": (detector, "toy_tasks:ToyDetector"),
        "consumer": (consumer, "toy_tasks:ToyConsumer"),
    }


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    for name, (raw, target) in packages().items():
        adapter = {"kind": "python", "target": target}
        write_package(folder / name, {**raw, "adapter": adapter, "weights": [], "memory_mb": 50})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", "tests/support")
        full = ModelRegistry.load([folder])
        registry = ModelRegistry({name: full.get(name) for name in packages()})
        made = ProcessEngine(registry, device="cpu", timeout_s=60, min_confidence=0.6)
        yield made
        made.close()


@pytest.fixture
def run(engine, tmp_path):
    def made(model, study, **feeds):
        assignment = Assignment(model, "1.0", study.instances[0].series_instance_uid, "test", tuple(feeds))
        found = engine.run(assignment, study, tmp_path, feeds)
        assert list(tmp_path.iterdir()) == []
        return found

    return made


def series(bright=0.0, **attributes):
    voxels = np.repeat(GREY, 5, axis=0) + bright
    return study_of(mr_slices(voxels.astype(np.uint16), **attributes))


def test_a_classifier_reads_a_series_and_says_what_single_slices_show(run):
    study = series(bright=110)
    found = run("classifier", study)
    assert found.status is RunStatus.DONE
    assert found.task is Task.CLASSIFICATION
    assert [c.present for c in found.classes] == [False, True]
    arrays = unpack_arrays(found.arrays)
    assert arrays["slice_index"].tolist() == [0, 1, 2, 3, 4]
    assert arrays["heat"].shape == (1, 30, 36)
    assert arrays["heat_index"].tolist() == [2]
    assert set(found.source_sop_instance_uids) == {e.sop_instance_uid for e in study.instances}


def test_an_unsure_classifier_is_rejected_with_its_instances_and_no_label(run):
    study = series(bright=35)
    found = run("classifier", study)
    assert found.status is RunStatus.REJECTED
    assert found.label is None
    assert [reason.kind for reason in found.reasons if not reason.passed] == [RejectionKind.CONFIDENCE]
    assert len(found.source_sop_instance_uids) == 5
    assert found.classes[1].probability == pytest.approx(0.5, abs=0.02)


def test_a_validator_model_keeps_what_it_does_not_know_from_the_model(run):
    assert run("validated", series(bright=110)).status is RunStatus.DONE
    found = run("validated", series(bright=0))
    assert found.status is RunStatus.REJECTED
    (refused,) = (reason for reason in found.reasons if not reason.passed)
    assert refused.kind is RejectionKind.OUT_OF_DISTRIBUTION
    assert found.classes == ()


def test_a_detector_boxes_what_it_found_in_voxels_of_the_source(run):
    study = study_of(
        mr_slices((np.repeat(GREY, 5, axis=0) + np.arange(5)[:, None, None] * 4).astype(np.uint16))
    )
    found = run("detector", study)
    assert found.status is RunStatus.DONE
    (box,) = found.detections
    assert box.box[3] == 5
    assert box.measurements[0].unit.value == "mm"


def test_a_model_is_fed_with_the_mask_of_another_one(run):
    study = series(bright=40)
    first = run("toy", study)
    found = run("consumer", study, toy=first)
    mask = unpack_arrays(first.arrays)["mask"]
    assert found.label == f"{int(mask.sum())} voxels inside"
    assert found.measurements[0].value == int(mask.sum())
    drawn = unpack_arrays(found.arrays)["map_inside"]
    np.testing.assert_array_equal(drawn > 0, mask > 0)
    refused = dataclasses.replace(first, status=RunStatus.REJECTED, reason="Unable to determine: noise")
    found = run("consumer", study, toy=refused)
    assert [reason.kind for reason in found.reasons if not reason.passed] == [RejectionKind.MISSING_RESULT]


def test_one_image_is_judged_by_all_gates_that_need_no_place(engine, tmp_path):
    found = engine.predict_image("validated", picture(110), tmp_path, spacing_mm=(0.5, 0.5))
    assert found.status is RunStatus.DONE
    assert found.series_instance_uid == ""
    assert unpack_arrays(found.arrays)["heat"].shape == (1, 30, 36)
    assert engine.predict_image("validated", picture(), tmp_path).status is RunStatus.REJECTED
    noise = np.random.default_rng(0).random((30, 36), dtype=np.float32) * 255
    found = engine.predict_image("classifier", noise, tmp_path)
    assert RejectionKind.QUALITY in {reason.kind for reason in found.reasons if not reason.passed}
    colour = np.repeat(picture(110)[..., np.newaxis], 3, axis=2)
    assert engine.predict_image("images", colour, tmp_path).status is RunStatus.DONE
    assert list(tmp_path.iterdir()) == []


def test_one_image_is_no_volume_and_needs_a_model_that_is_there(engine, tmp_path):
    with pytest.raises(InferenceFailed, match="takes volumes, not single images"):
        engine.predict_image("toy", picture(), tmp_path)
    with pytest.raises(NotFound):
        engine.predict_image("nothing", picture(), tmp_path)
