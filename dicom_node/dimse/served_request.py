"""A request of a peer, while a service of the node answers it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom.uid import UID

from dicom_node.dimse.paced_sending import is_open, send_message
from dicom_node.dimse.statuses import error_comment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pynetdicom.presentation import PresentationContext


class ServedRequest:
    """One DIMSE-C or DIMSE-N request.

    Parameters
    ----------
    assoc, message, context
        See `service.DimseService.serve`.
    """

    def __init__(self, assoc: Any, message: Any, context: PresentationContext) -> None:
        self.assoc = assoc
        self.message = message
        self._context = context
        syntax = UID(str(context.transfer_syntax[0]))
        #: (implicit VR, little endian, deflated) of the data sets.
        self.encoding: tuple[bool, bool, bool] = (
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            syntax.is_deflated,
        )

    @property
    def calling_ae_title(self) -> str:
        """Who asks."""
        return str(self.assoc.requestor.ae_title).strip()

    @property
    def sop_class_uid(self) -> str:
        """The abstract syntax of the presentation context."""
        return str(self._context.abstract_syntax)

    @property
    def context_id(self) -> int:
        """The presentation context."""
        return int(self._context.context_id or 0)

    @property
    def extended(self) -> bytes:
        """What the peer proposed by extended negotiation for this SOP Class; empty for nothing."""
        return bytes(self.assoc.requestor.sop_class_extended.get(UID(self.sop_class_uid), b""))

    @property
    def is_cancelled(self) -> bool:
        """Whether the peer sent a C-CANCEL for it."""
        return self.message.MessageID in self.assoc.dimse.cancel_req

    @property
    def is_connected(self) -> bool:
        """Whether an answer could still be sent."""
        return is_open(self.assoc)

    def respond(
        self,
        status: int,
        comment: str = "",
        identifier: bytes | None = None,
        fields: Mapping[str, int] | None = None,
    ) -> None:
        """Send a response of the same kind as the request.

        Parameters
        ----------
        comment
            Error Comment (0000,0902); holds no identity.
        identifier
            An encoded data set.
        fields
            Further attributes of the response, such as NumberOfCompletedSuboperations.

        Raises
        ------
        AssociationEnded
        """
        response = type(self.message)()
        response.MessageIDBeingRespondedTo = self.message.MessageID
        for keyword in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
            if hasattr(response, keyword):
                requested = keyword.replace("Affected", "Requested")
                value = getattr(self.message, keyword, None) or getattr(self.message, requested, None)
                setattr(response, keyword, value)
        for keyword in ("ActionTypeID", "EventTypeID"):
            if hasattr(response, keyword):
                setattr(response, keyword, getattr(self.message, keyword, None))
        response.Status = status
        if comment:
            response.ErrorComment = error_comment(comment)
        if identifier is not None:
            response.Identifier = BytesIO(identifier)
        for name, value in (fields or {}).items():
            setattr(response, name, value)
        send_message(self.assoc, self.context_id, response)

    def finish(self) -> None:
        """Forget C-CANCEL requests: what they meant has been answered."""
        self.assoc.dimse.cancel_req.clear()
