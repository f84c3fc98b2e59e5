"""Models: time and memory of each, and a study from its files to checked results, stage by stage.

    python benchmarks/models.py [--models NAME ...] [--slices 200 ...] [--monai-deploy PYTHON] [--json FILE]

Each package with a sample runs twice on it in a process of its own: cold (process started, weights loaded)
and warm. End to end: the demo's T1 head (256 slices) through routing, reading and gates, mr-brain-extraction,
encoding and the output gate; everything but the model's own time is the node's, and should stay under a tenth
of it, or a second where that is more. Beside the second study's seconds stand those of the processor, which
other work on the machine changes less. De-identification and sending have benchmarks of their own. Encoding:
synthetic series of `--slices` 256 x 256 slices, all of which the mask crosses, by kind of object; next to it,
on the same files and mask, the SEG writer of MONAI Deploy App SDK where an interpreter that has it is named.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pydicom
import structlog

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from predicted_series import MADE_AT, derive_uid, make_case  # noqa: E402  it lies beside the tests

from dicom_node.app.node import COLLECTOR_THRESHOLDS  # noqa: E402
from dicom_node.demo.series import build_t1_series  # noqa: E402
from inference.encode.encoder import Encoder  # noqa: E402
from inference.encode.gate import Gate  # noqa: E402
from inference.packages.check import check_model  # noqa: E402
from inference.registry import ModelRegistry  # noqa: E402
from inference.routing.folder import read_folder  # noqa: E402
from inference.routing.router import Router  # noqa: E402
from inference.routing.rule import Route  # noqa: E402
from inference.runner.arrays import unpack_arrays  # noqa: E402
from inference.runner.engine import ProcessEngine  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput

MODEL = "mr-brain-extraction"


class Clock:
    """Seconds by what they were spent on, and processor seconds of this process and programs that it ran."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block."""
        started, spent = time.perf_counter(), _cpu_s()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        self.cpu[name] = self.cpu.get(name, 0.0) + _cpu_s() - spent


def _cpu_s() -> float:
    """Of this process and of programs that ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _model_cpu_s(engine: ProcessEngine) -> float:
    """Of the model processes that are warm."""
    spent = 0.0
    for pid in engine.processes().values():
        times = psutil.Process(pid).cpu_times()
        spent += times.user + times.system
    return spent


def packages(registry: ModelRegistry, names: Sequence[str]) -> list[dict[str, Any]]:
    """Cold and warm time and peak memory of packages on their samples."""
    rows = []
    for name in names:
        report = check_model(registry, name)
        rows += [
            {
                "model": name,
                "sample": Path(trial.sample).name,
                "cold_s": trial.cold_s,
                "warm_s": trial.warm_s,
                "peak_mb": trial.peak_mb,
                "memory_mb": report.memory_mb,
                "outcome": trial.outcome,
            }
            for trial in report.trials
        ]
    return rows


def end_to_end(registry: ModelRegistry) -> dict[str, Any]:
    """A head from files to checked results; the second time, with a warm model."""
    engine = ProcessEngine(registry, device="auto", timeout_s=600, min_confidence=0.6)
    encoder = Encoder(derive_uid, lambda: MADE_AT)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(engine):
        dicom, scratch = Path(folder) / "dicom", Path(folder) / "scratch"
        dicom.mkdir()
        scratch.mkdir()
        for number, ds in enumerate(build_t1_series(seed="benchmark")):
            # The identity is invented; results are only let out of studies that were de-identified.
            ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "invented identity"
            ds.LongitudinalTemporalInformationModified = "REMOVED"
            ds.save_as(dicom / f"{number:04}.dcm", enforce_file_format=True)
        encoder.warm_up()
        engine.warm_up()
        study = read_folder(dicom)
        router = Router(registry, (Route("head", (MODEL,)),))
        # As the node does once it is warm.
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        gc.collect()
        gc.freeze()
        first, prediction = one_study(router, engine, encoder, study, scratch)
        second, _ = one_study(router, engine, encoder, study, scratch)
        gc.unfreeze()
    node = sum(seconds for name, seconds in second.seconds.items() if name != "model")
    return {
        "slices": len(study.instances),
        "label": prediction.label,
        "first": first.seconds,
        "second": second.seconds,
        "second_cpu": second.cpu,
        "node_s": node,
        "allowed_s": max(1.0, second.seconds["model"] / 10),
    }


def one_study(
    router: Router, engine: ProcessEngine, encoder: Encoder, study: StudyInput, scratch: Path
) -> tuple[Clock, Prediction]:
    """Seconds by stage; the processor seconds of the model's process are all called the model's."""
    clock, before = Clock(), _model_cpu_s(engine)
    with clock.measure("route"):
        assignment = router.route(study).assignments[0]
    with clock.measure("read, gate, hand over"):
        prediction = engine.run(assignment, study, scratch)
    clock.seconds["read, gate, hand over"] -= prediction.elapsed_s
    clock.seconds["model"] = prediction.elapsed_s
    clock.cpu["model"] = _model_cpu_s(engine) - before
    with clock.measure("encode"):
        results = tuple(encoder.encode([prediction], study))
    with clock.measure("check"):
        problems = Gate().check(results, study)
    if problems:
        found = sorted({problem for several in problems.values() for problem in several})
        raise SystemExit(f"the output gate keeps back {len(problems)} objects: {'; '.join(found)}")
    return clock, prediction


def encoding(slices: int, monai_deploy: str | None) -> dict[str, Any]:
    """Seconds by kind of object, and the most memory of this process so far."""
    case = make_case(slices, 256, 256, full=True)
    clock = Clock()
    encoder = Encoder(derive_uid, lambda: MADE_AT)
    encoder.warm_up()
    results = encoder.encode([case.prediction], case.study)
    sizes: dict[str, float] = {}
    while True:
        started = time.perf_counter()
        made = next(results, None)
        if made is None:
            break
        kind = made.kind.value
        clock.seconds[kind] = clock.seconds.get(kind, 0.0) + time.perf_counter() - started
        sizes[kind] = sizes.get(kind, 0.0) + len(made.data) / 2**20
    row: dict[str, Any] = {
        "slices": slices,
        "seconds": clock.seconds,
        "mib": sizes,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if monai_deploy:
        row["monai_deploy"] = compared(case.study, case.prediction, monai_deploy)
    return row


def compared(study: StudyInput, prediction: Prediction, python: str) -> dict[str, Any]:
    """Reading and SEG writing by MONAI Deploy App SDK, in its own interpreter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dicom").mkdir()
        for number, uid in enumerate(prediction.source_sop_instance_uids):
            ds = pydicom.dcmread(io.BytesIO(study.read(uid)))
            ds.save_as(folder / "dicom" / f"{number:05}.dcm")
        np.save(folder / "mask.npy", unpack_arrays(prediction.arrays)["mask"])
        command = [python, str(ROOT / "benchmarks" / "support" / "monai_seg_writer.py")]
        arguments = [folder / "dicom", folder / "mask.npy", folder / "out"]
        done = subprocess.run([*command, *map(str, arguments)], capture_output=True, check=False, text=True)
        if done.returncode:
            return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed"}
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def show(report: dict[str, Any]) -> None:
    """The figures as tables."""
    print(f"{'model':<24}{'cold s':>8}{'warm s':>8}{'peak MiB':>10}{'says':>7}  outcome")
    for row in report["packages"]:
        times = "".join(
            "       -" if row[key] is None else f"{row[key]:8.2f}" for key in ("cold_s", "warm_s")
        )
        print(
            f"{row['model']:<24}{times}{row['peak_mb'] or 0:>10}{row['memory_mb']:>7}  {row['outcome'][:60]}"
        )
    whole = report["end_to_end"]
    print(f"\n{MODEL}, {whole['slices']} slices, seconds (first, second study; of the processor)")
    for stage, seconds in whole["first"].items():
        print(f"  {stage:<24}{seconds:8.2f}{whole['second'][stage]:8.2f}{whole['second_cpu'][stage]:8.2f}")
    print(f"  the node's own: {whole['node_s']:.2f} s, aim: under {whole['allowed_s']:.2f} s")
    for row in report["encoding"]:
        parts = ", ".join(
            f"{kind} {s:.2f} s ({row['mib'][kind]:.1f} MiB)" for kind, s in row["seconds"].items()
        )
        print(f"\nencoding {row['slices']} slices of 256 x 256: {parts}; peak so far {row['peak_mb']} MiB")
        other = row.get("monai_deploy")
        if other and "error" not in other:
            writes = ", ".join(f"{seconds:.2f}" for seconds in other["write_s"])
            print(f"  MONAI Deploy App SDK: reading {other['read_s']:.2f} s, SEG {writes} s")
        elif other:
            print(f"  MONAI Deploy App SDK: {other['error']}")


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", nargs="*", help="packages; all that have a sample where none is named")
    parser.add_argument("--slices", nargs="*", type=int, default=[200])
    parser.add_argument("--monai-deploy", help="an interpreter with monai-deploy-app-sdk")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    registry = ModelRegistry.load()
    names = arguments.models
    if names is None:
        names = [name for name, manifest in sorted(registry.models.items()) if manifest.samples]
    report = {
        "packages": packages(registry, names),
        "end_to_end": end_to_end(ModelRegistry({MODEL: registry.get(MODEL)})),
        "encoding": [encoding(slices, arguments.monai_deploy) for slices in arguments.slices],
    }
    show(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
