"""De-identifies a folder of files, each study as a whole.

File names of the input may name patients: the JSON form of the report counts files instead, in the order
of their sorted paths. Output files are named by pseudonymous UIDs.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonymizer.context import StudyContext, Survey
from anonymizer.directory import make_file_set
from anonymizer.errors import CannotVouch
from anonymizer.profile import BASIC_PROFILE
from anonymizer.report import StudyReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from anonymizer.engine import Engine
    from anonymizer.faces.cleaner import FaceCleaner
    from anonymizer.report import InstanceReport

    #: A file, and what was done to the instance if it is in the output.
    _Made = tuple["FileOutcome", InstanceReport | None]

_NO_DICOM = "no-part-10"
DIRECTORY_REASON = "a DICOMDIR: a new one lists the output"


class FileStatus(Enum):
    """What became of a file."""

    DONE = "done"
    #: No DICOM file.
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    #: The same SOP Instance was there already; the first file stays.
    DUPLICATE = "duplicate"
    #: It could not be read from or written to the disk.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One file.

    Attributes
    ----------
    number
        Position in the sorted list of input files, from 1.
    source
        Path of the input. Identity: for the eyes of whoever owns the folder only.
    output
        Path relative to the output folder.
    reason
        Why it is not there, without identity.
    """

    number: int
    source: Path = field(repr=False)
    status: FileStatus
    output: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FolderReport:
    """All files, in order, and what was done over all of them."""

    outcomes: tuple[FileOutcome, ...]
    deidentification: StudyReport

    def count(self, status: FileStatus) -> int:
        """How many files ended so."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def kept_back(self) -> int:
        """How many DICOM files are not in the output though they should be."""
        return self.count(FileStatus.QUARANTINED) + self.count(FileStatus.FAILED)

    def as_text(self) -> str:
        """For a terminal: counts, and the reasons with the numbers of the files; no input paths."""
        lines = [f"{self.count(status):6} {status.value}" for status in FileStatus if self.count(status)]
        by_reason: dict[str, list[int]] = {}
        for outcome in self.outcomes:
            if outcome.reason is not None:
                by_reason.setdefault(f"{outcome.status.value}: {outcome.reason}", []).append(outcome.number)
        for reason, numbers in by_reason.items():
            shown = ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")
            lines.append(f"{reason} (files {shown} in sorted order)")
        return "\n".join(lines) or "no files found"

    def as_json(self, *, paths: bool = False) -> dict[str, Any]:
        """A JSON-able form; input paths only where asked for, since they may name patients."""
        files: list[dict[str, Any]] = []
        for outcome in self.outcomes:
            entry: dict[str, Any] = {"file": outcome.number, "status": outcome.status.value}
            if outcome.output is not None:
                entry["output"] = outcome.output
            if outcome.reason is not None:
                entry["reason"] = outcome.reason
            if paths:
                entry["source"] = str(outcome.source)
            files.append(entry)
        counts = {status.value: self.count(status) for status in FileStatus}
        return {"counts": counts, "deidentification": self.deidentification.as_json(), "files": files}


def anonymize_folder(
    src: Path, dst: Path, engine: Engine, on_file: Callable[[FileOutcome], None] | None = None
) -> FolderReport:
    """De-identify every DICOM file under a folder (or one file) into another folder.

    Files are written whole or not at all, as ``<study>/<series>/<instance>.dcm``; where the input has a
    DICOMDIR, as a File-set with a new one. Symbolic links are not followed. What lies in `dst` already
    stays, but for files of the same name.

    Parameters
    ----------
    on_file
        Called after each file, to show progress.

    Raises
    ------
    ValueError
        If both folders are the same.
    OSError
        If `dst` cannot be made.
    """
    src, dst = src.resolve(), dst.resolve()
    if src == dst:
        raise ValueError("input and output are the same folder; choose another output folder")
    dst.mkdir(parents=True, exist_ok=True)
    outcomes: dict[int, FileOutcome] = {}
    report = StudyReport(f"PS3.15 {engine.edition} {BASIC_PROFILE[1]}", engine.profile.codes)
    written: set[str] = set()

    def ended(outcome: FileOutcome, done: InstanceReport | None = None) -> None:
        outcomes[outcome.number] = outcome
        if done is not None:
            report.add(done)
        if outcome.status is FileStatus.QUARANTINED:
            report.add_quarantined(outcome.reason or "")
        if on_file is not None:
            on_file(outcome)

    studies = _survey(src, dst, engine, ended)
    # Instances wait in a folder of their own where faces are still to go.
    with nullcontext(dst) if engine.faces is None else _waiting_room(dst) as room:
        for members in studies.values():
            for made in _without_faces(_study(members, room, engine, written), room, dst, engine.faces):
                ended(*made)
    names = sorted(outcome.output for outcome in outcomes.values() if outcome.output is not None)
    if names and any(outcome.reason == DIRECTORY_REASON for outcome in outcomes.values()):
        moved = make_file_set(dst, names)
        outcomes = {
            number: replace(outcome, output=moved.get(outcome.output or "", outcome.output))
            for number, outcome in outcomes.items()
        }
    return FolderReport(tuple(outcomes[number] for number in sorted(outcomes)), report)


def _survey(
    src: Path, dst: Path, engine: Engine, ended: Callable[[FileOutcome], None]
) -> dict[str, list[tuple[int, Path, Survey]]]:
    """Files by study: a name in one must not stay in the text of another, so all are read first."""
    studies: dict[str, list[tuple[int, Path, Survey]]] = {}
    for number, path in enumerate(_input_files(src, dst), start=1):
        try:
            survey = engine.survey(path.read_bytes())
        except (CannotVouch, OSError) as exc:
            ended(_refused(number, path, exc))
        else:
            studies.setdefault(survey.study_instance_uid, []).append((number, path, survey))
    return studies


def _input_files(src: Path, dst: Path) -> Iterator[Path]:
    if src.is_file():
        yield src
        return
    for path in sorted(src.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.is_relative_to(dst):
            yield path


@contextmanager
def _waiting_room(dst: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".waiting-", dir=dst) as folder:
        yield Path(folder)


def _study(
    members: list[tuple[int, Path, Survey]], dst: Path, engine: Engine, written: set[str]
) -> Iterator[_Made]:
    surveys = [survey for _, _, survey in members]
    context = StudyContext.of(surveys)
    first = set(context.sample(surveys))
    for position in sorted(range(len(members)), key=lambda n: n not in first):
        number, path, _ = members[position]
        yield _one(number, path, dst, engine, context, written)


def _without_faces(
    made: Iterable[_Made], room: Path, dst: Path, faces: FaceCleaner | None
) -> Iterator[_Made]:
    """Move each series of a study from the waiting room to the output once its face is off."""
    if faces is None:
        yield from made
        return
    series: dict[Path, list[tuple[FileOutcome, str, InstanceReport]]] = {}
    for outcome, done in made:
        if done is None or outcome.output is None:
            yield outcome, done
        else:
            folder = (room / outcome.output).parent
            series.setdefault(folder, []).append((outcome, outcome.output, done))
    for members in series.values():
        try:
            cleaned = faces.clean([(room / name).read_bytes() for _, name, _ in members])
        except (CannotVouch, OSError) as exc:
            for outcome, _, _ in members:
                yield _refused(outcome.number, outcome.source, exc), None
            continue
        for (outcome, name, done), data in zip(members, cleaned.instances, strict=True):
            try:
                _write(dst / name, data)
            except OSError as exc:
                yield _refused(outcome.number, outcome.source, exc), None
            else:
                yield outcome, cleaned.reported(done)


def _one(
    number: int, path: Path, dst: Path, engine: Engine, context: StudyContext, written: set[str]
) -> _Made:
    try:
        result = engine.deidentify(path.read_bytes(), context)
        name = f"{result.study_instance_uid}/{result.series_instance_uid}/{result.sop_instance_uid}.dcm"
        if name in written:
            reason = "the SOP Instance was there already"
            return FileOutcome(number, path, FileStatus.DUPLICATE, reason=reason), None
        _write(dst / name, result.data)
    except (CannotVouch, OSError) as exc:
        return _refused(number, path, exc), None
    written.add(name)
    return FileOutcome(number, path, FileStatus.DONE, output=name), result.report


def _refused(number: int, path: Path, exc: CannotVouch | OSError) -> FileOutcome:
    if isinstance(exc, CannotVouch):
        if exc.rule == "directory":
            return FileOutcome(number, path, FileStatus.SKIPPED, reason=DIRECTORY_REASON)
        status = FileStatus.SKIPPED if exc.rule == _NO_DICOM else FileStatus.QUARANTINED
        return FileOutcome(number, path, status, reason=str(exc))
    return FileOutcome(number, path, FileStatus.FAILED, reason=exc.strerror or "input or output error")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(temporary, path)  # noqa: PTH105  # mkstemp names a string
    except OSError:
        os.unlink(temporary)  # noqa: PTH108  # mkstemp names a string
        raise
