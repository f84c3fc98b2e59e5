"""Who may open an association, and for which services: the decision, apart from counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.dimse.hosts import Hosts
from dicom_node.dimse.user_identity import known_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.dimse.certificate import PeerCertificate
    from dicom_node.dimse.user_identity import Identity, KnownUser

#: What a peer may be allowed; Verification always is.
SERVICES = frozenset({"store", "query", "retrieve", "commitment"})
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ.

    Attributes
    ----------
    outcome
        For metrics and logs.
    security
        Whether somebody tried what is not allowed, which is audited; false for what is only too much.

    References
    ----------
    PS3.8 §9.3.4.
    """

    outcome: str
    result: int
    source: int
    reason: int
    security: bool = True

    @property
    def fields(self) -> tuple[int, int, int]:
        """(Result, Source, Reason/Diag.)."""
        return self.result, self.source, self.reason


_PERMANENT, _TRANSIENT = 1, 2
_USER, _ACSE, _PRESENTATION = 1, 2, 3
WRONG_CONTEXT = Rejection("rejected-application-context", _PERMANENT, _USER, 2, security=False)
UNKNOWN_CALLER = Rejection("rejected-calling-ae-title", _PERMANENT, _USER, 3)
WRONG_HOST = Rejection("rejected-host", _PERMANENT, _USER, 3)
WRONG_CERTIFICATE = Rejection("rejected-certificate", _PERMANENT, _USER, 3)
NOT_SECURED = Rejection("rejected-without-tls", _PERMANENT, _USER, 1)
WRONG_CALLED = Rejection("rejected-called-ae-title", _PERMANENT, _USER, 7, security=False)
WRONG_IDENTITY = Rejection("rejected-user-identity", _PERMANENT, _ACSE, 1)
LIMITS = {
    "total": Rejection("rejected-limit", _TRANSIENT, _PRESENTATION, 2, security=False),
    "peer": Rejection("rejected-peer-limit", _TRANSIENT, _PRESENTATION, 2, security=False),
    "rate": Rejection("rejected-rate", _TRANSIENT, _PRESENTATION, 1, security=False),
}


@dataclass(frozen=True, slots=True)
class Request:
    """An association request, as far as it decides about admission.

    Attributes
    ----------
    host
        The address that it comes from.
    is_secured
        Whether it came over TLS.
    certificate
        What the caller showed, verified; None without one.
    """

    calling_ae_title: str
    called_ae_title: str
    host: str
    is_secured: bool = False
    certificate: PeerCertificate | None = None
    identity: Identity | None = None
    application_context: str = APPLICATION_CONTEXT


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM peer by its configured name, and what it may do here.

    Attributes
    ----------
    hosts
        Where it may call from: addresses, networks (`192.0.2.0/24`) or names; empty is anywhere.
    services
        Of `SERVICES`.
    tls_required
        Whether it is refused without TLS.
    certificate_fingerprint, certificate_name
        The certificate that it must show, by the SHA-256 of its DER form, in hexadecimal, or by a DNS name,
        address or common name in it.
    users
        The users of whom it must show one; empty takes the server's.
    """

    name: str
    ae_title: str
    host: str
    port: int
    hosts: tuple[str, ...] = ()
    services: frozenset[str] = SERVICES
    tls_required: bool = False
    certificate_fingerprint: str | None = None
    certificate_name: str | None = None
    users: tuple[KnownUser, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller that may open an association.

    Attributes
    ----------
    peer
        Its configured name; empty for one that is no peer.
    confirm_user
        Whether it asked to be told that its user identity was taken.
    """

    peer: str
    services: frozenset[str]
    user: str | None = None


class Admission:
    """Decides about association requests.

    Parameters
    ----------
    ae_title
        Ours.
    peers
        Whom we know. Two may share an AE title, where they call from different hosts.
    allow_list
        Whether others are rejected.
    require_called_ae_title
        Whether who calls another AE title is rejected.
    other_services
        What callers may do that are no peers.
    users
        Of whom callers must show one; empty asks nobody.
    """

    def __init__(
        self,
        ae_title: str,
        peers: Sequence[Peer] = (),
        *,
        allow_list: bool = False,
        require_called_ae_title: bool = False,
        other_services: frozenset[str] = frozenset({"store"}),
        users: Sequence[KnownUser] = (),
        hosts: Hosts | None = None,
    ) -> None:
        self._ae_title = ae_title.strip()
        self._peers = tuple(peers)
        self._allow_list = allow_list
        self._require_called = require_called_ae_title
        self._other_services = other_services
        self._users = tuple(users)
        self._hosts = hosts or Hosts()

    def judge(self, request: Request) -> Admitted | Rejection:
        """Whether a caller may open an association; never raises."""
        if request.application_context != APPLICATION_CONTEXT:
            return WRONG_CONTEXT
        if self._require_called and request.called_ae_title.strip() != self._ae_title:
            return WRONG_CALLED
        calling = request.calling_ae_title.strip()
        named = [peer for peer in self._peers if peer.ae_title.strip() == calling]
        if not named:
            if self._allow_list:
                return UNKNOWN_CALLER
            return self._identified("", self._other_services, self._users, request)
        here = [peer for peer in named if self._hosts.matches(request.host, peer.hosts)]
        if not here:
            return WRONG_HOST
        peer = next((peer for peer in here if _certificate_fits(peer, request.certificate)), None)
        if peer is None:
            return WRONG_CERTIFICATE if request.is_secured else NOT_SECURED
        if peer.tls_required and not request.is_secured:
            return NOT_SECURED
        return self._identified(peer.name, peer.services, peer.users or self._users, request)

    @staticmethod
    def _identified(
        peer: str, services: frozenset[str], users: Sequence[KnownUser], request: Request
    ) -> Admitted | Rejection:
        if not users:
            # Nobody is asked: what is shown is neither checked nor confirmed (PS3.7 §D.3.3.7.3).
            return Admitted(peer, services)
        user = None if request.identity is None else known_user(users, request.identity)
        return WRONG_IDENTITY if user is None else Admitted(peer, services, user)


def _certificate_fits(peer: Peer, certificate: PeerCertificate | None) -> bool:
    if peer.certificate_fingerprint is None and peer.certificate_name is None:
        return True
    if certificate is None:
        return False
    if peer.certificate_fingerprint is not None and not certificate.has_fingerprint(
        peer.certificate_fingerprint
    ):
        return False
    return peer.certificate_name is None or certificate.has_name(peer.certificate_name)
