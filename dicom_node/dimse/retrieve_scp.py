"""C-GET and C-MOVE: what the node holds, sent to workstations.

References
----------
PS3.4 §C.4.2 (C-MOVE), §C.4.3 (C-GET); PS3.7 §9.1.3 and §9.1.4.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog
from pynetdicom.dimse_primitives import C_GET, C_MOVE

from dicom_node.dimse.association import associated
from dicom_node.dimse.contexts import propose
from dicom_node.dimse.identifier import read_identifier
from dicom_node.dimse.paced_sending import AssociationEnded
from dicom_node.dimse.query_models import MODELS, Operation, agree, contexts, options
from dicom_node.dimse.query_statuses import (
    CANCELLED,
    CANNOT_PERFORM,
    DOES_NOT_MATCH,
    PENDING,
    TOO_MANY_TO_COUNT,
    UNKNOWN_DESTINATION,
    failure_of,
)
from dicom_node.dimse.retrieve_keys import MOST_INSTANCES, Selection, TooManyInstances
from dicom_node.dimse.served_request import ServedRequest
from dicom_node.dimse.store_message import Originator
from dicom_node.dimse.sub_operations import CannotSend, Counts, outcome, store
from dicom_node.domain.errors import DeliveryFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.association import Address
    from dicom_node.domain.catalog_record import CatalogRecord
    from dicom_node.ports.catalog import Catalog
    from dicom_node.ports.operation import AuditLog, Metrics

log = structlog.get_logger(__name__)

_PURGED: Final = "some instances were purged here; ask where they were sent to"


class Refused(Exception):
    """A retrieval that is not begun."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status


class RetrieveScp:
    """A `service.DimseService` that answers C-GET and C-MOVE.

    Parameters
    ----------
    open_blob
        The bytes of a ref, as a file.
    destinations
        Whom C-MOVE may send to, by AE title.
    max_retrievals
        More at a time wait, each for `wait_s` seconds at most, and are then refused.
    """

    name = "retrieve"
    _OPERATIONS: Final = frozenset({Operation.GET, Operation.MOVE})

    def __init__(
        self,
        catalog: Catalog,
        open_blob: Callable[[str], BinaryIO],
        audit: AuditLog,
        metrics: Metrics,
        *,
        destinations: Mapping[str, Address],
        max_retrievals: int,
        wait_s: float,
    ) -> None:
        self._catalog = catalog
        self._open_blob = open_blob
        self._audit = audit
        self._metrics = metrics
        self._destinations = dict(destinations)
        self._slots = threading.BoundedSemaphore(max_retrievals)
        self._wait_s = wait_s

    def contexts(self, proposed: Sequence[PresentationContext]) -> Sequence[PresentationContext]:
        """See `service.DimseService`."""
        return contexts(proposed, self._OPERATIONS)

    def extended(self, sop_class_uid: str, proposed: bytes) -> bytes | None:
        """See `service.DimseService`."""
        return agree(sop_class_uid, proposed, self._OPERATIONS)

    def serve(self, assoc: Any, message: Any, context: PresentationContext) -> bool:
        """See `service.DimseService`."""
        if not isinstance(message, C_GET | C_MOVE) or message.MessageID is None:
            return False
        request = ServedRequest(assoc, message, context)
        if request.sop_class_uid not in MODELS:
            return False
        counts = Counts()
        comment = ""
        try:
            status, comment = self._retrieve(request, counts)
            identifier = counts.identifier(request.encoding)
            request.respond(status, comment, identifier, counts.fields(final=status != CANCELLED))
        except AssociationEnded:
            status = CANCELLED
        finally:
            request.finish()
        self._note(request, status, counts, comment)
        return True

    def _note(self, request: ServedRequest, status: int, counts: Counts, reason: str) -> None:
        operation = MODELS[request.sop_class_uid].operation
        facts: dict[str, str | int] = {
            "ae_title": request.calling_ae_title,
            "action": operation.value,
            "status": f"{status:04X}",
            "count": counts.completed + counts.warning,
        }
        self._metrics.count("retrievals", operation=operation.value, status=f"{status:04X}")
        self._audit.record("dimse.retrieved", failed=counts.failed, **facts)
        log.info("retrieval.answered", reason=reason, **facts)

    def _retrieve(self, request: ServedRequest, counts: Counts) -> tuple[int, str]:
        """Send the instances; return status and comment of the final response."""
        try:
            with self._slot():
                selection, destination = self._read(request)
                counts.remaining = len(selection.records)
                for uid in selection.purged:
                    counts.fail(uid, _PURGED)
                if destination is None:
                    self._get(request, selection.records, counts)
                else:
                    self._move(request, selection.records, counts, destination)
        except AssociationEnded:
            raise
        except Refused as exc:
            return exc.status, str(exc)
        except TooManyInstances:
            return TOO_MANY_TO_COUNT, f"more than {MOST_INSTANCES} instances: retrieve fewer at a time"
        except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
            return failure_of(exc)
        if counts.remaining:
            return CANCELLED, ""
        return counts.status, counts.reason

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._wait_s):
            raise Refused(CANNOT_PERFORM, "too many retrievals at a time: try again later")
        try:
            yield
        finally:
            self._slots.release()

    def _read(self, request: ServedRequest) -> tuple[Selection, Address | None]:
        """What to send, and where to; `None` is the association of the request."""
        message = request.message
        model = MODELS[request.sop_class_uid]
        operation = Operation.MOVE if isinstance(message, C_MOVE) else Operation.GET
        if message.Identifier is None or model.operation is not operation:
            raise Refused(DOES_NOT_MATCH, f"the {operation} request has no identifier")
        destination = None
        if operation is Operation.MOVE:
            destination = self._destinations.get(str(message.MoveDestination or "").strip())
            if destination is None:
                raise Refused(UNKNOWN_DESTINATION, "no peer of dimse.peers has this AE title")
        identifier = read_identifier(message.Identifier.getvalue(), request.encoding)
        relational = options(operation, request.extended).relational
        return Selection.read(self._catalog, identifier, model, relational=relational), destination

    def _get(self, request: ServedRequest, records: Sequence[CatalogRecord], counts: Counts) -> None:
        assoc = request.assoc
        taken = [context for context in assoc.accepted_contexts if context.as_scu]
        for number, record in enumerate(records, start=1):
            if request.is_cancelled:
                return
            self._store(assoc, taken, record, counts, (request.message.MessageID + number) % 65536, None)
            request.respond(PENDING, fields=counts.fields(final=False))

    def _move(
        self,
        request: ServedRequest,
        records: Sequence[CatalogRecord],
        counts: Counts,
        destination: Address,
    ) -> None:
        originator = Originator(request.calling_ae_title, request.message.MessageID)
        for proposal in propose((r.sop_class_uid, r.transfer_syntax_uid) for r in records):
            lot = [r for r in records if (r.sop_class_uid, r.transfer_syntax_uid) in proposal.pairs]
            done = counts.remaining
            try:
                with associated(destination, proposal.contexts) as assoc:
                    for number, record in enumerate(lot, start=1):
                        if request.is_cancelled:
                            return
                        taken = [] if assoc is None else assoc.accepted_contexts
                        self._store_at(assoc, taken, record, counts, number, originator)
                        request.respond(PENDING, fields=counts.fields(final=False))
            except DeliveryFailed as exc:
                for record in lot[done - counts.remaining :]:
                    counts.fail(record.sop_instance_uid, str(exc))
                    counts.remaining -= 1

    def _store_at(
        self,
        assoc: Any,
        taken: Sequence[PresentationContext],
        record: CatalogRecord,
        counts: Counts,
        number: int,
        originator: Originator,
    ) -> None:
        """Send over the association to a move destination, whose end is not that of the request's."""
        try:
            self._store(assoc, taken, record, counts, number % 65536, originator)
        except AssociationEnded as exc:
            raise DeliveryFailed("the move destination ended the association") from exc

    def _store(
        self,
        assoc: Any,
        taken: Sequence[PresentationContext],
        record: CatalogRecord,
        counts: Counts,
        message_id: int,
        originator: Originator | None,
    ) -> None:
        try:
            status = store(
                assoc, taken, record, self._open_blob, message_id=message_id, originator=originator
            )
        except CannotSend as exc:
            counts.fail(record.sop_instance_uid, str(exc))
        else:
            outcome(counts, record, status)
        counts.remaining -= 1
