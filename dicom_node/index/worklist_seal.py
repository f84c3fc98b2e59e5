"""Work items, filters and events as sealed rows."""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dicom_node.domain import workitem as ups
from dicom_node.domain.workitem import RunLink, Workitem, WorkitemState
from dicom_node.domain.workitem_events import EventType, QueuedEvent, WorkitemEvent
from dicom_node.index.row_seal import RowSeal

if TYPE_CHECKING:
    from sqlalchemy import Row


class WorklistSeal:
    """Seals and opens rows with AES-256-GCM, each bound to what it is of.

    Parameters
    ----------
    key
        32 bytes, derived from the node's master key for the worklist alone.
    """

    def __init__(self, key: bytes) -> None:
        self._rows = RowSeal(key, "the worklist")
        self._lookup = hmac.new(key, b"lookup", hashlib.sha256).digest()

    def patient_key(self, patient_id: object) -> str:
        """A keyed hash that finds a patient's work items; empty for an empty Patient ID."""
        text = str(patient_id or "").strip()
        return hmac.new(self._lookup, text.encode(), hashlib.sha256).hexdigest() if text else ""

    def row(self, item: Workitem) -> dict[str, Any]:
        """The columns of a work item."""
        return {
            "uid": item.uid,
            "state": item.state.value,
            "priority": str(ups.first(item.attributes, ups.PRIORITY) or ""),
            "readiness": str(ups.first(item.attributes, ups.READINESS) or ""),
            "patient_key": self.patient_key(ups.first(item.attributes, ups.PATIENT_ID)),
            "performer": item.performer,
            "created_at": item.created_at,
            "modified_at": item.modified_at,
            "sealed": self.seal(
                f"workitem/{item.uid}",
                {
                    "attributes": item.attributes,
                    "transaction_uid": item.transaction_uid,
                    "run": [item.run.study_id, item.run.version] if item.run else None,
                    "asked": item.asked,
                },
            ),
        }

    def item(self, row: Row[Any]) -> Workitem:
        """The work item of a row that still has its data set."""
        kept = self.open(f"workitem/{row.uid}", row.sealed)
        item = Workitem(
            uid=row.uid,
            state=WorkitemState(row.state),
            attributes=kept["attributes"],
            created_at=row.created_at,
            modified_at=row.modified_at,
            transaction_uid=kept["transaction_uid"],
            performer=row.performer,
            asked=tuple(kept["asked"]),
        )
        return replace(item, run=RunLink(*kept["run"])) if kept["run"] else item

    def event(self, row: Row[Any]) -> QueuedEvent:
        """The event of a row."""
        information = self.open(f"event/{row.uid}", row.sealed)
        return QueuedEvent(row.id, WorkitemEvent(EventType(row.type), row.uid, information))

    def seal(self, what: str, content: Any) -> bytes:
        """Compressed and encrypted; opens for the same `what` only."""
        return self._rows.seal(what, zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6))

    def open(self, what: str, sealed: bytes) -> Any:
        """What was sealed.

        Raises
        ------
        StorageFailure
            If it does not open with this key.
        """
        return json.loads(zlib.decompress(self._rows.open(what, sealed)))
