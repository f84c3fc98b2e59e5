"""The audit log: an append-only file of JSON lines, each chained to the one before by its hash."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import StorageFailure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """A line that breaks the chain; `line` counts from 1."""

    line: int
    text: str


class AuditFile:
    """`ports.AuditLog` as `audit.jsonl`.

    Each line carries `chain`, an HMAC-SHA256 over the chain value of the line before and its own content:
    who has no key can neither change, drop nor insert a line unseen.

    Parameters
    ----------
    path
        The file; its folder must exist.
    key
        Of the HMAC, 32 bytes.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self._lock = threading.Lock()
        self._last = _GENESIS
        self._drop_torn_line()
        for entry in self.entries():
            self._last = str(entry["chain"])

    def record(self, event: str, **fields: str | int | float | bool | None) -> None:
        """Append one event; on return it is on the disk.

        Raises
        ------
        StorageFailure
            If it cannot be written: what must be audited must then not happen.
        """
        with self._lock:
            entry: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "event": event, **fields}
            entry["chain"] = self._chain(self._last, entry)
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry, sort_keys=True) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as exc:
                raise StorageFailure("the audit log cannot be written; check the disk of data_dir") from exc
            self._last = entry["chain"]

    def entries(self) -> Iterator[dict[str, Any]]:
        """All entries, oldest first."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

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

    def _drop_torn_line(self) -> None:
        # A crash in mid-write leaves a line without its end; it was never acknowledged.
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        if data and not data.endswith(b"\n"):
            with self._path.open("r+b") as file:
                file.truncate(data.rfind(b"\n") + 1)
                os.fsync(file.fileno())
