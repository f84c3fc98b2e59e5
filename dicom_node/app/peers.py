"""How the node calls its DICOM peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.secrets import secret_of
from dicom_node.dimse.association import Address
from dicom_node.dimse.tls import TlsFiles, TlsPeer
from dicom_node.dimse.user_identity import UserIdentity
from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from dicom_node.settings_dimse import PeerSettings, ShownUserSettings


def find_peer(settings: Settings, name: str) -> PeerSettings:
    """A peer by its configured name.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    for peer in settings.dimse.peers:
        if peer.name == name:
            return peer
    known = ", ".join(sorted(peer.name for peer in settings.dimse.peers)) or "none"
    raise ConfigurationError(f"peer {name!r} is not in dimse.peers (known: {known})")


def build_address(settings: Settings, peer: PeerSettings) -> Address:
    """Whom to call, as whom, and how.

    Raises
    ------
    ConfigurationError
        If a certificate, a key or a passcode cannot be read.
    """
    return Address(
        peer.host,
        peer.port,
        peer.ae_title,
        settings.dimse.ae_title,
        timeout_s=peer.timeout_s or settings.dimse.timeout_s,
        tls=_tls(settings, peer),
        identity=None if peer.user is None else _identity(peer.name, peer.user),
    )


def _identity(peer: str, user: ShownUserSettings) -> UserIdentity:
    passcode = secret_of(f"peer {peer}", user.passcode_file, user.passcode_variable, setting="user")
    return UserIdentity(user.name, None if passcode is None else passcode(), confirmed=user.confirmed)


def _tls(settings: Settings, peer: PeerSettings) -> TlsPeer | None:
    """What the peer's own settings say, with the node's own certificate where they name none."""
    asked, own = peer.tls, settings.dimse.tls
    if asked is None or not asked.enabled:
        return None
    shown = asked if asked.certificate_file is not None or own is None else own
    files = TlsFiles(
        certificate=shown.certificate_file,
        key=shown.key_file,
        key_password=secret_of(
            f"peer {peer.name}", shown.key_password_file, shown.key_password_variable, setting="tls"
        ),
        authorities=asked.ca_file,
        revoked=asked.crl_file,
        profile=asked.profile,
    )
    return TlsPeer(
        peer.name,
        files,
        server_name=asked.server_name,
        fingerprint=asked.fingerprint,
        check_name=asked.check_name,
    )
