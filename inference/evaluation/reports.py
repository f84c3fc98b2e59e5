"""Evaluates a package on DICOM studies whose structured reports are the known answers."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExtensibleSRStorage,
    SegmentationStorage,
)

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from dicom_node.domain.finding import Task
from inference.evaluation.sr.against_boxes import BoxComparison
from inference.evaluation.sr.against_classes import ClassComparison
from inference.evaluation.sr.against_values import ValueComparison
from inference.evaluation.sr.content import read_report
from inference.evaluation.studies import Account, StudyRuns
from inference.preprocess.frames import read_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from inference.contract.package import ModelManifest
    from inference.evaluation.sr.comparison import Comparison
    from inference.evaluation.sr.content import Passage, Report
    from inference.registry import ModelRegistry
    from inference.routing.folder import FolderStudy
    from inference.runner.engine import ProcessEngine

#: Reports of findings; dose reports and logs are structured reports too, of another kind.
REPORT_CLASSES = frozenset(
    {
        BasicTextSRStorage,
        EnhancedSRStorage,
        ComprehensiveSRStorage,
        Comprehensive3DSRStorage,
        ExtensibleSRStorage,
    }
)
_ROWS = "00280010"
_MISSING = "none of the images that it names is in the folder"
_SILENT = "it says nothing of what the package gives"


@dataclass(frozen=True, slots=True)
class _Part:
    """A passage that can be compared.

    Attributes
    ----------
    report
        Place of its report among all.
    named
        Series that it refers to itself.
    possible
        Those of its report's evidence, or of its study where there is none.
    """

    report: int
    passage: Passage
    named: frozenset[str]
    possible: frozenset[str]


def holds_reports(studies: Iterable[FolderStudy]) -> bool:
    """Whether there is a structured report of findings."""
    return any(entry.sop_class_uid in REPORT_CLASSES for study in studies for entry in study.instances)


def evaluate_reports(
    registry: ModelRegistry,
    manifest: ModelManifest,
    studies: Sequence[FolderStudy],
    engine: ProcessEngine,
    *,
    overlap: float = 0.5,
    seed: int = 0,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figures of a package on studies with structured reports, gates included.

    A measurement group is of the series whose images it refers to. What names no images of its own is of the
    series of the report's evidence that the package takes best, or of the study where a report names none.

    Parameters
    ----------
    overlap
        Of detectors: least intersection over union of a hit.
    tell
        Is told which reports are left out, and why.

    Raises
    ------
    ConfigurationError
        If no report says anything of what the package gives; the message names the codes looked for.
    """
    comparison = _comparison(manifest, overlap)
    entries = [
        entry for study in studies for entry in study.instances if entry.sop_class_uid in REPORT_CLASSES
    ]
    if not entries:
        raise ConfigurationError(
            "no study of the folder holds a structured report or a Segmentation to compare with;"
            " put the reference beside the images"
        )
    account = Account([entry.sop_instance_uid for entry in entries], tell)
    read = _read(studies, entries, account)
    if any(manifest.name in report.algorithms for report in read.values()):
        tell(f"some reports were made by {manifest.name} itself: figures say how far it agrees with itself")
    parts = _parts(studies, read, comparison, account)
    runs = StudyRuns(registry, manifest, engine, account)
    with closing(engine):
        for number, study in enumerate(studies, 1):
            if parts[study.study_instance_uid]:
                _compare(runs, study, parts[study.study_instance_uid], comparison, account)
            if progress is not None:
                progress(number, len(studies))
    told = account.close()
    if not account.used:
        why = "; ".join(f"{count}: {why}" for why, count in told["references"]["left_out"].items())
        raise ConfigurationError(
            f"none of the {len(entries)} structured reports can be compared with what {manifest.name} gives"
            f" ({why}); looked for {comparison.looked_for}"
        )
    return {"data_sha256": runs.data_sha256, **comparison.report(seed), **told}


def _comparison(manifest: ModelManifest, overlap: float) -> Comparison:
    if manifest.task is Task.CLASSIFICATION:
        return ClassComparison(manifest)
    return BoxComparison(manifest, overlap) if manifest.task is Task.DETECTION else ValueComparison(manifest)


def _read(
    studies: Sequence[FolderStudy], entries: Sequence[CatalogEntry], account: Account
) -> dict[int, Report]:
    by_uid = {study.study_instance_uid: study for study in studies}
    read: dict[int, Report] = {}
    for place, entry in enumerate(entries):
        study = by_uid[entry.study_instance_uid]
        try:
            report = read_report(read_instance(study.read(entry.sop_instance_uid)))
        except InferenceFailed as exc:
            account.leave_out(place, str(exc))
            continue
        read[place] = report
        if report.algorithms:
            account.by_algorithm(place)
    replaced = {uid for report in read.values() for uid in report.replaces}
    for place in [place for place, report in read.items() if report.sop_instance_uid in replaced]:
        account.leave_out(place, "a later version of it is there")
        del read[place]
    return read


def _parts(
    studies: Sequence[FolderStudy],
    read: Mapping[int, Report],
    comparison: Comparison,
    account: Account,
) -> Mapping[str, list[_Part]]:
    """What reports say that can be compared, by the study of the series that it is of."""
    images = [entry for study in studies for entry in study.instances if _is_image(entry)]
    series_of = {entry.sop_instance_uid: entry.series_instance_uid for entry in images}
    study_of = {entry.series_instance_uid: entry.study_instance_uid for entry in images}
    parts: dict[str, list[_Part]] = defaultdict(list)
    for place, report in read.items():
        evidence = {series_of[uid] for uid in report.instances if uid in series_of}
        evidence |= {uid for passage in report.passages for uid in passage.series if uid in study_of}
        if report.instances and not evidence:
            account.leave_out(place, _MISSING)
            continue
        possible = evidence or {uid for uid, study in study_of.items() if study == report.study_instance_uid}
        if not possible:
            account.leave_out(place, "there are no images of its study")
            continue
        account.leave_out(place, _SILENT)
        for passage in filter(lambda passage: comparison.speaks([passage]), report.passages):
            own = {series_of[uid] for uid in passage.instances if uid in series_of}
            own |= {uid for uid in passage.series if uid in study_of}
            if passage.instances and not own:
                account.leave_out_part("a group whose images are not in the folder")
                account.leave_out(place, _MISSING)
                continue
            for study in {study_of[uid] for uid in own or possible}:
                within = {uid for uid, home in study_of.items() if home == study}
                parts[study].append(
                    _Part(place, passage, frozenset(own & within), frozenset(possible & within))
                )
    return parts


def _compare(
    runs: StudyRuns,
    study: FolderStudy,
    parts: Sequence[_Part],
    comparison: Comparison,
    account: Account,
) -> None:
    decision, taken = runs.choose(study)
    for series, said in _by_series(parts, taken).items():
        passages = [part.passage for part in said]
        try:
            comparison.check(passages)
            prediction = runs.run(study, decision, series)
            if prediction is not None:
                for why in comparison.add(study, prediction, passages, runs.patient_of(study)):
                    account.leave_out_part(why)
        except InferenceFailed as exc:
            for part in said:
                account.leave_out(part.report, str(exc))
            continue
        for part in said:
            account.use(part.report)


def _by_series(parts: Sequence[_Part], taken: Sequence[str]) -> dict[str, list[_Part]]:
    """The passages of each series; those that name none go to the one that the package takes best."""
    cases: dict[str, list[_Part]] = defaultdict(list)
    for part in parts:
        for series in sorted(part.named):
            cases[series].append(part)
    drawn_on = tuple(cases)
    for part in parts:
        if not part.named:
            best = [uid for uid in taken if uid in part.possible]
            order = [*(uid for uid in best if uid in drawn_on), *best, *drawn_on, *sorted(part.possible)]
            cases[next(uid for uid in order if uid in part.possible)].append(part)
    return cases


def _is_image(entry: CatalogEntry) -> bool:
    return _ROWS in entry.attributes and entry.sop_class_uid != SegmentationStorage
