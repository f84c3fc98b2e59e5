"""The private parts of pynetdicom that the node replaces or calls, so that a change is noticed.

`association_server` and `reactor` (serving), `encoded_store`, `held_reactor` and `sending_entity` (sending),
`request_line` (asking) and `closing_socket` rely on them.
"""

# ruff: noqa: SLF001 - naming the private parts is the point

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING, Any

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import (
    AssociationServer,
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OVERRIDDEN: tuple[Callable[..., Any], ...] = (
    DULServiceProvider.__init__,
    DULServiceProvider.run_reactor,
    DULServiceProvider.send_pdu,
    DULServiceProvider.stop_dul,
    DULServiceProvider.kill_dul,
    DULServiceProvider.receive_pdu,
    DULServiceProvider._decode_pdu,
    DULServiceProvider._is_transport_event,
    DULServiceProvider._process_recv_primitive,
    DULServiceProvider._read_pdu_data,
    DIMSEServiceProvider.receive_primitive,
    Association.__init__,
    Association.kill,
    Association.run_reactor,
    Association._run_reactor,
    Association._abort_blocking,
    Association._serve_request,
    Association.send_c_store,
    ApplicationEntity._create_socket,
    AssociationSocket.__init__,
    AssociationSocket.close,
    AssociationSocket.connect,
    AssociationSocket.recv,
    AssociationSocket._create_socket,
    AssociationSocket._shutdown_socket,
    RequestHandler.handle,
    RequestHandler._create_association,
    AssociationServer.__init__,
    AssociationServer.server_bind,
    AssociationServer.server_close,
    AssociationServer.process_request,
    ThreadedAssociationServer.process_request_thread,
)


def fingerprints() -> dict[str, str]:
    """The first 16 hexadecimal digits of the SHA-256 of each function's source, by qualified name."""
    return {
        function.__qualname__: hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]
        for function in OVERRIDDEN
    }
