"""What the DIMSE side needs of a node, built from settings in whichever process it runs.

Nothing here may need a model, the workflow engine or the HTTP side: receiver processes start with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anonymizer.uids import UidMapper
from dicom_node.app.adapters import SystemClock, UidAdapter
from dicom_node.app.audit import open_audit
from dicom_node.app.commitment import build_desk
from dicom_node.app.disk import open_watermark
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.commitments import SqlCommitments
from dicom_node.index.database import open_database
from dicom_node.index.source_classes import SqlInstanceLookup
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.study_ledger import SqlLedger
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.pipeline.tally import ArrivalTally
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import BlobRouter, EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from dicom_node.pipeline.commitment import CommitmentDesk
    from dicom_node.ports.catalog import Catalog
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.operation import AuditLog, Clock, Metrics
    from dicom_node.ports.studies import StudyIndex
    from dicom_node.settings import Settings


@dataclass(frozen=True, slots=True)
class DimseEdge:
    """Stores, index and stage of one process.

    Attributes
    ----------
    open_blob
        The bytes of a source instance, de-identified or not, or of a result, by its ref.
    close
        Gives the database's connections back.
    """

    clock: Clock
    metrics: Metrics
    audit: AuditLog
    index: StudyIndex
    catalog: Catalog
    pseudonymizer: Pseudonymizer
    open_blob: Callable[[str], BinaryIO]
    receiver: Receiver
    desk: CommitmentDesk
    tally: ArrivalTally
    close: Callable[[], None]


def build_edge(settings: Settings, metrics: Metrics) -> DimseEdge:
    """Open what the DIMSE side works with; the data folder and the schema are there already.

    Raises
    ------
    ConfigurationError, StorageFailure
    """
    data_dir = settings.node.data_dir
    master = load_master_key(data_dir)
    clock = SystemClock()
    watermark = open_watermark(settings)
    database = open_database(settings.database_url)
    keys = KeyStore(data_dir / "keys" / "slots", master)
    spool = Spool(data_dir / "spool", "spool", keys)
    work = EncryptedBlobs(data_dir / "work", "work", keys)
    results = PlainBlobs(data_dir / "results", "results")
    pseudonymizer = UidAdapter(UidMapper(master.derive("pseudonyms")))
    index = SqlStudyIndex(database, clock)
    audit = open_audit(settings)
    tally = ArrivalTally(SqlLedger(database, clock))

    def close() -> None:
        tally.close()
        database.dispose()

    return DimseEdge(
        clock=clock,
        metrics=metrics,
        audit=audit,
        index=index,
        catalog=SqlCatalog(database),
        pseudonymizer=pseudonymizer,
        open_blob=BlobRouter({"spool": spool, "work": work, "results": results}).open,
        receiver=ReceiveStage(
            index,
            spool,
            pseudonymizer,
            watermark,
            metrics,
            audit,
            private_sop_classes=settings.dimse.private_sop_classes,
            tally=tally,
        ),
        desk=build_desk(
            settings,
            SqlCommitments(database, clock, master.derive("commitments")),
            SqlInstanceLookup(database),
            pseudonymizer=pseudonymizer,
            clock=clock,
            audit=audit,
            metrics=metrics,
        ),
        tally=tally,
        close=close,
    )
