"""Who may do what: the one place where accounts come in.

Until there are accounts the node listens on loopback only (`auth.mode: none`), and whoever sits at that
machine has every role under the name `local`. A request must come from loopback and name a loopback host:
else a web site that lets its own name point here could read what only this machine may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from fastapi import Depends, Request

from dicom_node.domain.errors import NotAuthorised


class Role(StrEnum):
    """What a person may do beyond reading what is pseudonymous."""

    #: Sees originals in quarantine, releases and deletes them.
    REVIEWER = "reviewer"
    #: Names patients to the node: fetches their studies from an archive.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as the audit log names them."""

    name: str


def requires(role: Role) -> Any:
    """A dependency of a route that only persons with this role may use; it gives the `Person`."""

    def person(request: Request) -> Person:
        client = request.client.host if request.client else ""
        if not (_is_loopback(client) and _is_loopback(request.url.hostname or "")):
            raise NotAuthorised(
                f"this needs the role {role.value}; ask from the node's own machine, by 127.0.0.1"
            )
        return Person("local")

    return Depends(person)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
