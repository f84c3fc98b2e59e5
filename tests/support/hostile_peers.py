"""Peers that misbehave, by what they do: each is a function of a connection to a node."""

import contextlib
import io
import socket
import struct
import time

from dimse_objects import make_instance, part10
from pdu_streams import associate_request
from pydicom.uid import CTImageStorage

from dicom_node.pipeline.header import scan

A_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"
#: Contexts of `pdu_streams.associate_request`.
ECHO, CT = 1, 3
COMMAND, COMMAND_LAST, DATA, DATA_LAST = 1, 3, 0, 2
_RESET = struct.pack("ii", 1, 0)


def pdv(context_id, control, body, length=None):
    """A presentation data value; `length` says something else than it has."""
    size = len(body) + 2 if length is None else length
    return struct.pack(">LBB", size & 0xFFFFFFFF, context_id, control) + body


def p_data(*pdvs, length=None):
    """A P-DATA-TF PDU; `length` says something else than it has."""
    body = b"".join(pdvs)
    return struct.pack(">BxL", 4, (len(body) if length is None else length) & 0xFFFFFFFF) + body


def element(number, value, length=None, group=0):
    return struct.pack("<HHL", group, number, (len(value) if length is None else length) & 0xFFFFFFFF) + value


def us(value):
    return struct.pack("<H", value)


def ui(text):
    return text.encode() + b"\0" * (len(text) % 2)


class HostilePeer:
    """A connection, and an instance that is not to be stored by it.

    Parameters
    ----------
    called
        The AE title of the node.
    """

    def __init__(self, port, called, rows=64):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.called = called
        self.instance = make_instance(rows=rows)
        data = part10(self.instance)
        self.encoded = data[scan(io.BytesIO(data)).dataset_offset :]

    def send(self, *data):
        """Send; a node may have hung up already."""
        with contextlib.suppress(OSError):
            self.socket.sendall(b"".join(data))

    def associate(self):
        self.send(associate_request(self.called, "HOSTILE"))
        kind, _ = self.read()
        assert kind == 0x02, f"PDU type {kind}"

    def read(self):
        """(type, body) of the next PDU; (None, b"") where the connection ended."""
        try:
            header = self.socket.recv(6, socket.MSG_WAITALL)
            if len(header) < 6:
                return None, b""
            kind, length = struct.unpack(">BxL", header)
            return kind, self.socket.recv(length, socket.MSG_WAITALL)
        except ConnectionError:
            return None, b""

    def rest(self):
        """Types of the PDUs until the connection ends or the association does."""
        kinds = []
        while True:
            kind, _ = self.read()
            if kind is None:
                return kinds
            kinds.append(kind)
            if kind in (0x03, 0x06, 0x07):
                return kinds

    def status(self):
        """The status of the next response; `None` where the association ends instead."""
        kind, body = self.read()
        if kind != 0x04:
            return None
        values, position = {}, 6
        while position < len(body):
            _, number, length = struct.unpack_from("<HHL", body, position)
            values[number] = body[position + 8 : position + 8 + length]
            position += 8 + length
        return struct.unpack("<H", values[0x0900])[0]

    def elements(self, **changes):
        """The elements of a C-STORE-RQ by name; `None` takes one away."""
        found = {
            "sop_class": element(0x0002, ui(CTImageStorage)),
            "field": element(0x0100, us(0x0001)),
            "message_id": element(0x0110, us(1)),
            "priority": element(0x0700, us(0)),
            "data_set": element(0x0800, us(0)),
            "sop_instance": element(0x1000, ui(self.instance.SOPInstanceUID)),
        }
        return b"".join(value for value in {**found, **changes}.values() if value is not None)

    def command(self, **changes):
        return p_data(pdv(CT, COMMAND_LAST, self.elements(**changes)))

    def data(self, size=16000):
        """The data set in PDUs."""
        parts = [self.encoded[start : start + size] for start in range(0, len(self.encoded), size)]
        last = len(parts) - 1
        return [p_data(pdv(CT, DATA_LAST if n == last else DATA, part)) for n, part in enumerate(parts)]

    def reset(self):
        """Close with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()

    def close(self):
        self.socket.close()


def conversation(peer):
    """The PDUs of a good peer that stores an instance."""
    return [associate_request(peer.called, "HOSTILE"), peer.command(), *peer.data(4000)]


#: Where a conversation is cut: before the association, and after so many bytes of what follows.
_CUTS = {
    "before the first byte": lambda peer: [],
    "in the first header": lambda peer: [associate_request(peer.called, "HOSTILE")[:3]],
    "in the association request": lambda peer: [associate_request(peer.called, "HOSTILE")[:150]],
    "after the association request": lambda peer: [associate_request(peer.called, "HOSTILE")],
}
_CUTS_WITHIN = {
    "after the association": lambda peer: b"",
    "in the header of the command": lambda peer: peer.command()[:4],
    "in the command": lambda peer: peer.command()[:40],
    "after the command": lambda peer: peer.command(),
    "in a data PDU's header": lambda peer: peer.command() + peer.data()[0][:8],
    "in the data set": lambda peer: peer.command() + b"".join(peer.data(4000))[:5000],
    "before the last fragment": lambda peer: peer.command() + b"".join(peer.data(4000)[:-1]),
    "before the last byte": lambda peer: peer.command() + b"".join(peer.data())[:-1],
    "after the last byte": lambda peer: peer.command() + b"".join(peer.data()),
}


#: Between two PDUs, so that what follows is not taken for the rest of one.
_BETWEEN = (
    "before the first byte",
    "after the association request",
    "after the association",
    "after the command",
    "before the last fragment",
    "after the last byte",
)


def places(way=None):
    """Names of the places where a conversation may be cut, in a way of `EXITS`."""
    return _BETWEEN if way == "aborts" else (*_CUTS, *_CUTS_WITHIN)


def come_to(peer, place):
    """Send as much as comes before a place."""
    if place in _CUTS:
        peer.send(*_CUTS[place](peer))
    else:
        peer.associate()
        peer.send(_CUTS_WITHIN[place](peer))


def _closes(peer):
    peer.close()


def _resets(peer):
    peer.reset()


def _aborts(peer):
    peer.send(A_ABORT)
    peer.close()


def _ends_its_side(peer):
    with contextlib.suppress(OSError):
        peer.socket.shutdown(socket.SHUT_WR)
    peer.rest()


#: How a peer goes away in the middle.
EXITS = {"closes": _closes, "resets": _resets, "aborts": _aborts, "ends its side": _ends_its_side}


def wait_for_the_end(peer, limit_s):
    """Wait until the node hangs up on a peer that says nothing more."""
    peer.socket.settimeout(limit_s)
    deadline = time.monotonic() + limit_s
    try:
        while peer.socket.recv(65536):
            assert time.monotonic() < deadline
    except ConnectionError:
        pass
    finally:
        peer.close()
