"""Studies as the pages show them: grouped results with links, and how far the pipeline is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from dicom_node.domain.result import ResultKind
from dicom_node.domain.study import Stage, StudyState
from viewer.dashboard.wording import KINDS, STAGES
from viewer.ohif.release import MOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dicom_node.domain.result import ResultEntry
    from dicom_node.domain.study import StudyRecord

    Describe = Callable[[str, str], str | None]

_SHOWN_FIRST = (
    ResultKind.SC,
    ResultKind.SEG,
    ResultKind.SR,
    ResultKind.PMAP,
    ResultKind.PDF,
    ResultKind.KOS,
    ResultKind.PR,
    ResultKind.RTSTRUCT,
)


class StepState(StrEnum):
    """Where a step of the pipeline is."""

    DONE = "done"
    CURRENT = "now"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class ResultSeries:
    """The results of one series.

    Attributes
    ----------
    viewer_url
        OHIF, opened on this series.
    preview_url
        A rendered picture of the middle instance, or `None` where the kind has no picture of its own.
    """

    kind: ResultKind
    name: str
    series_instance_uid: str
    entries: tuple[ResultEntry, ...]
    viewer_url: str
    preview_url: str | None


def viewer_url(study_instance_uid: str, series_instance_uid: str | None = None) -> str:
    """OHIF opened on a study, on one of its series where given."""
    query = {"StudyInstanceUIDs": study_instance_uid}
    if series_instance_uid is not None:
        query["initialSeriesInstanceUID"] = series_instance_uid
    return f"{MOUNT}viewer?{urlencode(query)}"


def series_url(study: str, series: str) -> str:
    """The WADO-RS resource of a series (PS3.18 §10.4.1)."""
    return f"/dicom-web/studies/{quote(study)}/series/{quote(series)}"


def instance_url(study: str, series: str, instance: str) -> str:
    """The WADO-RS resource of an instance (PS3.18 §10.4.1)."""
    return f"{series_url(study, series)}/instances/{quote(instance)}"


def download_url(study: str, entry: ResultEntry) -> str:
    """A result as a Part 10 file; a link cannot send an Accept header (PS3.18 §8.3.3.1)."""
    url = instance_url(study, entry.series_instance_uid, entry.sop_instance_uid)
    return f"{url}?accept=application/dicom"


def result_series(study: StudyRecord, describe: Describe) -> list[ResultSeries]:
    """The results of a study by series: heatmaps first, then segmentations and reports.

    Parameters
    ----------
    describe
        The description of a series by Study and Series Instance UID; `None` names it by its kind.
    """
    by_series: dict[str, list[ResultEntry]] = {}
    for entry in study.results:
        by_series.setdefault(entry.series_instance_uid, []).append(entry)
    groups = [_series(study.study_instance_uid, tuple(entries), describe) for entries in by_series.values()]
    return sorted(groups, key=lambda group: _SHOWN_FIRST.index(group.kind))


def _series(study_instance_uid: str, entries: tuple[ResultEntry, ...], describe: Describe) -> ResultSeries:
    first, middle = entries[0], entries[len(entries) // 2]
    series = first.series_instance_uid
    picture = instance_url(study_instance_uid, series, middle.sop_instance_uid) + "/rendered"
    return ResultSeries(
        kind=first.kind,
        name=describe(study_instance_uid, series) or KINDS[first.kind],
        series_instance_uid=series,
        entries=entries,
        viewer_url=viewer_url(study_instance_uid, series),
        preview_url=picture if first.kind is ResultKind.SC else None,
    )


def steps(study: StudyRecord) -> list[tuple[str, StepState]]:
    """The pipeline's steps with their state; empty unless the study is being processed."""
    if study.state is not StudyState.PROCESSING:
        return []
    order = list(Stage)
    at = order.index(study.stage) if study.stage is not None else -1
    return [
        (
            STAGES[stage],
            StepState.DONE if i < at else StepState.CURRENT if i == at else StepState.WAITING,
        )
        for i, stage in enumerate(order)
    ]


def moving(studies: Iterable[StudyRecord]) -> bool:
    """Whether any of them will change soon, so that the page looks more often."""
    return any(study.state in {StudyState.RECEIVING, StudyState.PROCESSING} for study in studies)
