"""What hostile peers do, by name: each is a function of a `HostilePeer`."""

import contextlib
import random
import socket
import struct

from hostile_peers import (
    A_ABORT,
    COMMAND,
    COMMAND_LAST,
    CT,
    DATA,
    DATA_LAST,
    ECHO,
    conversation,
    element,
    p_data,
    pdv,
    ui,
    us,
)
from pdu_streams import associate_request, echo, release
from pydicom.uid import CTImageStorage
from pynetdicom.sop_class import Verification


def _sends(*makers):
    """Associates and sends what each maker gives; the node must end the association."""

    def attack(peer):
        peer.associate()
        for maker in makers:
            peer.send(maker(peer) if callable(maker) else maker)
        with contextlib.suppress(OSError):
            peer.socket.shutdown(socket.SHUT_WR)
        kinds = peer.rest()
        assert kinds[-1:] in ([0x07], []), kinds

    return attack


def _begins_with(data):
    def attack(peer):
        peer.send(data)
        with contextlib.suppress(OSError):
            peer.socket.shutdown(socket.SHUT_WR)
        assert 0x02 not in peer.rest()

    return attack


def _is_refused(maker):
    """The node answers with a failure, or ends the association."""

    def attack(peer):
        peer.associate()
        peer.send(maker(peer))
        assert peer.status() not in (0x0000, 0xB000, 0xB006, 0xB007)

    return attack


def _asks(number, **changes):
    """A request of another service on the storage context."""
    return _is_refused(
        lambda peer: (
            peer.command(field=element(0x0100, us(number)), **changes)
            + p_data(pdv(CT, DATA_LAST, b"\x08\x00\x18\x00UI\x04\x001.2\0"))
        )
    )


def _byte_by_byte(peer):
    first, *others = conversation(peer)
    for part in (first, b"".join(others)[:300]):
        for number in range(len(part)):
            peer.send(part[number : number + 1])
        if part is first:
            assert peer.read()[0] == 0x02
    peer.close()


def _thousand_connections(peer):
    address = peer.socket.getpeername()
    peer.close()
    for _ in range(20):
        opened = []
        for _ in range(50):
            with contextlib.suppress(OSError):
                opened.append(socket.create_connection(address, timeout=5))
        for connection in opened:
            connection.close()


def _many_messages_in_one_pdu(peer):
    peer.associate()
    body = echo()[6:]
    peer.send(p_data(*[body] * 200))
    peer.close()


def _never_reads(peer):
    peer.associate()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    peer.socket.settimeout(1)
    with contextlib.suppress(OSError):
        for _ in range(400):
            peer.socket.sendall(peer.command(data_set=element(0x0800, us(0x0101))) * 50)
    peer.close()


_NOISE = random.Random(1).randbytes(4096)
_HTTP = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(193)
_UNKNOWN_PDU = struct.pack(">BxL", 0x09, 4) + b"1234"

#: What a peer does, by name.
ATTACKS = {
    "HTTP": _begins_with(_HTTP),
    "a TLS client hello": _begins_with(_CLIENT_HELLO),
    "an SSH banner": _begins_with(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "noise": _begins_with(_NOISE),
    "zeros": _begins_with(bytes(4096)),
    "a DICOM file": _begins_with(bytes(128) + b"DICM" + bytes(100)),
    "a release first": _begins_with(release()),
    "an abort first": _begins_with(A_ABORT),
    "data first": _begins_with(echo()),
    "an acceptance first": _begins_with(b"\x02" + associate_request()[1:]),
    "a request with a huge length": _begins_with(b"\x01\x00\xff\xff\xff\xff" + bytes(100)),
    "a context without an abstract syntax": _begins_with(
        associate_request().replace(
            b"0\x00\x00\x19" + CTImageStorage.encode(), b"P\x00\x00\x19" + CTImageStorage.encode()
        )
    ),
    "a request with no length": _begins_with(b"\x01\x00\x00\x00\x00\x00"),
    "a PDU without a length": _sends(p_data(length=0)),
    "a PDU of 4 GiB": _sends(p_data(length=-1), _NOISE),
    "a PDU of 2 GiB": _sends(p_data(length=0x80000000), _NOISE),
    "a PDU that is too short for a PDV": _sends(p_data(b"\0\0\0", length=3)),
    "a PDV of no length": _sends(p_data(pdv(CT, COMMAND_LAST, b"", length=0))),
    "a PDV of one byte": _sends(p_data(pdv(CT, COMMAND_LAST, b"", length=1))),
    "a PDV longer than its PDU": _sends(p_data(pdv(CT, COMMAND_LAST, b"1234", length=600))),
    "a PDV of 4 GiB": _sends(p_data(pdv(CT, COMMAND_LAST, b"1234", length=-1))),
    "a PDV of 4 GiB in a PDU of 4 GiB": _sends(
        lambda peer: peer.command(), p_data(pdv(CT, DATA, b"", length=-5), length=-1), _NOISE
    ),
    "an unknown PDU": _sends(_UNKNOWN_PDU),
    "PDU type 0": _sends(struct.pack(">BxL", 0, 4) + b"1234"),
    "PDU type 255": _sends(struct.pack(">BxL", 255, 4) + b"1234"),
    "a second association request": _sends(associate_request()),
    "an acceptance": _sends(b"\x02" + associate_request()[1:]),
    "a rejection": _sends(b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x01"),
    "a release response": _sends(b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
    "an unknown context": _sends(lambda peer: p_data(pdv(77, COMMAND_LAST, peer.elements()))),
    "an even context": _sends(lambda peer: p_data(pdv(2, COMMAND_LAST, peer.elements()))),
    "context 0": _sends(lambda peer: p_data(pdv(0, COMMAND_LAST, peer.elements()))),
    "odd control bits": _sends(lambda peer: p_data(pdv(CT, 0xFC, peer.elements()))),
    "data without a command": _sends(lambda peer: peer.data()[0]),
    "a second command within a data set": _sends(
        lambda peer: peer.command() + peer.data(4000)[0] + peer.command()
    ),
    "data of another context": _sends(
        lambda peer: peer.command(), lambda peer: p_data(pdv(ECHO, DATA_LAST, peer.encoded))
    ),
    "a command over two contexts": _sends(
        lambda peer: p_data(
            pdv(CT, COMMAND, peer.elements()[:40]), pdv(ECHO, COMMAND_LAST, peer.elements()[40:])
        )
    ),
    "a command without a command field": _sends(lambda peer: peer.command(field=None)),
    "a command without a message id": _sends(lambda peer: peer.command(message_id=None)),
    "a command without a SOP Class": _sends(lambda peer: peer.command(sop_class=None)),
    "a command without a SOP Instance": _sends(lambda peer: peer.command(sop_instance=None)),
    "a command that does not say whether data follow": _sends(lambda peer: peer.command(data_set=None)),
    "a command with a UID of 70 characters": _sends(
        lambda peer: peer.command(sop_instance=element(0x1000, b"1." + b"2" * 68))
    ),
    "a command with a UID of no ASCII": _sends(
        lambda peer: peer.command(sop_instance=element(0x1000, b"1.\xff\xfe"))
    ),
    "a command element past the end": _sends(
        lambda peer: peer.command(sop_instance=element(0x1000, b"1.2", length=400))
    ),
    "a command element of 4 GiB": _sends(
        lambda peer: peer.command(sop_instance=element(0x1000, b"1.2", length=-1))
    ),
    "a command with data elements": _sends(
        lambda peer: peer.command(priority=element(0x0010, b"Canary^Patient", group=0x0010))
    ),
    "a command of 100 kB": _sends(lambda peer: peer.command(priority=element(0x0902, b"x" * 100_000))),
    "a command without an end": _sends(lambda peer: p_data(pdv(CT, COMMAND, b"x" * 4000)) * 30),
    "an empty command": _sends(p_data(pdv(CT, COMMAND_LAST, b""))),
    "a data set without an end": _sends(
        lambda peer: peer.command(), lambda peer: p_data(pdv(CT, DATA, peer.encoded))
    ),
    "an empty data set": _is_refused(lambda peer: peer.command() + p_data(pdv(CT, DATA_LAST, b""))),
    "a cut data set": _is_refused(
        lambda peer: peer.command() + p_data(pdv(CT, DATA_LAST, peer.encoded[:-50]))
    ),
    "a data set with a wrong length": _is_refused(
        lambda peer: (
            peer.command()
            + p_data(pdv(CT, DATA_LAST, peer.encoded.replace(b"CS\x02\x00CT", b"CS\xff\xffCT")))
        )
    ),
    "a data set that the command denies": _sends(
        lambda peer: peer.command(data_set=element(0x0800, us(0x0101))), lambda peer: peer.data()[0]
    ),
    "noise as a data set": _is_refused(lambda peer: peer.command() + p_data(pdv(CT, DATA_LAST, _NOISE))),
    "a C-STORE on the verification context": _is_refused(
        lambda peer: p_data(pdv(ECHO, COMMAND_LAST, peer.elements()), pdv(ECHO, DATA_LAST, peer.encoded))
    ),
    "a C-STORE of another SOP Class": _is_refused(
        lambda peer: peer.command(sop_class=element(0x0002, ui(Verification))) + b"".join(peer.data())
    ),
    "a C-STORE response": _sends(
        lambda peer: peer.command(field=element(0x0100, us(0x8001)), data_set=element(0x0800, us(0x0101)))
    ),
    "C-FIND on a storage context": _asks(0x0020),
    "C-GET on a storage context": _asks(0x0010),
    "C-MOVE on a storage context": _asks(0x0021),
    "N-ACTION on a storage context": _asks(0x0130),
    "N-CREATE on a storage context": _asks(0x0140),
    "N-DELETE on a storage context": _asks(0x0150),
    "N-EVENT-REPORT on a storage context": _asks(0x0100),
    "N-GET on a storage context": _asks(0x0110),
    "N-SET on a storage context": _asks(0x0120),
    "an unknown command": _asks(0x0777),
    "one byte at a time": _byte_by_byte,
    "a thousand connections": _thousand_connections,
    "200 messages in one PDU": _many_messages_in_one_pdu,
    "requests, and answers never read": _never_reads,
}
