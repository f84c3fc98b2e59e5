"""The audit log: an append-only file of JSON lines, each chained to the one before by its hash."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import StorageFailure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GENESIS = "0" * 64
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """A line that breaks the chain; `line` counts from 1."""

    line: int
    text: str


class AuditFile:
    """`ports.AuditLog` as `audit.jsonl`, shared by the processes of a node.

    Each line carries `chain`, an HMAC-SHA256 over the chain value of the line before and its own content:
    who has no key can neither change, drop nor insert a line unseen. The file itself is the only place that
    knows the last line: it is read, and the next one written, under a lock of the file.

    Parameters
    ----------
    path
        The file; its folder must exist.
    key
        Of the HMAC, 32 bytes.

    Raises
    ------
    StorageFailure
        If it cannot be opened.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        with self._locked():
            pass

    def record(self, event: str, **fields: str | int | float | bool | None) -> None:
        """Append one event; on return it is on the disk.

        Raises
        ------
        StorageFailure
            If it cannot be written: what must be audited must then not happen.
        """
        entry: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "event": event, **fields}
        with self._locked() as file:
            entry["chain"] = self._chain(_last_chain(file), entry)
            file.seek(0, os.SEEK_END)
            # In one call, so that a reader without the lock sees whole lines. A disk that is nearly full
            # takes a part, and says what is wrong when it is asked again; the next record drops that part.
            line = memoryview(json.dumps(entry, sort_keys=True).encode() + b"\n")
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())

    def entries(self) -> Iterator[dict[str, Any]]:
        """All entries, oldest first; those that come meanwhile are left out."""
        with self._locked() as file:
            end = file.seek(0, os.SEEK_END)
        with self._path.open("rb") as file:
            while file.tell() < end:
                yield json.loads(file.readline())

    def verify(self) -> list[AuditProblem]:
        """Check the whole chain; an empty list says that nothing was changed."""
        problems = []
        last = _GENESIS
        for number, entry in enumerate(self.entries(), start=1):
            stated = str(entry.pop("chain", ""))
            if not hmac.compare_digest(stated, self._chain(last, entry)):
                problems.append(AuditProblem(number, "does not follow from the line before it"))
            last = stated
        return problems

    def _chain(self, last: str, entry: dict[str, Any]) -> str:
        content = json.dumps(entry, sort_keys=True)
        return hmac.new(self._key, f"{last}\n{content}".encode(), hashlib.sha256).hexdigest()

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        """The file, for this thread of this process alone, and with whole lines only."""
        try:
            # Opened anew each time: a lock belongs to an open file, so threads exclude each other too.
            with FileIO(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _drop_torn_line(file)
                yield file
        except OSError as exc:
            raise StorageFailure("the audit log cannot be written; check the disk of data_dir") from exc


def _last_chain(file: FileIO) -> str:
    end = file.seek(0, os.SEEK_END)
    if not end:
        return _GENESIS
    line = _tail(file, end - 1)
    return str(json.loads(line)["chain"])


def _drop_torn_line(file: FileIO) -> None:
    """A crash in mid-write leaves a line without its end; it was never acknowledged."""
    end = file.seek(0, os.SEEK_END)
    if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
        file.truncate(end - len(_tail(file, end)))
        os.fsync(file.fileno())


def _tail(file: FileIO, end: int) -> bytes:
    """What stands between the last line break before `end`, or the start, and `end`."""
    tail = b""
    while len(tail) < end:
        start = max(0, end - len(tail) - _TAIL_BYTES)
        part = os.pread(file.fileno(), end - len(tail) - start, start)
        _, found, rest = part.rpartition(b"\n")
        if found:
            return rest + tail
        tail = part + tail
    return tail
