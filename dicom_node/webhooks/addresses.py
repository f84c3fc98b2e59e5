"""Which addresses a webhook may go to: a name in a configuration must not lead to the machine's own metadata.

References
----------
RFC 3927 and RFC 4291 §2.5.6 (link-local); OWASP Server-Side Request Forgery Prevention Cheat Sheet.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from dicom_node.domain.errors import NotificationFailed

#: Metadata services of clouds that lie outside the link-local blocks.
_METADATA: Final = frozenset(
    ipaddress.ip_address(address) for address in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)


def resolve(host: str, port: int, *, link_local: bool) -> str:
    """One address of a host, to connect to as it is: looked up again it might be another.

    Parameters
    ----------
    link_local
        Whether link-local and metadata addresses are allowed.

    Raises
    ------
    NotificationFailed
        If the name is unknown, or any of its addresses is refused.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise NotificationFailed(
            "the host of the url is unknown; check the url, and the name service"
        ) from exc
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not link_local and is_refused(address):
            raise NotificationFailed(
                "the host of the url has a link-local, multicast or metadata address; correct the url, or set"
                " allow_link_local"
            )
    return addresses[0]


def is_refused(address: str) -> bool:
    """Whether no message may go there unless the configuration says so."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is not None and is_refused(str(inner)):
            return True
    return parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified or parsed in _METADATA
