"""The engine with several series of a study at once: each comes out as if it were alone."""

from dataclasses import replace

import numpy as np
import pytest
from model_series import MemoryStudy, mr_slices, study_of
from task_packages import classifier_manifest
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import ModelProcessFailed
from dicom_node.domain.run import Assignment, RejectionKind, RunStatus
from inference.registry import ModelRegistry
from inference.runner.arrays import unpack_arrays
from inference.runner.engine import ProcessEngine

GREY = np.linspace(40, 90, 30 * 36).reshape(1, 30, 36)
#: Voxels of a series of five slices, float32.
SERIES_BYTES = 5 * 30 * 36 * 4


def packages():
    together = {**classifier_manifest(classes=("none", "glioma")), "name": "together"}
    together["input"] |= {"modalities": ["MR"], "body_parts": ["HEAD"]}
    together["outputs"]["label"] = "{class_label}, {together:.0f} at once"
    together["gates"] = {
        "before": [{"fact": "distinct_values", "text": "different values", "at_least": 2}],
        "after": [],
        "validator": {"model": "gate", "accept": ["glioma"], "min_probability": 0.6},
    }
    gate = {**classifier_manifest(classes=("none", "glioma")), "name": "gate"}
    return {
        "together": (together, "toy_tasks:ToyTogether"),
        "gate": (gate, "toy_tasks:ToyClassifier"),
        "toy": (toy_manifest(), "toy_model:ToyModel"),
    }


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    for name, (raw, target) in packages().items():
        adapter = {"kind": "python", "target": target}
        write_package(folder / name, {**raw, "adapter": adapter, "weights": [], "memory_mb": 50})
    full = ModelRegistry.load([folder])
    return ModelRegistry({name: full.get(name) for name in packages()})


@pytest.fixture(scope="module")
def engine(registry):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", "tests/support")
        made = ProcessEngine(registry, device="cpu", timeout_s=20, min_confidence=0.6)
        yield made
        made.close()


def study_with(*series):
    """One study that holds all these series of slices."""
    parts = [study_of(slices) for slices in series]
    return MemoryStudy(
        "2.25.1",
        1,
        tuple(entry for part in parts for entry in part.instances),
        {uid: data for part in parts for uid, data in part.data.items()},
    )


def slices(bright=110.0, first=None, **attributes):
    voxels = (np.repeat(GREY, 5, axis=0) + bright).astype(np.uint16)
    if first is not None:
        voxels[0, 0, 0] = first
    return mr_slices(voxels, **attributes)


def assignments_of(study, model="together"):
    series = dict.fromkeys(entry.series_instance_uid for entry in study.instances)
    return tuple(Assignment(model, "1.0", uid, "test") for uid in series)


def run(engine, study, scratch, model="together"):
    found = engine.run_batch(assignments_of(study, model), study, scratch, lambda _: {})
    assert list(scratch.iterdir()) == []
    return found


def test_series_that_are_taken_together_come_out_as_alone(engine, tmp_path):
    study = study_with(slices(100), slices(130), slices(150))
    found = run(engine, study, tmp_path)
    assert [one.label for one in found] == ["Glioma, 3 at once"] * 3
    for one, assignment in zip(found, assignments_of(study), strict=True):
        alone = engine.run(assignment, study, tmp_path)
        assert alone.label == "Glioma, 1 at once"
        arrays, expected = unpack_arrays(one.arrays), unpack_arrays(alone.arrays)
        assert arrays.keys() == expected.keys()
        for name, values in arrays.items():
            np.testing.assert_array_equal(values, expected[name])
        assert replace(one, label="", arrays=b"", elapsed_s=0) == replace(
            alone, label="", arrays=b"", elapsed_s=0
        )
    # What the model spent on all is shared among them.
    assert len({one.elapsed_s for one in found}) == 1


def test_series_that_a_gate_refuses_touch_no_other(engine, tmp_path):
    blank = mr_slices(np.full((5, 30, 36), 50, np.uint16))
    duplicate = slices()
    duplicate[1].ImagePositionPatient = duplicate[2].ImagePositionPatient
    dark = slices(0)
    study = study_with(slices(), slices(BodyPartExamined="KNEE"), blank, duplicate, dark, slices())
    found = run(engine, study, tmp_path)
    assert [one.label for one in found] == ["Glioma, 2 at once", *[None] * 4, "Glioma, 2 at once"]
    refused = [{r.kind for r in one.reasons if not r.passed} for one in found]
    assert refused == [
        set(),
        {RejectionKind.INPUT},
        {RejectionKind.QUALITY},
        {RejectionKind.GEOMETRY},
        {RejectionKind.OUT_OF_DISTRIBUTION},  # by the validator, which saw three series
        set(),
    ]
    assert [one.series_instance_uid for one in found] == [
        one.series_instance_uid for one in assignments_of(study)
    ]


def test_no_more_series_are_taken_at_once_than_the_limit_lets(engine, tmp_path):
    study = study_with(slices(), slices(), slices())
    engine._batch_bytes = 1.5 * SERIES_BYTES
    try:
        assert [one.label for one in run(engine, study, tmp_path)] == ["Glioma, 2 at once"] * 2
        engine._batch_bytes = 0
        assert [one.label for one in run(engine, study, tmp_path)] == ["Glioma, 1 at once"]
    finally:
        engine._batch_bytes = 100 * SERIES_BYTES


def test_a_model_that_takes_one_at_a_time_is_asked_one_by_one(engine, tmp_path):
    _, rows, columns = np.indices((5, 6, 7))
    voxels = (40 + 5 * rows + 4 * columns).astype(np.uint16)
    voxels[2, 3, :6] = 110
    brighter = voxels.copy()
    brighter[3, 3, :6] = 110
    found = run(engine, study_with(mr_slices(voxels), mr_slices(brighter)), tmp_path, "toy")
    assert [int(unpack_arrays(one.arrays)["mask"].sum()) for one in found] == [6, 12]


def test_a_series_that_ends_the_process_fails_all_and_each_of_them_alone_shows_which(engine, tmp_path):
    study = study_with(slices(), slices(first=1), slices())
    with pytest.raises(ModelProcessFailed, match="exit status 7"):
        run(engine, study, tmp_path)
    assert list(tmp_path.iterdir()) == []
    good, guilty, other = assignments_of(study)
    with pytest.raises(ModelProcessFailed):
        engine.run(guilty, study, tmp_path)
    assert [engine.run(one, study, tmp_path).status for one in (good, other)] == [RunStatus.DONE] * 2


def test_series_together_have_the_time_of_all(engine, tmp_path):
    study = study_with(slices(), slices(first=2))
    run(engine, study_with(slices()), tmp_path)
    engine._host.timeout_s = 0.4
    try:
        with pytest.raises(ModelProcessFailed, match=r"no answer in 0\.8 s"):
            run(engine, study, tmp_path)
    finally:
        engine._host.timeout_s = 20
