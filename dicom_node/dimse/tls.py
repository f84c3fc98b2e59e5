"""TLS for associations, in both directions, from files that may be renewed while the node runs."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from dicom_node.dimse.certificate import peer_certificate
from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Literal

log = structlog.get_logger(__name__)

_SERVER = "dimse.tls"
_RECOMMENDED = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
#: Cipher suites for TLS 1.2 by profile, OpenSSL's names, best first; for TLS 1.3 OpenSSL has its own three.
#: Security level 2 refuses RSA keys below 2048 bits, curves below 224 bits and SHA-1 signatures.
PROFILES: Mapping[str, tuple[str, ...]] = {
    # PS3.15 §B.12: BCP 195 with RFC 8996 and RFC 9325; the four suites that RFC 9325 §4.2 recommends.
    "bcp195": _RECOMMENDED,
    # PS3.15 §B.13: the closed list of the modified profile.
    "bcp195-modified": (
        *_RECOMMENDED,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES256-CCM",
        "ECDHE-ECDSA-AES128-CCM",
    ),
    # PS3.15 §B.10 and §B.11, retired: for peers that have only finite-field key exchange.
    "bcp195-nd": (*_RECOMMENDED, "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES128-GCM-SHA256"),
}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where keys and certificates lie, PEM.

    Attributes
    ----------
    certificate
        Ours, with the intermediate ones after it; None for a client that shows none.
    key
        Its private key; None where it stands in the same file.
    key_password
        Gives the key's password.
    authorities
        Certificates that are trusted, roots or the peer's own; None trusts the system's.
    revoked
        Certificate revocation lists; a certificate of an authority without one is refused then.
    profile
        Of `PROFILES`.
    """

    certificate: Path | None = None
    key: Path | None = None
    key_password: Callable[[], str] | None = field(default=None, repr=False)
    authorities: Path | None = None
    revoked: Path | None = None
    profile: str = "bcp195"

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        every = (self.certificate, self.key, self.authorities, self.revoked)
        return tuple(path for path in every if path is not None)


class _Renewed:
    """An SSL context that is made anew when one of its files has changed."""

    def __init__(self, whose: str, files: TlsFiles, finish: Callable[[ssl.SSLContext], None]) -> None:
        self._whose = whose
        self._files = files
        self._finish = finish
        self._lock = threading.Lock()
        self._state = self._look()
        self._context = self._make()

    def current(self) -> ssl.SSLContext:
        """The context for the next connection: what cannot be loaded changes nothing, and is logged once."""
        with self._lock:
            state = self._look()
            if state != self._state:
                self._state = state
                try:
                    self._context = self._make()
                    log.info("tls.renewed", name=self._whose)
                except ConfigurationError as exc:
                    log.error("tls.renewal-failed", name=self._whose, reason=str(exc))
            return self._context

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in self._files.paths)

    def _make(self) -> ssl.SSLContext:
        files, whose = self._files, self._whose
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if whose == _SERVER else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("@SECLEVEL=2:" + ":".join(PROFILES[files.profile]))
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        if files.certificate is not None:
            _load(whose, "certificate and key", files.certificate, lambda: self._load_own(context))
        if files.authorities is not None:
            # A peer's own certificate may stand there instead of its authority's.
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
            path = files.authorities
            _load(whose, "trusted certificates", path, lambda: context.load_verify_locations(path))
        elif whose != _SERVER:
            context.load_default_certs()
        if files.revoked is not None:
            revoked = files.revoked
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
            _load(whose, "revocation lists", revoked, lambda: context.load_verify_locations(revoked))
        self._finish(context)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        files = self._files
        # Without this OpenSSL asks for a password at the terminal.
        password = files.key_password or (lambda: "")
        assert files.certificate is not None  # noqa: S101 - the caller has looked; for the type checker
        context.load_cert_chain(files.certificate, files.key, password)


class TlsServer:
    """Secures connections that peers open.

    Parameters
    ----------
    clients
        Whether callers may (`none`: are not asked to) or must show a certificate of the trusted authorities.
    handshake_s, silence_s
        Seconds for the whole handshake, and without a byte afterwards.

    Raises
    ------
    ConfigurationError
        If a file cannot be loaded.
    """

    def __init__(
        self,
        files: TlsFiles,
        *,
        clients: Literal["none", "optional", "required"] = "none",
        handshake_s: float = 30,
        silence_s: float = 30,
    ) -> None:
        self._verify = {
            "none": ssl.VerifyMode.CERT_NONE,
            "optional": ssl.VerifyMode.CERT_OPTIONAL,
            "required": ssl.VerifyMode.CERT_REQUIRED,
        }[clients]
        self._handshake_s, self._silence_s = handshake_s, silence_s
        self._context = _Renewed(_SERVER, files, self._finish)

    def secure(self, connection: socket.socket) -> socket.socket:
        """Agree on TLS with a caller, and return the secured connection.

        The kernel's timeouts do not end a read of OpenSSL, so that here Python's are set.

        Raises
        ------
        OSError
            If the caller does not agree, or takes too long.
        """
        connection.settimeout(self._handshake_s)
        secured = self._context.current().wrap_socket(connection, server_side=True)
        secured.settimeout(self._silence_s)
        return secured

    def _finish(self, context: ssl.SSLContext) -> None:
        context.verify_mode = self._verify
        # Associations are long: none is resumed.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET


class TlsPeer:
    """`association.TlsClient`: how we speak TLS with one peer.

    Parameters
    ----------
    name
        Its configured name, for logs and errors.
    server_name
        The name that its certificate must have; None takes the host.
    fingerprint
        SHA-256 of the certificate that it must show, 64 lower case hexadecimal digits; where no authorities
        are named, it is trusted for that alone.
    check_name
        Whether the name in the certificate matters; false trusts every certificate of the authorities.

    Raises
    ------
    ConfigurationError
        If a file cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        files: TlsFiles,
        *,
        server_name: str | None = None,
        fingerprint: str | None = None,
        check_name: bool = True,
    ) -> None:
        self._server_name = server_name
        self._fingerprint = fingerprint
        self._pinned_only = fingerprint is not None and files.authorities is None
        self._check_name = check_name and not self._pinned_only
        self._context = _Renewed(f"peer {name}", files, self._finish)

    @property
    def server_name(self) -> str | None:
        """See `association.TlsClient`."""
        return self._server_name

    def context(self) -> ssl.SSLContext:
        """See `association.TlsClient`."""
        return self._context.current()

    def verify(self, connection: ssl.SSLSocket) -> None:
        """Compare the peer's certificate with the fingerprint.

        Raises
        ------
        ssl.SSLCertVerificationError
            If it is another certificate.
        """
        if self._fingerprint is None:
            return
        certificate = peer_certificate(connection)
        if certificate is None or not certificate.has_fingerprint(self._fingerprint):
            problem = ssl.SSLCertVerificationError(1, "the certificate has another fingerprint")
            problem.verify_message = "it has another fingerprint than tls.fingerprint"
            raise problem

    def _finish(self, context: ssl.SSLContext) -> None:
        context.check_hostname = self._check_name
        context.verify_mode = ssl.VerifyMode.CERT_NONE if self._pinned_only else ssl.VerifyMode.CERT_REQUIRED


def _load(whose: str, what: str, path: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as exc:
        why = (exc.reason or "no PEM, or a missing or wrong key password").replace("_", " ")
        raise ConfigurationError(f"{whose}: {what} in {path} cannot be used ({why.lower()})") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or type(exc).__name__
        raise ConfigurationError(f"{whose}: {what} in {path} cannot be read ({reason})") from exc


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def handshake_reason(failure: OSError) -> str:
    """Why no handshake came about, in OpenSSL's words."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return str(failure.verify_message).lower()
    if isinstance(failure, ssl.SSLError):
        return (failure.reason or "the caller hung up").lower().replace("_", " ")
    return "timeout" if isinstance(failure, TimeoutError) else "the caller hung up"
