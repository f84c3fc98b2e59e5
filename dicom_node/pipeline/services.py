"""What the stages work with: every port, put together once by the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dicom_node import ports


@dataclass(frozen=True, slots=True)
class Stores:
    """Where bytes lie.

    Attributes
    ----------
    spool
        Instances as received, encrypted by slot.
    work
        De-identified instances and predictions, encrypted by slot with the same key.
    quarantine
        Instances that de-identification could not vouch for, each encrypted with a key of its own that
        outlives the purge.
    keys, quarantine_keys
        Keys of spool and work area, and of the quarantine.
    results
        Result objects, pseudonymous; the slot's epoch is the run version here.
    read
        The bytes of any ref.
    scratch
        Folder for arrays on their way to a model process.
    """

    spool: ports.BlobStore
    work: ports.BlobStore
    quarantine: ports.BlobStore
    results: ports.BlobStore
    keys: ports.DataKeys
    quarantine_keys: ports.DataKeys
    read: Callable[[str], bytes]
    scratch: Path


@dataclass(frozen=True, slots=True)
class Services:
    """All that the stages need.

    Attributes
    ----------
    inputs_s
        Seconds that de-identified inputs stay after delivery before they are purged.
    backoff_s
        By destination name, the first wait in seconds after a failed delivery.
    """

    clock: ports.Clock
    index: ports.StudyIndex
    catalog: ports.Catalog
    quarantine: ports.Quarantine
    vault: ports.Vault
    stores: Stores
    deidentifier: ports.Deidentifier
    reidentifier: ports.Reidentifier
    reader: ports.AttributeReader
    router: ports.ModelRouter
    engine: ports.ModelEngine
    encoder: ports.ResultEncoder
    gate: ports.OutputGate
    senders: tuple[ports.ResultSender, ...]
    audit: ports.AuditLog
    metrics: ports.Metrics
    inputs_s: float
    backoff_s: dict[str, float]
