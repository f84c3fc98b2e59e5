"""Series of one study one by one and together: seconds of the whole, of the model, of the processor.

    python benchmarks/series_together.py [--series 12] [--slices 12] [--repeat 3] [--json FILE]

Axial T1 series of few slices (every seventh of the upper half of the demo's head, each series beginning
elsewhere) go through `mr-brain-tumour`, which asks `image-gate` first: reading, gates, both networks, and
Grad-CAM of three slices a series. Each way runs `--repeat` times on warm processes, in turn; the medians
count. What both ways say must be the same.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from support.process_trees import cpu_ms

from dicom_node.demo.series import build_t1_series
from dicom_node.domain.run import Assignment
from inference.registry import ModelRegistry
from inference.routing.folder import read_folder
from inference.runner.engine import ProcessEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput

MODELS = ("mr-brain-tumour", "image-gate")
#: Millimetres between slices; the model takes up to 8.
STEP = 7
WAYS = ("one by one", "together")


def write_series(folder: Path, series: int, slices: int) -> None:
    """Files of `series` axial series of the demo's head."""
    head = list(build_t1_series(seed="benchmark"))
    for number in range(series):
        first = len(head) - STEP * slices - number
        for index, ds in enumerate(head[first::STEP][:slices]):
            ds.SeriesInstanceUID = f"2.25.{1000 + number}"
            ds.SOPInstanceUID = f"2.25.{(1000 + number) * 1000 + index}"
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.save_as(folder / f"{number:02}-{index:03}.dcm", enforce_file_format=True)


def measured(work: Callable[[], Sequence[Prediction]]) -> tuple[dict[str, float], list[Any]]:
    """Seconds of the whole, of the model and of all processors, and what was said."""
    started, processor = time.perf_counter(), cpu_ms(os.getpid())
    made = work()
    row = {
        "wall_s": time.perf_counter() - started,
        "model_s": sum(one.elapsed_s for one in made),
        "cpu_s": (cpu_ms(os.getpid()) - processor) / 1000,
    }
    return row, [(one.label, one.reason, round(one.confidence or 0, 3)) for one in made]


def both_ways(registry: ModelRegistry, study: StudyInput, repeat: int) -> dict[str, Any]:
    """Medians of each way, and what was said."""
    series = dict.fromkeys(entry.series_instance_uid for entry in study.instances)
    assignments = [Assignment(MODELS[0], "1", uid, "benchmark") for uid in series]
    engine = ProcessEngine(registry, device="auto", timeout_s=600, min_confidence=0.6)

    def together() -> list[Prediction]:
        made: list[Prediction] = []
        while len(made) < len(assignments):
            made += engine.run_batch(assignments[len(made) :], study, scratch, lambda _: {})
        return made

    rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with contextlib.closing(engine), tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        works = (lambda: [engine.run(one, study, scratch) for one in assignments], together)
        together()
        for _ in range(repeat):
            said = []
            for way, work in zip(WAYS, works, strict=True):
                row, found = measured(work)
                rows[way].append(row)
                said.append(found)
            if said[0] != said[1]:
                raise SystemExit("the two ways do not say the same")
    return {
        "series": len(assignments),
        "labels": sorted({str(label or reason) for label, reason, _ in said[0]}),
        **{way: {key: statistics.median(r[key] for r in of) for key in of[0]} for way, of in rows.items()},
    }


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--series", type=int, default=12)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    registry = ModelRegistry.load()
    with tempfile.TemporaryDirectory() as name:
        write_series(Path(name), arguments.series, arguments.slices)
        study = read_folder(Path(name))
        report = both_ways(ModelRegistry({one: registry.get(one) for one in MODELS}), study, arguments.repeat)
    report |= {"slices": arguments.slices, "load_before": os.getloadavg()[0]}
    print(f"{report['series']} series of {arguments.slices} slices: {'; '.join(report['labels'])[:300]}")
    for way in WAYS:
        print(f"  {way:<12}" + "".join(f"{key:>10} {value:6.2f}" for key, value in report[way].items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
