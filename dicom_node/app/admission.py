"""Who may call the node, how much, and over TLS: from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.peers import build_address
from dicom_node.app.secrets import secret_of
from dicom_node.dimse.admission import Admission, Peer
from dicom_node.dimse.limits import CountedLimits, PeerLimits, TotalLimits
from dicom_node.dimse.scp import ServerTimeouts
from dicom_node.dimse.tls import TlsFiles, TlsServer
from dicom_node.dimse.user_identity import KnownUser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.settings import Settings
    from dicom_node.settings_dimse import DimseSettings, PeerSettings, UserSettings


def check_dimse(settings: Settings) -> None:
    """Look whether certificates, keys and passcodes can be read, those for calling peers too.

    Raises
    ------
    ConfigurationError
        If one cannot; the message names it.
    """
    dimse = settings.dimse
    build_tls(dimse)
    for whose, users in (("dimse", dimse.users), *((f"peer {p.name}", p.users) for p in dimse.peers)):
        for user in _users(whose, users):
            if user.passcode is not None:
                user.passcode()
    for peer in dimse.peers:
        build_address(settings, peer)


def build_admission(dimse: DimseSettings) -> Admission:
    """Who may call; cheap, so that each receiver process has its own."""
    return Admission(
        dimse.ae_title,
        [_peer(peer) for peer in dimse.peers],
        allow_list=dimse.allow_list,
        require_called_ae_title=dimse.require_called_ae_title,
        other_services=frozenset(dimse.other_services),
        users=_users("dimse", dimse.users),
    )


def build_limits(dimse: DimseSettings) -> CountedLimits:
    """What callers may take; one for all receiver processes, in the process that accepts."""
    return CountedLimits(
        TotalLimits(dimse.max_associations, dimse.max_waiting, dimse.max_waiting_per_host),
        {
            peer.name: PeerLimits(
                peer.max_associations, peer.associations_per_minute, peer.instances_per_second
            )
            for peer in dimse.peers
        },
    )


def listening_ports(dimse: DimseSettings) -> dict[str, int]:
    """The ports to listen on, by what is spoken there: `plain`, `tls`."""
    ports = {"plain": dimse.port, "tls": None if dimse.tls is None else dimse.tls.port}
    return {name: port for name, port in ports.items() if port is not None}


def build_timeouts(dimse: DimseSettings) -> ServerTimeouts:
    """How long the server waits for a peer."""
    return ServerTimeouts(dimse.artim_s or dimse.timeout_s, dimse.timeout_s, dimse.pdu_s or dimse.timeout_s)


def build_tls(dimse: DimseSettings) -> TlsServer | None:
    """TLS for callers; None where it is not configured.

    Raises
    ------
    ConfigurationError
        If a certificate or key cannot be loaded.
    """
    tls = dimse.tls
    if tls is None:
        return None
    timeouts = build_timeouts(dimse)
    return TlsServer(
        TlsFiles(
            certificate=tls.certificate_file,
            key=tls.key_file,
            key_password=secret_of(
                "dimse.tls", tls.key_password_file, tls.key_password_variable, setting="dimse.tls"
            ),
            authorities=tls.ca_file,
            revoked=tls.crl_file,
            profile=tls.profile,
        ),
        clients=tls.client_certificates,
        handshake_s=timeouts.artim_s,
        silence_s=timeouts.pdu_s,
    )


def _peer(peer: PeerSettings) -> Peer:
    tls = peer.tls
    return Peer(
        peer.name,
        peer.ae_title,
        peer.host,
        peer.port,
        hosts=peer.hosts,
        services=frozenset(peer.services),
        tls_required=tls is not None and tls.required,
        certificate_fingerprint=None if tls is None else tls.caller_fingerprint,
        certificate_name=None if tls is None else tls.caller_name,
        users=_users(f"peer {peer.name}", peer.users),
    )


def _users(whose: str, users: Sequence[UserSettings]) -> tuple[KnownUser, ...]:
    return tuple(
        KnownUser(user.name, secret_of(whose, user.passcode_file, user.passcode_variable, setting="users"))
        for user in users
    )
