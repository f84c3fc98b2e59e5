"""The node's audit log, as commands and the node open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.observability.audit import AuditFile
from dicom_node.security.master import load_master_key

if TYPE_CHECKING:
    from dicom_node.settings import Settings


def open_audit(settings: Settings) -> AuditFile:
    """Open `audit.jsonl` of the data folder, with the key derived from the node's master key."""
    data_dir = settings.node.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    return AuditFile(data_dir / "audit.jsonl", load_master_key(data_dir).derive("audit"))
