"""Associations that the node opens: with TLS and an identity where the peer wants them."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pynetdicom import evt

from dicom_node.dimse.held_reactor import hold_reactor
from dicom_node.dimse.library import keep_library_quiet
from dicom_node.dimse.sending_entity import SendingEntity
from dicom_node.domain.errors import DeliveryFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dicom_node.dimse.user_identity import UserIdentity

_HINTS = {
    (1, 3): "the peer does not know our AE title {calling}: have it added there",
    (1, 7): "the peer has another AE title than {called}: mend ae_title",
    (2, 1): "the peer may want a user identity, or refuse ours: check user there and here",
    (3, 1): "the peer is busy: it is tried again",
    (3, 2): "the peer has too many associations: it is tried again",
}


class TlsClient(Protocol):
    """How to speak TLS with a peer."""

    @property
    def server_name(self) -> str | None:
        """Whose certificate is expected, and the name that is asked for; None takes the host."""

    def context(self) -> ssl.SSLContext:
        """The settings of the next connection."""

    def verify(self, connection: ssl.SSLSocket) -> None:
        """Look at the peer's certificate after the handshake; raises OSError where it is a wrong one."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, seconds.

    Attributes
    ----------
    connect_s
        For the connection, and again for the TLS handshake.
    acse_s
        For the answer to the association request, and to the release.
    dimse_s
        For the answer to a message.
    network_s
        For the next bytes within a PDU, and for any message while nothing is asked.
    """

    connect_s: float = 30
    acse_s: float = 30
    dimse_s: float = 30
    network_s: float = 30

    @classmethod
    def all(cls, seconds: float) -> Timeouts:
        """The same for each."""
        return cls(seconds, seconds, seconds, seconds)


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to call, as whom, and how.

    Attributes
    ----------
    timeout_s
        Seconds for the connection, for an answer, and for silence, where `timeouts` says nothing.
    max_pdu
        The longest PDU that the peer may send, bytes.
    """

    host: str
    port: int
    ae_title: str
    calling_ae_title: str = "DICOMNODE"
    timeout_s: float = 30
    timeouts: Timeouts | None = None
    tls: TlsClient | None = None
    identity: UserIdentity | None = None
    max_pdu: int = 131072

    @property
    def name(self) -> str:
        """For messages, as `AE@host:port`."""
        return f"{self.ae_title}@{self.host}:{self.port}"


@contextmanager
def associated(
    address: Address,
    contexts: Sequence[Any],
    *,
    items: Sequence[Any] = (),
    handlers: Sequence[tuple[Any, Callable[..., Any]]] = (),
    hold: bool = True,
) -> Iterator[Any]:
    """Open an association, and release it at the end; yields None where the peer takes none of the contexts.

    An exception inside aborts it.

    Parameters
    ----------
    contexts
        Presentation contexts to propose, 1 to 128.
    items
        Extended negotiation items to propose, such as roles.
    handlers
        (pynetdicom event, handler) pairs, for requests that the peer sends over this association.
    hold
        Whether the library's own thread is held still between the messages that we send (`held_reactor`);
        False where the peer may send requests between them.

    Raises
    ------
    DeliveryFailed
        If the peer is not there, is not the one that its certificate must name, or refuses.
    """
    assoc = _request(address, contexts, items, handlers)
    if assoc is None:
        yield None
        return
    if hold:
        hold_reactor(assoc)
    try:
        yield assoc
        if assoc.is_established:
            assoc.release()
    except BaseException:
        if assoc.is_established:
            assoc.abort()
        raise
    finally:
        assoc.ae.opened.discard()


def _request(
    address: Address,
    contexts: Sequence[Any],
    items: Sequence[Any],
    handlers: Sequence[tuple[Any, Callable[..., Any]]],
) -> Any:
    """The established association; None where it has no context."""
    keep_library_quiet()
    tls, identity = address.tls, address.identity
    timeouts = address.timeouts or Timeouts.all(address.timeout_s)
    entity = SendingEntity(address.calling_ae_title, None if tls is None else tls.verify)
    entity.connection_timeout = timeouts.connect_s
    entity.acse_timeout = timeouts.acse_s
    entity.dimse_timeout = timeouts.dimse_s
    entity.network_timeout = timeouts.network_s
    answers: list[str] = []
    try:
        assoc = entity.associate(
            address.host,
            address.port,
            contexts=list(contexts),
            ae_title=address.ae_title,
            max_pdu=address.max_pdu,
            ext_neg=[*items, *([] if identity is None else [identity.item()])],
            tls_args=None if tls is None else (tls.context(), tls.server_name or address.host),
            evt_handlers=[
                *handlers,
                (evt.EVT_ACSE_RECV, lambda event: answers.append(type(event.primitive).__name__)),
            ],
        )
    except OSError as exc:
        raise DeliveryFailed(f"{address.name} cannot be reached; check host and network") from exc
    if not assoc.is_established:
        opened = entity.opened
        if opened is not None:
            opened.discard()
        if assoc.rejected_contexts and not assoc.is_rejected:
            return None
        failure = None if opened is None else opened.failure
        raise DeliveryFailed(
            f"{address.name} {_refusal(address, assoc, failure, answers, timeouts)}"
        ) from failure
    if identity is not None and identity.confirmed and assoc.acceptor.user_identity is None:
        assoc.abort()
        assoc.ae.opened.discard()
        raise DeliveryFailed(
            f"{address.name} does not confirm our user identity; set user.confirmed to false to send without"
        )
    return assoc


def _refusal(
    address: Address, assoc: Any, failure: OSError | None, answers: list[str], timeouts: Timeouts
) -> str:
    if assoc.is_rejected:
        primitive = assoc.acceptor.primitive
        why = str(getattr(primitive, "reason_str", "no reason given")).lower()
        hint = _HINTS.get(
            (primitive.result_source, primitive.diagnostic), "check AE titles and allow lists on both sides"
        ).format(calling=address.calling_ae_title, called=address.ae_title)
        return f"rejects the association ({why}); {hint}"
    if failure is not None:
        return _no_connection(failure, timeouts)
    if "A_ABORT" in answers or "A_P_ABORT" in answers:
        return "ends the connection; check that its port is a DICOM port, and whether it wants TLS"
    return f"does not answer the association request within {timeouts.acse_s:g} s; check the peer"


def _no_connection(failure: OSError, timeouts: Timeouts) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        why = failure.verify_message.rstrip(".")
        return f"has a certificate that is not trusted ({why}); check tls.ca_file and tls.server_name"
    if isinstance(failure, ssl.SSLError):
        why = (failure.reason or "no TLS there").lower().replace("_", " ")
        return f"does not agree on TLS ({why}); check its port, its TLS profile and our certificate"
    if isinstance(failure, TimeoutError):
        return f"does not answer within {timeouts.connect_s:g} s; check host, network and firewall"
    return "does not answer; check that the peer runs and listens there"
