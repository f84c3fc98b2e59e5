"""The output gate; implements `ports.OutputGate`."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.domain.result import ResultKind
from inference.encode.checks.baseline import is_registered, parse, read_baseline, uids_of, uids_of_json
from inference.encode.checks.classes import LABEL_MAP_STORAGE
from inference.encode.checks.content_tree import check_report
from inference.encode.checks.drawings import check_key_objects, check_presentation_state, check_structure_set
from inference.encode.checks.header import check_header, check_part
from inference.encode.checks.images import check_capture, check_segmentation, check_stack
from inference.encode.checks.likeness import Likeness
from inference.encode.checks.maps import check_map
from inference.encode.checks.program import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dicom_node.domain.result import EncodedResult, ResultEntry
    from dicom_node.ports.models import StudyInput
    from inference.encode.checks.baseline import Baseline


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
        self, results: Sequence[EncodedResult], study: StudyInput, earlier: Sequence[ResultEntry] = ()
    ) -> dict[str, list[str]]:
        """Problems by SOP Instance UID; an object with problems is kept back. No entry: it is good."""
        if not results:
            return {}
        chosen = _for_validator(results)
        with ThreadPoolExecutor(1) as background:
            second = background.submit(self._validator.errors, [result.data for result in chosen])
            problems = _own_checks(results, read_baseline(results, study, earlier))
            for result, lines in zip(chosen, second.result(), strict=True):
                problems[result.sop_instance_uid] += lines
        bad = {uid: found for uid, found in problems.items() if found}
        bad |= _left_alone(results, bad)
        self._log.info("results_checked", count=len(results), kept_back=len(bad))
        return bad

    def uids(self, result: EncodedResult) -> frozenset[str]:
        """All UIDs in a result that the standard does not register."""
        found = set(uids_of(parse(result.data, pixels=False)))
        return frozenset(uid for uid in found if not is_registered(uid))

    def study_uids(self, study: StudyInput) -> frozenset[str]:
        """All UIDs of a study's inputs."""
        found = {study.study_instance_uid}
        for entry in study.instances:
            found |= {entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid}
            found.update(uids_of_json(entry.attributes))
        return frozenset(found)


def _left_alone(results: Sequence[EncodedResult], bad: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Results that refer to one that is kept back, or to one of these: their references lead nowhere."""
    if not bad:
        return {}
    # Pictures refer to source slices only.
    referring = {
        result.sop_instance_uid: set(uids_of(parse(result.data, pixels=False)))
        for result in results
        if result.kind is not ResultKind.SC and result.sop_instance_uid not in bad
    }
    gone, alone = set(bad), dict[str, list[str]]()
    while more := [uid for uid, named in referring.items() if uid not in alone and named & gone]:
        gone.update(more)
        alone |= {uid: ["it refers to a result that is kept back"] for uid in more}
    return alone


def _own_checks(results: Sequence[EncodedResult], baseline: Baseline) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {result.sop_instance_uid: [] for result in results}
    first: dict[str, Likeness] = {}
    stacks: dict[str, list[Dataset]] = defaultdict(list)
    for result in results:
        found, key = problems[result.sop_instance_uid], result.series_instance_uid
        ds = _read(result)
        if ds is None:
            found.append("the object cannot be read as DICOM")
        elif key in first and first[key].holds(ds):
            found += dict.fromkeys(_check_varying(result, ds, baseline))
        else:
            first.setdefault(key, Likeness(ds))
            found += dict.fromkeys(_check_one(result, ds, baseline))
        if ds is not None and result.kind is ResultKind.SC:
            stacks[key].append(ds)
    for stack in stacks.values():
        for uid, of_stack in check_stack(stack).items():
            problems[uid] += of_stack
    if all(result.kind is ResultKind.SC for result in results):
        for found in problems.values():
            found.append("a Secondary Capture is the sole kind of result")
    return problems


def _read(result: EncodedResult) -> Dataset | None:
    try:
        return parse(result.data)
    except (InvalidDicomError, EOFError, ValueError, KeyError, NotImplementedError):
        return None


def _check_one(result: EncodedResult, ds: Dataset, baseline: Baseline) -> Iterator[str]:
    claimed = (result.sop_class_uid, result.series_instance_uid, result.sop_instance_uid)
    if claimed != (ds.get("SOPClassUID"), ds.get("SeriesInstanceUID"), ds.get("SOPInstanceUID")):
        yield "the object's identifiers are not those of its entry"
    yield from _check_file_meta(result, ds)
    yield from check_header(ds, baseline)
    if result.kind is ResultKind.SR:
        yield from check_report(ds, baseline)
    elif result.kind is ResultKind.SEG:
        yield from check_segmentation(ds, baseline)
    elif result.kind is ResultKind.SC:
        yield from check_capture(ds, baseline)
    elif result.kind is ResultKind.PMAP:
        yield from check_map(ds, baseline)
    elif result.kind is ResultKind.RTSTRUCT:
        yield from check_structure_set(ds, baseline)
    elif result.kind is ResultKind.PR:
        yield from check_presentation_state(ds, baseline)
    elif result.kind is ResultKind.KOS:
        yield from check_key_objects(ds)


def _check_varying(result: EncodedResult, ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Check what differs from the first instance of a heatmap series, which was checked as a whole."""
    if ds.SOPInstanceUID != result.sop_instance_uid:
        yield "the object's identifiers are not those of its entry"
    yield from _check_file_meta(result, ds)
    part = Dataset()
    part.SourceImageSequence = ds.SourceImageSequence
    yield from check_part(part, baseline)
    yield from check_capture(ds, baseline)


def _check_file_meta(result: EncodedResult, ds: Dataset) -> Iterator[str]:
    meta = ds.file_meta
    if (meta.get("MediaStorageSOPClassUID"), meta.get("MediaStorageSOPInstanceUID")) != (
        result.sop_class_uid,
        result.sop_instance_uid,
    ):
        yield "File Meta and data set name different objects"
    if meta.get("TransferSyntaxUID") != ExplicitVRLittleEndian:
        yield "the transfer syntax is not Explicit VR Little Endian"


def _for_validator(results: Sequence[EncodedResult]) -> list[EncodedResult]:
    series: dict[str, list[EncodedResult]] = defaultdict(list)
    for result in results:
        series[result.series_instance_uid].append(result)
    return [
        members[index]
        for members in series.values()
        # The program does not know the class yet, and takes it for a broken BINARY one.
        if members[0].sop_class_uid != LABEL_MAP_STORAGE
        for index in sorted({0, len(members) // 2, len(members) - 1})
    ]
