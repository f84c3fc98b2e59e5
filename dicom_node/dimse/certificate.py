"""The certificate that a peer showed."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What is compared of a certificate that was verified.

    Attributes
    ----------
    fingerprint
        SHA-256 of its DER form, lower case hexadecimal.
    names
        DNS names, addresses and common names in it, lower case.
    """

    fingerprint: str
    names: frozenset[str]

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether it is the one with this fingerprint; colons, spaces and case do not matter."""
        return hmac.compare_digest(self.fingerprint, plain_fingerprint(fingerprint))

    def has_name(self, name: str) -> bool:
        """Whether a name stands in it, as it is: a wildcard in a certificate names no single peer."""
        return name.lower() in self.names


def plain_fingerprint(text: str) -> str:
    """A fingerprint as 64 lower case hexadecimal digits, from the way openssl prints it.

    Raises
    ------
    ValueError
        If it is none.
    """
    plain = text.rpartition("=")[2].replace(":", "").replace(" ", "").lower()
    if len(plain) != hashlib.sha256().digest_size * 2 or set(plain) - set("0123456789abcdef"):
        raise ValueError(
            "a SHA-256 fingerprint has 64 hexadecimal digits:"
            " `openssl x509 -noout -fingerprint -sha256 -in peer.pem` prints it"
        )
    return plain


def peer_certificate(connection: ssl.SSLSocket) -> PeerCertificate | None:
    """The certificate at the other end; None where the peer showed none."""
    encoded = connection.getpeercert(binary_form=True)
    if encoded is None:
        return None
    # Empty where the certificate was not verified: then its names say nothing.
    decoded = connection.getpeercert() or {}
    names = [str(entry[1]) for entry in _pairs(decoded.get("subjectAltName")) if len(entry) == 2]
    for part in _pairs(decoded.get("subject")):
        names += [str(value) for key, value in part if key == "commonName"]
    return PeerCertificate(hashlib.sha256(encoded).hexdigest(), frozenset(name.lower() for name in names))


def _pairs(value: object) -> tuple[tuple, ...]:  # type: ignore[type-arg] # `ssl` has a type of its own
    return value if isinstance(value, tuple) else ()
