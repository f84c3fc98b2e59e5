"""The engine and its model process: what comes out, and what a model that dies leaves behind."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from model_series import mr_slices, study_of
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed
from dicom_node.domain.run import Assignment, RunStatus
from inference.registry import ModelRegistry
from inference.runner.engine import ProcessEngine
from inference.runner.limits import RunLimits

SUPPORT = str(Path(__file__).parents[2] / "support")


def image(wish=0, bright=6):
    _, rows, columns = np.indices((5, 6, 7))
    voxels = (40 + 5 * rows + 4 * columns).astype(np.uint16)
    voxels[0, 0, 0] = wish
    voxels[2, 3, :bright] = 110
    return voxels


def assignment_of(study, model="toy"):
    return Assignment(model, "1.0", study.instances[0].series_instance_uid, "test")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", SUPPORT)
    write_package(tmp_path / "packages" / "toy", toy_manifest())
    full = ModelRegistry.load([tmp_path / "packages"])
    return ModelRegistry({"toy": full.get("toy")})


@pytest.fixture
def engine(registry):
    made = ProcessEngine(registry, device="cpu", timeout_s=20, min_confidence=0.6)
    yield made
    made.close()


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def run(engine, scratch, voxels, **attributes):
    study = study_of(mr_slices(voxels, **attributes))
    return engine.run(assignment_of(study), study, scratch)


def pid_of(engine):
    return engine.processes()["toy"]


def test_a_run_gives_mask_probability_and_measurements_on_the_source_grid(engine, scratch):
    slices = mr_slices(image())
    study = study_of(slices[::-1])
    prediction = engine.run(assignment_of(study), study, scratch)
    assert prediction.status is RunStatus.DONE
    assert prediction.source_sop_instance_uids == tuple(ds.SOPInstanceUID for ds in slices)
    with np.load(io.BytesIO(prediction.arrays)) as arrays:
        np.testing.assert_array_equal(arrays["mask"], image() > 100)
        assert arrays["mask"].dtype == np.uint8
        assert arrays["probability"].dtype == np.float16
        assert arrays["probability"].shape == (5, 6, 7)
    # 6 voxels of 2 x 1 x 0.5 mm
    (segment,) = prediction.segments
    assert segment.measurements[0].value == pytest.approx(0.006)
    assert segment.measurements[0].unit.value == "mL"
    assert prediction.label == "Bright volume 0.01 mL"
    assert prediction.confidence == 0.75
    assert all(reason.passed for reason in prediction.reasons)
    assert prediction.elapsed_s > 0


def test_nothing_of_the_image_stays_in_the_scratch_folder(engine, scratch):
    run(engine, scratch, image())
    with pytest.raises(InferenceFailed):
        run(engine, scratch, image(wish=4))
    assert list(scratch.iterdir()) == []


def test_the_process_is_kept_between_runs(engine, scratch):
    run(engine, scratch, image())
    first = pid_of(engine)
    run(engine, scratch, image())
    assert pid_of(engine) == first


@pytest.mark.parametrize(("wish", "text"), [(1, "SIGSEGV"), (3, "memory"), (5, "exit status 7")])
def test_a_model_that_dies_fails_its_run_and_the_next_one_starts_a_new_process(engine, scratch, wish, text):
    run(engine, scratch, image())
    first = pid_of(engine)
    with pytest.raises(ModelProcessFailed, match=text):
        run(engine, scratch, image(wish=wish))
    assert run(engine, scratch, image()).status is RunStatus.DONE
    assert pid_of(engine) != first
    assert not psutil.pid_exists(first)


@pytest.fixture
def bounded(tmp_path, monkeypatch):
    """An engine whose models may hold little: 300 MiB in a run, 200 between runs."""
    monkeypatch.setenv("PYTHONPATH", SUPPORT)
    write_package(tmp_path / "bounded" / "toy", {**toy_manifest(), "memory_mb": 200})
    full = ModelRegistry.load([tmp_path / "bounded"])
    limits = RunLimits(headroom_mb=0)
    made = ProcessEngine(
        ModelRegistry({"toy": full.get("toy")}), device="cpu", timeout_s=20, min_confidence=0, limits=limits
    )
    yield made
    made.close()


def test_a_run_that_takes_more_memory_than_it_may_is_ended_and_the_node_goes_on(bounded, scratch):
    with pytest.raises(ModelProcessFailed, match="more than the 300 MiB that it may"):
        run(bounded, scratch, image(wish=8))
    assert bounded.processes() == {}
    assert run(bounded, scratch, image()).status is RunStatus.DONE


def test_a_process_that_keeps_memory_after_a_run_is_ended_before_the_next_one(bounded, scratch):
    assert run(bounded, scratch, image(wish=9)).status is RunStatus.DONE
    assert bounded.processes() == {}


def test_each_package_has_a_process_of_its_own(tmp_path, monkeypatch, scratch):
    monkeypatch.setenv("PYTHONPATH", SUPPORT)
    for name in ("toy", "other"):
        write_package(tmp_path / "two" / name, {**toy_manifest(), "name": name})
    full = ModelRegistry.load([tmp_path / "two"])
    registry = ModelRegistry({name: full.get(name) for name in ("toy", "other")})
    engine = ProcessEngine(registry, device="cpu", timeout_s=20, min_confidence=0)
    try:
        engine.warm_up()
        before = engine.processes()
        assert len(set(before.values())) == 2
        with pytest.raises(ModelProcessFailed):
            run(engine, scratch, image(wish=1))
        assert engine.processes() == {"other": before["other"]}
        assert all(held > 0 for held in engine.memory_bytes().values())
    finally:
        engine.close()


def test_a_model_that_takes_too_long_is_ended(registry, scratch):
    engine = ProcessEngine(registry, device="cpu", timeout_s=20, min_confidence=0)
    try:
        engine.warm_up()
        engine._host.timeout_s = 0.3
        with pytest.raises(ModelProcessFailed, match=r"no answer in 0\.3 s"):
            run(engine, scratch, image(wish=2))
        engine._host.timeout_s = 20
        assert run(engine, scratch, image()).status is RunStatus.DONE
    finally:
        engine.close()


def test_an_error_in_a_model_tells_its_place_and_nothing_of_its_text(engine, scratch):
    run(engine, scratch, image())
    first = pid_of(engine)
    with pytest.raises(InferenceFailed, match="ValueError at toy_model") as caught:
        run(engine, scratch, image(wish=4))
    assert "Muster" not in str(caught.value)
    assert pid_of(engine) == first


@pytest.mark.parametrize("wish", [6, 7])
def test_arrays_that_break_the_contract_fail_the_run(engine, scratch, wish):
    with pytest.raises(InferenceFailed):
        run(engine, scratch, image(wish=wish))


def test_a_gate_before_the_model_rejects_with_its_reason_and_starts_no_process(engine, scratch):
    prediction = run(engine, scratch, image(), BodyPartExamined="KNEE")
    assert prediction.status is RunStatus.REJECTED
    assert prediction.reason == (
        "Unable to determine: body part KNEE (from Body Part Examined), wanted: HEAD"
    )
    assert prediction.arrays == b""
    assert prediction.segments == ()
    assert engine.processes() == {}


def test_a_series_without_geometry_is_rejected_with_its_reason(engine, scratch):
    slices = mr_slices(image())
    slices[1].ImagePositionPatient = slices[2].ImagePositionPatient
    study = study_of(slices)
    prediction = engine.run(assignment_of(study), study, scratch)
    assert prediction.status is RunStatus.REJECTED
    assert "same position" in prediction.reason
    assert prediction.reasons[-1].rule == "volume.duplicate-positions"


def test_a_blank_image_is_rejected(engine, scratch):
    prediction = run(engine, scratch, np.full((5, 6, 7), 50, dtype=np.uint16))
    assert prediction.status is RunStatus.REJECTED
    assert "different values" in prediction.reason


def test_a_gate_after_the_model_rejects_with_its_reason(engine, scratch):
    prediction = run(engine, scratch, np.pad(image(), 0) + 100, PixelSpacing=[4.9, 4.9])
    assert prediction.status is RunStatus.REJECTED
    assert "volume is" in prediction.reason
    assert prediction.confidence == 0.75


def test_low_confidence_is_rejected(registry, scratch):
    engine = ProcessEngine(registry, device="cpu", timeout_s=20, min_confidence=0.8)
    try:
        prediction = run(engine, scratch, image())
    finally:
        engine.close()
    assert prediction.status is RunStatus.REJECTED
    assert "confidence is 0.750" in prediction.reason


def test_an_unknown_model_fails_the_run(engine, scratch):
    study = study_of(mr_slices(image()))
    with pytest.raises(InferenceFailed, match="no model package"):
        engine.run(assignment_of(study, "nothing"), study, scratch)


def test_weights_that_were_changed_are_never_loaded(tmp_path, scratch):
    manifest = toy_manifest()
    manifest["weights"] = [{"role": "net", "path": "net.pt", "sha256": "0" * 64}]
    write_package(tmp_path / "packages" / "toy", manifest)
    (tmp_path / "packages" / "toy" / "net.pt").write_bytes(b"changed")
    engine = ProcessEngine(
        ModelRegistry.load([tmp_path / "packages"]), device="cpu", timeout_s=20, min_confidence=0
    )
    try:
        with pytest.raises(InferenceFailed, match="SHA-256"):
            run(engine, scratch, image())
    finally:
        engine.close()


def test_runs_from_many_threads_all_end(engine, tmp_path):
    study = study_of(mr_slices(image()))
    ended = []

    def work(number):
        folder = tmp_path / f"scratch-{number}"
        folder.mkdir()
        ended.append(engine.run(assignment_of(study), study, folder).status)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [RunStatus.DONE] * 6


def test_warm_up_of_a_broken_model_does_not_raise(tmp_path, monkeypatch):
    manifest = toy_manifest()
    manifest["adapter"]["target"] = "no_such_module:Model"
    write_package(tmp_path / "packages" / "toy", manifest)
    full = ModelRegistry.load([tmp_path / "packages"])
    engine = ProcessEngine(
        ModelRegistry({"toy": full.get("toy")}), device="cpu", timeout_s=20, min_confidence=0
    )
    engine.warm_up()
    engine.close()


def test_close_ends_a_run_in_the_middle(engine, scratch):
    engine.warm_up()
    process = psutil.Process(pid_of(engine))
    failures = []

    def work():
        try:
            run(engine, scratch, image(wish=2))
        except ModelProcessFailed as exc:
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    while not (scratch / "voxels-0.npy").exists():
        time.sleep(0.01)
    engine.close()
    thread.join(timeout=10)
    assert failures
    assert not process.is_running()


def test_the_model_process_sees_no_secret_of_the_node(registry, monkeypatch):
    monkeypatch.setenv("DICOM_NODE_MASTER_KEY", "canary-key")
    engine = ProcessEngine(registry, device="cpu", timeout_s=20, min_confidence=0)
    try:
        engine.warm_up()
        environment = Path(f"/proc/{pid_of(engine)}/environ").read_bytes()
    finally:
        engine.close()
    assert b"canary-key" not in environment


def test_the_model_process_ends_when_the_node_is_killed(tmp_path):
    write_package(tmp_path / "packages" / "toy", toy_manifest())
    program = (
        "import sys, time; from pathlib import Path; from inference.registry import ModelRegistry;"
        "from inference.runner.engine import ProcessEngine;"
        f"r = ModelRegistry.load([Path({str(tmp_path / 'packages')!r})]);"
        "r = ModelRegistry({'toy': r.get('toy')});"
        "e = ProcessEngine(r, device='cpu', timeout_s=20, min_confidence=0);"
        "e.warm_up(); print('model', e.processes()['toy'], flush=True); time.sleep(60)"
    )
    node = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": SUPPORT},
    )
    try:
        # The log shares the stream.
        line = next(line for line in node.stdout if line.startswith(b"model "))
        model = psutil.Process(int(line.split()[1]))
        node.send_signal(signal.SIGKILL)
        node.wait()
        model.wait(timeout=10)
    finally:
        node.kill()
        node.wait()
        node.stdout.close()
