"""Our de-identifier beside dicom-anonymizer, deid and dicognito: leaks, right actions, speed.

    python benchmarks/deidentification.py [--seeds 1000] [--files 100] [--json FILE]

All get the leak corpus of the tests (tests/support/leak_corpus), drawn with held-out seeds, and the same
scorer reads what they put out. The scorer asks for the ten actions of MIDI-B under the Basic Profile with
the options clean-descriptors, clean-structured-content, clean-graphics, modified dates, patient
characteristics, device identity and safe private attributes; so a tool that removes descriptions or dates
loses points there as in MIDI-B. A file that a tool fails on counts as refused, and its actions as wrong.
Leaks count by case.

Speed is of one core, processor time, in memory, on 512x512 16-bit CT instances; next to it pydicom's own
read and write of the same files. Ours includes the first pass over the study and the verification of each
output.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
from support.ct_series import template, write_series
from support.deidentifiers import available
from support.leak_cases import ACTIONS, Score, build, run, score

from anonymizer.engine import Engine, StudyContext
from anonymizer.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.leak_cases import Case, Outcome

OPTIONS = (
    "clean-descriptors",
    "clean-structured-content",
    "clean-graphics",
    "retain-longitudinal-modified-dates",
    "retain-patient-characteristics",
    "retain-device-identity",
    "retain-safe-private",
)
REPEATS = 3
#: Objects with every attribute of the standard: recipes of rules take minutes for each.
NOT_COMPARED = "everywhere/"


@dataclass(frozen=True, slots=True)
class Row:
    """One tool.

    Attributes
    ----------
    leaking
        Cases of which something came out.
    refused
        Files kept back that had to pass, and passed that had to be kept back.
    right
        Share of right actions, by action; of all; and of those that the Basic Profile alone asks for.
    files_per_s
        Files a second of processor time, the best of the repeats.
    """

    tool: str
    cases: int
    leaking: int
    leaks: int
    refused: int
    right: dict[str, float]
    share: float
    basic_share: float
    files_per_s: float


def judge(name: str, cases: list[Case], work: Callable[[Case], Outcome], speed: float) -> Row:
    """Score a tool on all cases."""
    outcomes = [work(case) for case in cases]
    result, basic = (
        Score([score(case, outcome, options) for case, outcome in zip(cases, outcomes, strict=True)])
        for options in (OPTIONS, ())
    )
    counts = {action: count for action, count in result.by_action().items() if count[1]}
    return Row(
        tool=name,
        cases=len(cases),
        leaking=sum(bool(verdict.leaks) for verdict in result.verdicts),
        leaks=len(result.leaks),
        refused=len(result.refused),
        right={action: right / every for action, (right, every) in counts.items()},
        share=result.share,
        basic_share=basic.share,
        files_per_s=speed,
    )


def ct_files(count: int) -> list[bytes]:
    """A series of CT instances."""
    with tempfile.TemporaryDirectory() as folder:
        write_series(template(), Path(folder) / "ct", count, 1)
        return [path.read_bytes() for path in sorted((Path(folder) / "ct").iterdir())]


def speed(files: list[bytes], work: Callable[[list[bytes]], object]) -> float:
    """Files a second of processor time."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        work(files)
        best = min(best, time.process_time() - started)
    return len(files) / best


def _ours(engine: Engine, files: list[bytes]) -> None:
    context = StudyContext.of([engine.survey(data) for data in files])
    for data in files:
        engine.deidentify(data, context)


def _read_and_write(files: list[bytes]) -> None:
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        for _ in ds:  # elements are parsed when they are asked for
            pass
        ds.save_as(io.BytesIO(), enforce_file_format=True)


def table(rows: list[Row]) -> str:
    """For a terminal."""
    width = max(len(row.tool) for row in rows) + 2
    lines = [f"{'':24}" + "".join(f"{row.tool:>{width}}" for row in rows)]

    def line(label: str, cells: list[str]) -> None:
        lines.append(f"{label:24}" + "".join(f"{cell:>{width}}" for cell in cells))

    line("cases that leak", [f"{row.leaking} of {row.cases}" for row in rows])
    line("secrets that came out", [str(row.leaks) for row in rows])
    line("wrong refusals, passes", [str(row.refused) for row in rows])
    for action in (action for action in ACTIONS if action in rows[0].right):
        line(action, [f"{row.right.get(action, 0):.2%}" for row in rows])
    line("right actions", [f"{row.share:.3%}" for row in rows])
    line("the Basic Profile's", [f"{row.basic_share:.3%}" for row in rows])
    line("CT files a second", [f"{row.files_per_s:.0f}" for row in rows])
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1000])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)

    cases = [case for seed in arguments.seeds for case in build(seed) if not case.id.startswith(NOT_COMPARED)]
    files = ct_files(arguments.files)
    engine = Engine(bytes(range(32)), Profile.from_labels(OPTIONS))
    rows = [judge("ours", cases, lambda case: run(engine, case), speed(files, lambda f: _ours(engine, f)))]
    for tool in available():
        convert = tool.convert
        rate = speed(files[: max(10, len(files) // 4)], lambda f, c=convert: [c(data) for data in f])
        rows.append(judge(tool.name, cases, tool.run, rate))
    plain = speed(files, _read_and_write)
    print(table(rows))
    print(f"pydicom's own read and write: {plain:.0f} CT files a second")
    if arguments.json:
        result = {"tools": [asdict(row) for row in rows], "pydicom_files_per_s": plain}
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
