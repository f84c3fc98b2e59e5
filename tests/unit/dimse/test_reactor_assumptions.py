"""`reactor` replaces private parts of pynetdicom: a changed library must be noticed before it is shipped."""

import pynetdicom
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationServer

from dicom_node.dimse import association_server, reactor, upper_layer
from dicom_node.dimse.overridden import OVERRIDDEN, fingerprints

#: Of pynetdicom 3.0.4. Where one differs: read what changed, adapt `reactor`, run the DIMSE tests, then
#: note the new one here.
KNOWN = {
    "DULServiceProvider.__init__": "c82dafa9438ddf70",
    "DULServiceProvider.run_reactor": "e3a10eb3a0931e48",
    "DULServiceProvider.send_pdu": "7cbce5da8594124e",
    "DULServiceProvider.stop_dul": "28a7e0be126e7b30",
    "DULServiceProvider.kill_dul": "5ceccf8dd01c2072",
    "DULServiceProvider.receive_pdu": "fa67339834ca998c",
    "DULServiceProvider._decode_pdu": "fc71dd1bf853e1ce",
    "DULServiceProvider._is_transport_event": "8725ed03bb8fbdef",
    "DULServiceProvider._process_recv_primitive": "4c0ebbb3e646e35e",
    "DULServiceProvider._read_pdu_data": "19f2d4e38c13c835",
    "DIMSEServiceProvider.receive_primitive": "5f99c86b14a15cef",
    "Association.__init__": "eb07516b8009ad8f",
    "Association.kill": "8f9713666a7f4cff",
    "Association.run_reactor": "ed8bbbe3b3d6ddae",
    "Association._run_reactor": "f28838c5559e462a",
    "Association._abort_blocking": "10b43ef8c63c6764",
    "Association._serve_request": "2f24c1759cdf6c8c",
    "Association.send_c_store": "fa5a8127f349f8e7",
    "ApplicationEntity._create_socket": "f56bca8888e1ce9f",
    "AssociationSocket.__init__": "1f0325fdef2cc353",
    "AssociationSocket.close": "c726c8db53813d55",
    "AssociationSocket.connect": "aeeeae413bd339dc",
    "AssociationSocket.recv": "6bc20a33b1b7cfe7",
    "AssociationSocket._create_socket": "bf8b92b106c8aa07",
    "AssociationSocket._shutdown_socket": "e2b2628faa81a578",
    "RequestHandler.handle": "034823fb4df3a874",
    "RequestHandler._create_association": "05c8d12b79863cdb",
    "AssociationServer.__init__": "edacb98bdfb7b974",
    "AssociationServer.server_bind": "cf69278a05a5c777",
    "AssociationServer.server_close": "3fa1b358badbe682",
    "AssociationServer.process_request": "4fa44ac5b54b4498",
    "ThreadedAssociationServer.process_request_thread": "9e76e9b9c8a3d8b1",
}


def test_the_library_is_the_one_that_the_reactor_was_written_for():
    found = fingerprints()
    changed = [name for name, digest in found.items() if KNOWN.get(name) != digest]

    assert not changed, f"pynetdicom {pynetdicom.__version__} changed {', '.join(changed)}"
    assert set(found) == set(KNOWN)


def test_everything_that_the_reactor_overrides_is_watched():
    watched = {function.__qualname__ for function in OVERRIDDEN}
    for ours, theirs in (
        (upper_layer.EventDrivenDul, DULServiceProvider),
        (reactor.EventDrivenAssociation, Association),
        (association_server.AssociationMaker, AssociationServer),
    ):
        replaced = {name for name in vars(ours) if name in vars(theirs) and callable(vars(ours)[name])}
        assert {f"{theirs.__name__}.{name}" for name in replaced} <= watched
