"""Sends cases through our engine as the node does: a first pass over the study, then each instance."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from typing import TYPE_CHECKING

from leak_corpus.model import Outcome

from anonymizer.engine import StudyContext
from anonymizer.errors import CannotVouch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leak_corpus.model import Case

    from anonymizer.engine import Engine


@contextlib.contextmanager
def overheard() -> Iterator[io.StringIO]:
    """Everything that is logged, warned or printed meanwhile."""
    spoken = io.StringIO()
    handler = logging.StreamHandler(spoken)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with (
            contextlib.redirect_stdout(spoken),
            contextlib.redirect_stderr(spoken),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            yield spoken
            spoken.writelines(str(warning.message) for warning in caught)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def run(engine: Engine, case: Case) -> Outcome:
    """What the engine makes of a case."""
    outputs: list[bytes | None] = []
    reasons: list[str] = []
    with overheard() as spoken:
        surveys = []
        for data in case.files:
            with contextlib.suppress(CannotVouch):
                surveys.append(engine.survey(data))
        context = StudyContext.of(surveys)
        for data in case.files:
            try:
                result = engine.deidentify(data, context)
            except CannotVouch as exc:
                outputs.append(None)
                reasons.append(str(exc))
                continue
            outputs.append(result.data)
            reasons.append("")
            spoken.write(repr(result) + repr(result.report))
            spoken.write(json.dumps(sorted(map(str, result.report.actions))))
    return Outcome(tuple(outputs), tuple(reasons), spoken.getvalue())
