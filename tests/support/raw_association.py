"""An association made of hand-written PDUs, for peers that behave as no library would."""

import socket
import struct

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

A_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"


def _padded(text):
    return (text + "\0" * (len(text) % 2)).encode()


def _element(number, value):
    return struct.pack("<HHL", 0, number, len(value)) + value


def _request(called, calling, abstract_syntax, transfer_syntax):
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title = calling
    primitive.called_ae_title = called
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [length, implementation]
    context = build_context(abstract_syntax, transfer_syntax)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    return A_ASSOCIATE_RQ(primitive).encode()


def pdu(control, body):
    """A P-DATA-TF PDU with one PDV in context 1."""
    return struct.pack(">BxLLBB", 4, len(body) + 6, len(body) + 2, 1, control) + body


def store_command(sop_class, sop_instance, *, data_set=True):
    """The command PDU of a C-STORE."""
    return pdu(
        3,
        b"".join(
            (
                _element(0x0002, _padded(sop_class)),
                _element(0x0100, b"\x01\x00"),
                _element(0x0110, b"\x01\x00"),
                _element(0x0700, b"\x00\x00"),
                _element(0x0800, b"\x00\x00" if data_set else b"\x01\x01"),
                _element(0x1000, _padded(sop_instance)),
            )
        ),
    )


class RawAssociation:
    """An established association with one context."""

    def __init__(
        self,
        port,
        called="NODE",
        calling="RAW",
        abstract_syntax=CTImageStorage,
        transfer_syntax=ExplicitVRLittleEndian,
    ):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        try:
            self.socket.sendall(_request(called, calling, abstract_syntax, transfer_syntax))
            kind, body = self.read()
            assert kind == 0x02, body
        except BaseException:
            self.close()
            raise
        self.context_result = body[body.index(b"\x21\x00", 68) + 6]

    def read(self):
        """(type, body) of the next PDU."""
        kind, length = struct.unpack(">BxL", self._take(6))
        return kind, self._take(length)

    def _take(self, count):
        data = self.socket.recv(count, socket.MSG_WAITALL)
        if len(data) < count:
            raise ConnectionError("the node closed the connection")
        return data

    def store(self, encoded, sop_class, sop_instance):
        """(status, error comment) for an encoded data set."""
        self.socket.sendall(store_command(sop_class, sop_instance) + pdu(2, encoded))
        return self.response()

    def response(self):
        kind, body = self.read()
        assert kind == 0x04, f"PDU type {kind:#04x}"
        values = {}
        position = 6
        while position < len(body):
            _group, number, length = struct.unpack_from("<HHL", body, position)
            values[number] = body[position + 8 : position + 8 + length]
            position += 8 + length
        return struct.unpack("<H", values[0x0900])[0], values.get(0x0902, b"").decode().strip()

    def close(self):
        self.socket.close()
