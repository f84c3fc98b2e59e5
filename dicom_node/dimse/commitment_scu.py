"""Storage Commitment Push Model on associations that the node opens: its own requests, and late reports.

References
----------
PS3.4 §J.3.2 (N-ACTION), §J.3.3 (N-EVENT-REPORT); PS3.7 §D.3.3.4 (roles).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import structlog
from pydicom.uid import UID
from pynetdicom import build_role, evt

from dicom_node.dimse.association import associated
from dicom_node.dimse.commitment_messages import (
    REQUEST,
    SOP_CLASS,
    WELL_KNOWN_INSTANCE,
    MalformedCommitment,
    event_type,
    proposed_context,
    read_report,
    report_data_set,
    request_data_set,
)
from dicom_node.dimse.paced_sending import is_open
from dicom_node.dimse.statuses import SUCCESS, describe
from dicom_node.domain.errors import DeliveryFailed, InternalError, NodeError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.dimse.association import Address
    from dicom_node.domain.commitment import CommitmentReport, ObjectReference
    from dicom_node.ports.commitment import CommitmentStore

log = structlog.get_logger(__name__)

_FAILURE: Final = 0x0110
_INVALID_ARGUMENT: Final = 0x0115
#: Seconds between two looks whether the peer has left.
_LOOK_S: Final = 0.1


class DimseCommitmentRequester:
    """`ports.CommitmentRequester` by N-ACTION.

    Parameters
    ----------
    address
        The peer; a report is taken from this AE title only.
    wait_s
        Seconds for a report on the same association. It may come later on one that the peer opens.
    """

    def __init__(self, address: Address, store: CommitmentStore, *, wait_s: float = 5) -> None:
        self._address = address
        self._store = store
        self._wait_s = wait_s

    def request(self, objects: Sequence[ObjectReference]) -> str:
        """See `ports.CommitmentRequester.request`."""
        transaction_uid = self._store.begin(self._address.ae_title, objects)
        try:
            self._ask(transaction_uid, objects)
        except DeliveryFailed as exc:
            self._store.refused(transaction_uid, str(exc))
            raise
        return transaction_uid

    def _ask(self, transaction_uid: str, objects: Sequence[ObjectReference]) -> None:
        reported = threading.Event()

        def told(event: Any) -> tuple[int, None]:
            status = self._settle(event)
            reported.set()
            return status, None

        handlers = [(evt.EVT_N_EVENT_REPORT, told)]
        with associated(self._address, [proposed_context()], handlers=handlers, hold=False) as assoc:
            if assoc is None:
                raise DeliveryFailed(f"{self._address.name} does not take storage commitment; check it there")
            status, _ = assoc.send_n_action(
                request_data_set(transaction_uid, objects), REQUEST, UID(SOP_CLASS), UID(WELL_KNOWN_INSTANCE)
            )
            code = getattr(status, "Status", None)
            if code is None:
                raise DeliveryFailed(f"{self._address.name} does not answer the request; it is tried again")
            if code != SUCCESS:
                raise DeliveryFailed(
                    f"{self._address.name} answers the storage commitment request: {describe(int(code))}"
                )
            waited = 0.0
            while waited < self._wait_s and is_open(assoc) and not reported.wait(_LOOK_S):
                waited += _LOOK_S

    def _settle(self, event: Any) -> int:
        """Keep a report that came on the same association; return the status of its response."""
        syntax = UID(str(event.context.transfer_syntax))
        encoding = syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
        try:
            information = event.request.EventInformation
            report = read_report(b"" if information is None else information.getvalue(), encoding)
            known = self._store.settle(report, self._address.ae_title)
        except MalformedCommitment:
            return _INVALID_ARGUMENT
        except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
            error = exc if isinstance(exc, NodeError) else InternalError.of(exc)
            log.warning("commitment.unsettled", code=error.code, reason=str(error))
            return _FAILURE
        return SUCCESS if known else _INVALID_ARGUMENT


class DimseReportSender:
    """`ports.ReportSender` by N-EVENT-REPORT, the node being SCP on an association that it opens.

    Parameters
    ----------
    peers
        By AE title.
    """

    def __init__(self, peers: Mapping[str, Address]) -> None:
        self._peers = dict(peers)

    def send(self, peer_ae_title: str, report: CommitmentReport) -> None:
        """See `ports.ReportSender.send`."""
        address = self._peers.get(peer_ae_title)
        if address is None:
            raise NotFound("no peer of this AE title is configured; add it to dimse.peers")
        roles = [build_role(UID(SOP_CLASS), scp_role=True)]
        with associated(address, [proposed_context()], items=roles, hold=False) as assoc:
            if assoc is None:
                raise DeliveryFailed(f"{address.name} takes no storage commitment reports; check it there")
            status, _ = assoc.send_n_event_report(
                report_data_set(report), event_type(report), UID(SOP_CLASS), UID(WELL_KNOWN_INSTANCE)
            )
            code = getattr(status, "Status", None)
        if code is None:
            raise DeliveryFailed(f"{address.name} does not answer the report; it is tried again")
        if code != SUCCESS:
            raise DeliveryFailed(f"{address.name} answers the report: {describe(int(code))}")
