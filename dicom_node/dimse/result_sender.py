"""Results to a destination by C-STORE."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pynetdicom.sop_class import Verification

from dicom_node.dimse.association import associated
from dicom_node.dimse.contexts import Proposal, propose, verification_context
from dicom_node.dimse.encoded_store import choose_context, encoded_data_set, send_encoded
from dicom_node.dimse.statuses import SUCCESS, describe, is_stored, may_pass
from dicom_node.domain.delivery import SendReport
from dicom_node.domain.errors import DeliveryFailed, NodeError
from dicom_node.pipeline.header import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dicom_node.dimse.association import Address
    from dicom_node.domain.delivery import OutgoingObject
    from dicom_node.domain.destination import Destination

#: The peer has an instance of this UID already: an answer of ours got lost, or the node was killed before it
#: could note it.
_DUPLICATE = 0x0111
_NO_CONTEXT = (
    f"{describe(0x0122)}: the peer takes neither its SOP Class in its transfer syntax nor another way"
)


def _nobody(_uid: str, _reason: str | None) -> None:
    return None


class DimseSender:
    """`ports.ResultSender` by C-STORE.

    An object is sent in the best of its transfer syntaxes that the peer takes. A warning status counts as
    taken (PS3.4 Table B.2-1), and so does a duplicate: result UIDs stand for the same bytes always.
    """

    def __init__(self, destination: Destination, address: Address) -> None:
        self._destination = destination
        self._address = address

    @property
    def destination(self) -> Destination:
        """Where to."""
        return self._destination

    def send(
        self, objects: Sequence[OutgoingObject], told: Callable[[str, str | None], None] = _nobody
    ) -> SendReport:
        """See `ports.ResultSender.send`.

        Raises
        ------
        DeliveryFailed
            If the peer is not there, refuses the association, or ends it before all is sent.
        """
        failures: dict[str, str] = {}
        passing: set[str] = set()
        left = list(objects)
        for proposal in propose((o.sop_class_uid, uid) for o in objects for uid in o.transfer_syntaxes):
            lot = [o for o in left if (o.sop_class_uid, o.transfer_syntaxes[0]) in proposal.pairs]
            left = [o for o in left if (o.sop_class_uid, o.transfer_syntaxes[0]) not in proposal.pairs]
            for outgoing, code, reason in self._send_lot(proposal, lot):
                if reason is not None:
                    failures[outgoing.sop_instance_uid] = reason
                    if may_pass(code):
                        passing.add(outgoing.sop_instance_uid)
                told(outgoing.sop_instance_uid, reason)
        return SendReport(failures, frozenset(passing))

    def probe(self) -> None:
        """Verify the peer by C-ECHO; one that takes the association without Verification is there, too.

        Raises
        ------
        DeliveryFailed
            If it is not there, refuses, or answers another status than success.
        """
        with associated(self._address, [verification_context()]) as assoc:
            offered = assoc is not None and any(
                context.abstract_syntax == Verification for context in assoc.accepted_contexts
            )
            status = assoc.send_c_echo() if offered else None
        if offered and getattr(status, "Status", None) != SUCCESS:
            raise DeliveryFailed(f"{self._address.name} does not answer C-ECHO with success")

    def _send_lot(
        self, proposal: Proposal, lot: Sequence[OutgoingObject]
    ) -> Iterator[tuple[OutgoingObject, int, str | None]]:
        """Each object with its status and the reason, where the peer did not take it."""
        with associated(self._address, list(proposal.contexts)) as assoc:
            for number, outgoing in enumerate(lot):
                if assoc is None:
                    yield outgoing, 0x0122, _NO_CONTEXT
                else:
                    yield outgoing, *self._send_one(assoc, outgoing, number)

    def _send_one(self, assoc: Any, outgoing: OutgoingObject, number: int) -> tuple[int, str | None]:
        accepted = assoc.accepted_contexts
        sop_class = outgoing.sop_class_uid
        wanted = (uid for uid in outgoing.transfer_syntaxes if choose_context(accepted, sop_class, uid))
        transfer_syntax_uid = next(wanted, None)
        if transfer_syntax_uid is None:
            return 0x0122, _NO_CONTEXT
        part10 = outgoing.load(transfer_syntax_uid)
        try:
            scanned = scan(io.BytesIO(part10))
        except NodeError as exc:
            return 0xC000, f"not sent: {exc}"
        stored_as = scanned.header.transfer_syntax_uid
        context = choose_context(accepted, sop_class, stored_as)
        if context is None:
            return 0x0122, _NO_CONTEXT
        try:
            encoded = encoded_data_set(
                part10, scanned.dataset_offset, stored_as, str(context.transfer_syntax[0])
            )
        except Exception:  # noqa: BLE001 - pydicom raises anything for odd values, and quotes them
            return 0xC000, "not sent: the data set cannot be converted to what the peer takes"
        del part10
        try:
            code = send_encoded(
                assoc,
                context,
                message_id=number % 65535 + 1,
                sop_class_uid=sop_class,
                sop_instance_uid=outgoing.sop_instance_uid,
                encoded=encoded,
            )
        except DeliveryFailed as exc:
            raise DeliveryFailed(f"{self._address.name}: {exc}") from exc
        taken = is_stored(code) or code == _DUPLICATE
        return code, None if taken else f"status {describe(code)}"
