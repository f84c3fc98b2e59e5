"""What the stages work with: every port, put together once by the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from dicom_node.ports.catalog import AttributeReader, Catalog
    from dicom_node.ports.delivery import Confirmer, DeliveryStore, ResultSender, Transcoder
    from dicom_node.ports.identity import Deidentifier, Reidentifier, Vault
    from dicom_node.ports.ledger import Ledger
    from dicom_node.ports.models import ModelEngine, ModelRouter, OutputGate, ResultEncoder
    from dicom_node.ports.notification import Announcer
    from dicom_node.ports.operation import AuditLog, Clock, Metrics
    from dicom_node.ports.quarantine import Quarantine
    from dicom_node.ports.stores import BlobStore, DataKeys, Spool
    from dicom_node.ports.studies import StudyIndex


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
    read, open
        The bytes of any ref: all at once, or as a file.
    scratch
        Folder for arrays on their way to a model process.
    """

    spool: Spool
    work: BlobStore
    quarantine: BlobStore
    results: BlobStore
    keys: DataKeys
    quarantine_keys: DataKeys
    read: Callable[[str], bytes]
    open: Callable[[str], BinaryIO]
    scratch: Path


@dataclass(frozen=True, slots=True)
class Services:
    """All that the stages need.

    Attributes
    ----------
    inputs_s
        Seconds that de-identified inputs stay after delivery before they are purged.
    confirmers
        By destination name, who asks it what it keeps; destinations that do not confirm are absent.
    transcode
        Writes results in the transfer syntax that a destination wants.
    purge_undelivered
        Whether inputs are purged though a delivery was given up.
    """

    clock: Clock
    index: StudyIndex
    catalog: Catalog
    quarantine: Quarantine
    ledger: Ledger
    vault: Vault
    stores: Stores
    deidentifier: Deidentifier
    reidentifier: Reidentifier
    reader: AttributeReader
    router: ModelRouter
    engine: ModelEngine
    encoder: ResultEncoder
    gate: OutputGate
    senders: tuple[ResultSender, ...]
    audit: AuditLog
    metrics: Metrics
    announcer: Announcer
    inputs_s: float
    deliveries: DeliveryStore
    confirmers: Mapping[str, Confirmer]
    transcode: Transcoder
    purge_undelivered: bool = True
