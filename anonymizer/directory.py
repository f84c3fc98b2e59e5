"""Makes a File-set with a DICOMDIR of de-identified files, where the input was one.

The DICOMDIR of the input is never passed on: it repeats names, dates and UIDs of everything it lists.

References
----------
PS3.10 §8 (File-set, File IDs); PS3.3 Annex F (Basic Directory IOD); PS3.15 §E.1.1.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydicom import fileset
from pydicom.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: What a record of Type 1 says where the profile removed the value.
_NO_DATE: Final = "19000101"
_NO_TIME: Final = "000000"


def make_file_set(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Move files of a folder into a File-set with a DICOMDIR in that folder.

    Parameters
    ----------
    names
        Paths of the files, relative to the folder.

    Returns
    -------
    dict
        Old name to new name, for every file that the DICOMDIR lists. A file whose attributes make no
        directory record keeps its name and is not listed.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    files = fileset.FileSet()
    uids: dict[str, str] = {}
    with _records_without_dates():
        for name in names:
            try:
                instance = files.add(folder / name)
            except (ValueError, KeyError, AttributeError):
                continue  # a kind without a directory record
            uids[str(instance.SOPInstanceUID)] = name
        files.write(folder)
    files._stage["t"].cleanup()  # noqa: SLF001  # pydicom leaves it to the collector, which warns
    moved = {}
    for instance in files:
        old = uids[str(instance.SOPInstanceUID)]
        moved[old] = instance.FileID.replace("\\", "/")
        (folder / old).unlink()
        _remove_empty(folder, folder / old)
    return moved


def _remove_empty(folder: Path, path: Path) -> None:
    for parent in path.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


@contextmanager
def _records_without_dates() -> Iterator[None]:
    """Let study records be made of studies whose date the profile removed."""
    before = fileset.DIRECTORY_RECORDERS["STUDY"]
    fileset.DIRECTORY_RECORDERS["STUDY"] = _study_record
    try:
        yield
    finally:
        fileset.DIRECTORY_RECORDERS["STUDY"] = before


def _study_record(ds: Dataset) -> Dataset:
    record = Dataset()
    record.StudyDate = ds.get("StudyDate") or _NO_DATE
    record.StudyTime = ds.get("StudyTime") or _NO_TIME
    record.StudyDescription = ds.get("StudyDescription") or ""
    record.StudyInstanceUID = ds.StudyInstanceUID
    record.StudyID = ds.get("StudyID") or "0"
    record.AccessionNumber = ds.get("AccessionNumber") or ""
    return record
