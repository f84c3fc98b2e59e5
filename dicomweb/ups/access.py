"""Who may reach the worklist: work items name patients, which nothing else in DICOMweb does here.

A web site that lets its own name point to this machine could else read them through a browser on it; the
name in the Host header tells.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dicom_node.domain.errors import NotAuthorised

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import HTTPConnection


def check_host(connection: HTTPConnection, hosts: Collection[str]) -> None:
    """Refuse a request by a name that is neither loopback nor one of `hosts`.

    Raises
    ------
    NotAuthorised
    """
    name = _host(connection)
    if not _is_loopback(name) and name not in {host.lower() for host in hosts}:
        raise NotAuthorised(
            "work items name patients: the worklist answers under loopback names, and those that the setting"
            " worklist.hosts lists"
        )


def _host(connection: HTTPConnection) -> str:
    try:
        return (urlsplit(f"//{connection.headers.get('host', '')}").hostname or "").lower()
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
