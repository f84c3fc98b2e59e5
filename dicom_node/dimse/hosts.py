"""Whether an address is one of those that a peer may call from."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    _Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_RESOLVED_S = 60.0


class Hosts:
    """Compares addresses with addresses, networks and names; a name is looked up again after a minute.

    Parameters
    ----------
    resolve
        The addresses of a name; none where it cannot be resolved.
    clock
        Seconds that never run backwards.
    """

    def __init__(
        self,
        resolve: Callable[[str], frozenset[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve or _resolve
        self._clock = clock
        self._known: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def matches(self, host: str, allowed: Sequence[str]) -> bool:
        """Whether an address is one of `allowed`; always, where that is empty.

        Parameters
        ----------
        host
            The address of a connection; an IPv4 address that is mapped into IPv6 counts as itself.
        allowed
            Addresses, networks (`192.0.2.0/24`) and names.
        """
        if not allowed:
            return True
        address = _address(host)
        return address is not None and any(self._is_at(address, one) for one in allowed)

    def _is_at(self, address: _Address, allowed: str) -> bool:
        try:
            return address in ipaddress.ip_network(allowed, strict=False)
        except ValueError:
            return any(address == _address(found) for found in self._addresses(allowed))

    def _addresses(self, name: str) -> frozenset[str]:
        now = self._clock()
        with self._lock:
            known = self._known.get(name)
        if known is not None and now - known[0] < _RESOLVED_S:
            return known[1]
        found = self._resolve(name)
        with self._lock:
            self._known[name] = now, found
        return found


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _resolve(name: str) -> frozenset[str]:
    try:
        return frozenset(str(entry[4][0]) for entry in socket.getaddrinfo(name, None))
    except OSError:
        return frozenset()
