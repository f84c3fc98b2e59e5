"""What a peer answers: C-ECHO, and which services it would take from us."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_node.dimse.association import associated
from dicom_node.dimse.contexts import verification_context
from dicom_node.dimse.statuses import SUCCESS, describe
from dicom_node.domain.errors import DeliveryFailed

if TYPE_CHECKING:
    from dicom_node.dimse.association import Address

#: What stands for a service in the answer.
_SERVICES = {
    str(CTImageStorage): "C-STORE",
    str(StudyRootQueryRetrieveInformationModelFind): "C-FIND",
    str(StudyRootQueryRetrieveInformationModelMove): "C-MOVE",
    str(StudyRootQueryRetrieveInformationModelGet): "C-GET",
    str(StorageCommitmentPushModel): "storage commitment",
}


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """A peer that answered.

    Attributes
    ----------
    services
        Which of C-STORE (of CT images), C-FIND, C-MOVE, C-GET and storage commitment it would take.
    security
        The version of TLS and the cipher suite; None without TLS.
    elapsed_ms
        For connection, negotiation and C-ECHO.
    """

    services: tuple[str, ...]
    security: str | None
    elapsed_ms: float


def probe(address: Address) -> PeerAnswer:
    """Call a peer, verify it by C-ECHO, and see what it would take; nothing is sent or asked of it.

    Raises
    ------
    DeliveryFailed
        If it is not there, refuses, or answers another status than success; the message says what to do.
    """
    started = time.monotonic()
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    contexts = [verification_context(), *(build_context(uid, syntaxes) for uid in _SERVICES)]
    with associated(address, contexts) as assoc:
        taken = set() if assoc is None else {str(cx.abstract_syntax) for cx in assoc.accepted_contexts}
        security = None if assoc is None else _security(assoc)
        verified = str(contexts[0].abstract_syntax) in taken
        status = assoc.send_c_echo() if verified else None
    code = getattr(status, "Status", None)
    if code != SUCCESS:
        raise DeliveryFailed(f"{address.name} {_complaint(code, verified=verified)}")
    return PeerAnswer(
        tuple(name for uid, name in _SERVICES.items() if uid in taken),
        security,
        (time.monotonic() - started) * 1000,
    )


def _complaint(code: int | None, *, verified: bool) -> str:
    if not verified:
        return "takes our association, but no C-ECHO: allow Verification there"
    if code is None:
        return "takes our association, but does not answer the C-ECHO: check the peer"
    return f"answers the C-ECHO with {describe(code)}: check the peer"


def _security(assoc: Any) -> str | None:
    connection = assoc.ae.opened.socket
    if not isinstance(connection, ssl.SSLSocket):
        return None
    cipher = connection.cipher()
    return f"{connection.version()} {'' if cipher is None else cipher[0]}".strip()
