"""The output gate; implements `ports.OutputGate`."""

from __future__ import annotations

from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.result import ResultKind
from inference.encode.checks.baseline import is_registered, read_baseline, uids_of_json, uids_of_result
from inference.encode.checks.classes import LABEL_MAP_STORAGE
from inference.encode.checks.examination import Examination
from inference.encode.checks.program import Validator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from dicom_node.domain.result import ResultEntry
    from dicom_node.ports.models import StudyInput, UncheckedResult

#: How many `dciodvfy` run at once.
VALIDATORS = 2


class Gate:
    """Checks results by the node's own rules, and by `dciodvfy` where that is installed.

    The own rules see every object. `dciodvfy` sees every SR and SEG, and of a heatmap series the
    first, the middle and the last instance: all are written from one template.

    Parameters
    ----------
    validator
        The second opinion.
    """

    def __init__(self, validator: Validator | None = None) -> None:
        self._validator = validator or Validator()
        self._log = structlog.get_logger()

    def check(
        self, results: Sequence[UncheckedResult], study: StudyInput, earlier: Sequence[ResultEntry] = ()
    ) -> dict[str, list[str]]:
        """Problems by SOP Instance UID; an object with problems is kept back. No entry: it is good.

        Objects are looked at one after the other: besides the present one, only those are in memory that
        `dciodvfy` is working on, or is to see next.
        """
        if not results:
            return {}
        chosen = _for_validator(results) if self._validator.present else frozenset()
        examination = Examination(read_baseline(results, study, earlier))
        said: dict[str, Future[list[str]]] = {}
        with ThreadPoolExecutor(VALIDATORS) as background:
            waiting: deque[Future[list[str]]] = deque()
            for position, result in enumerate(results):
                part10 = result.data
                if position in chosen:
                    if len(waiting) > VALIDATORS:
                        waiting.popleft().result()
                    said[result.sop_instance_uid] = background.submit(self._validator.errors, part10)
                    waiting.append(said[result.sop_instance_uid])
                examination.look_at(result, part10)
            problems = examination.problems()
            for uid, lines in said.items():
                problems[uid] += lines.result()
        bad = {uid: found for uid, found in problems.items() if found}
        bad |= _left_alone(results, bad)
        self._log.info("results_checked", count=len(results), kept_back=len(bad))
        return bad

    def uids(self, result: UncheckedResult) -> frozenset[str]:
        """All UIDs in a result that the standard does not register."""
        return frozenset(uid for uid in uids_of_result(result.data) if not is_registered(uid))

    def study_uids(self, study: StudyInput) -> frozenset[str]:
        """All UIDs of a study's inputs."""
        found = {study.study_instance_uid}
        for entry in study.instances:
            found |= {entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid}
            found.update(uids_of_json(entry.attributes))
        return frozenset(found)


def _left_alone(results: Sequence[UncheckedResult], bad: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Results that refer to one that is kept back, or to one of these: their references lead nowhere."""
    if not bad:
        return {}
    # Pictures refer to source slices only.
    referring = {
        result.sop_instance_uid: uids_of_result(result.data)
        for result in results
        if result.kind is not ResultKind.SC and result.sop_instance_uid not in bad
    }
    gone, alone = set(bad), dict[str, list[str]]()
    while more := [uid for uid, named in referring.items() if uid not in alone and named & gone]:
        gone.update(more)
        alone |= {uid: ["it refers to a result that is kept back"] for uid in more}
    return alone


def _for_validator(results: Sequence[UncheckedResult]) -> frozenset[int]:
    """Positions of what the program sees."""
    series: dict[str, list[int]] = defaultdict(list)
    for position, result in enumerate(results):
        # The program does not know the class yet, and takes it for a broken BINARY one.
        if result.sop_class_uid != LABEL_MAP_STORAGE:
            series[result.series_instance_uid].append(position)
    return frozenset(
        members[index] for members in series.values() for index in (0, len(members) // 2, len(members) - 1)
    )
