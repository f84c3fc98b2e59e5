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
        """Whether it is the one with this fingerprint, 64 lower case hexadecimal digits."""
        return hmac.compare_digest(self.fingerprint, fingerprint)

    def has_name(self, name: str) -> bool:
        """Whether a name stands in it, as it is: a wildcard in a certificate names no single peer."""
        return name.lower() in self.names


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
