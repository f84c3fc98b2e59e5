"""C-STORE messages on the wire: command sets, responses, and the File Meta for what was received.

Command sets are Implicit VR Little Endian and have a handful of elements (PS3.7 §9.3.1): they are read and
written here directly, which takes a few microseconds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.dimse.statuses import DimseStatus

C_STORE_RQ = 0x0001
_C_STORE_RSP = 0x8001
_NO_DATA_SET = 0x0101
_ELEMENT = struct.Struct("<HHL")
_US = struct.Struct("<H")
_UL = struct.Struct("<L")
_PDV = struct.Struct(">BxLLBB")
_COMMAND_LAST = 0x03
#: PDV header (6 bytes) within a P-DATA-TF PDU.
_PDV_OVERHEAD = 6
_SMALLEST_PDU = 64


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE-RQ with what was negotiated for it.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid
        As the command claims; identity, never logged.
    abstract_syntax, transfer_syntax_uid
        Of the presentation context.
    """

    message_id: int
    context_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_data_set: bool
    abstract_syntax: str
    transfer_syntax_uid: str
    calling_ae_title: str


def decode_command(encoded: bytes) -> dict[int, bytes]:
    """Split a command set into raw values by element number (group 0000).

    Raises
    ------
    ValueError
        If it is malformed.

    References
    ----------
    PS3.7 §6.3.1.
    """
    values: dict[int, bytes] = {}
    position = 0
    end = len(encoded)
    while position < end:
        if end - position < _ELEMENT.size:
            raise ValueError("a command element is cut off")
        group, element, length = _ELEMENT.unpack_from(encoded, position)
        position += _ELEMENT.size
        if group != 0 or length > end - position:
            raise ValueError("a command element is malformed")
        values[element] = encoded[position : position + length]
        position += length
    return values


def command_field(command: dict[int, bytes]) -> int:
    """The Command Field (0000,0100); raises ValueError where it is absent."""
    return _us(command, 0x0100)


def store_request(
    command: dict[int, bytes],
    *,
    context_id: int,
    abstract_syntax: str,
    transfer_syntax_uid: str,
    calling_ae_title: str,
) -> StoreRequest:
    """Read a C-STORE-RQ.

    Raises
    ------
    ValueError
        If an element that the standard requires is absent.

    References
    ----------
    PS3.7 §9.3.1.1.
    """
    return StoreRequest(
        message_id=_us(command, 0x0110),
        context_id=context_id,
        sop_class_uid=_ui(command, 0x0002),
        sop_instance_uid=_ui(command, 0x1000),
        has_data_set=_us(command, 0x0800) != _NO_DATA_SET,
        abstract_syntax=abstract_syntax,
        transfer_syntax_uid=transfer_syntax_uid,
        calling_ae_title=calling_ae_title,
    )


@dataclass(frozen=True, slots=True)
class Originator:
    """Whose C-MOVE a C-STORE belongs to (PS3.7 §9.1.1.1)."""

    ae_title: str
    message_id: int


def encode_request(
    message_id: int, sop_class_uid: str, sop_instance_uid: str, originator: Originator | None = None
) -> bytes:
    """The command set of a C-STORE-RQ with a data set.

    References
    ----------
    PS3.7 §9.3.1.1.
    """
    elements = [
        _element(0x0002, _padded(sop_class_uid)),
        _element(0x0100, _US.pack(C_STORE_RQ)),
        _element(0x0110, _US.pack(message_id)),
        _element(0x0700, _US.pack(0x0000)),
        _element(0x0800, _US.pack(0x0001)),
        _element(0x1000, _padded(sop_instance_uid)),
    ]
    if originator is not None:
        elements.append(_element(0x1030, _padded(originator.ae_title, " ")))
        elements.append(_element(0x1031, _US.pack(originator.message_id)))
    return _whole(elements)


def encode_response(request: StoreRequest, status: DimseStatus, max_pdu: int) -> bytes:
    """The P-DATA-TF PDUs of a C-STORE-RSP.

    Parameters
    ----------
    max_pdu
        The longest PDU that the peer takes, bytes; 0 is unlimited.

    References
    ----------
    PS3.7 §9.3.1.2, PS3.8 §9.3.5.
    """
    elements = [
        _element(0x0002, _padded(request.sop_class_uid)),
        _element(0x0100, _US.pack(_C_STORE_RSP)),
        _element(0x0120, _US.pack(request.message_id)),
        _element(0x0800, _US.pack(_NO_DATA_SET)),
        _element(0x0900, _US.pack(status.code)),
    ]
    if status.comment:
        elements.append(_element(0x0902, _padded(status.comment, " ")))
    elements.append(_element(0x1000, _padded(request.sop_instance_uid)))
    return b"".join(_fragments(_whole(elements), request.context_id, max_pdu))


def _whole(elements: list[bytes]) -> bytes:
    """A command set with its length."""
    body = b"".join(elements)
    return _element(0x0000, _UL.pack(len(body))) + body


def _fragments(command: bytes, context_id: int, max_pdu: int) -> Iterator[bytes]:
    size = max(max_pdu, _SMALLEST_PDU) - _PDV_OVERHEAD if max_pdu else len(command)
    for start in range(0, len(command), size):
        part = command[start : start + size]
        control = _COMMAND_LAST if start + size >= len(command) else 0x01
        yield _PDV.pack(0x04, len(part) + _PDV_OVERHEAD, len(part) + 2, context_id, control) + part


def _element(number: int, value: bytes) -> bytes:
    return _ELEMENT.pack(0, number, len(value)) + value


def _padded(text: str, fill: str = "\0") -> bytes:
    return (text + fill if len(text) % 2 else text).encode("ascii")


def _us(command: dict[int, bytes], number: int) -> int:
    value = command.get(number, b"")
    if len(value) != _US.size:
        raise ValueError(f"command element (0000,{number:04X}) is missing or malformed")
    return int(_US.unpack(value)[0])


def _ui(command: dict[int, bytes], number: int) -> str:
    value = command.get(number, b"").rstrip(b"\0 ")
    if not value or len(value) > 64:
        raise ValueError(f"command element (0000,{number:04X}) is missing or malformed")
    return value.decode("ascii")  # UnicodeDecodeError is a ValueError


def part10_prefix(request: StoreRequest, implementation_class_uid: str, version_name: str) -> bytes:
    """Preamble, prefix and File Meta Information for the data set of a request.

    References
    ----------
    PS3.10 §7.1.
    """
    meta = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _meta(0x0002, b"UI", _padded(request.sop_class_uid)),
            _meta(0x0003, b"UI", _padded(request.sop_instance_uid)),
            _meta(0x0010, b"UI", _padded(request.transfer_syntax_uid)),
            _meta(0x0012, b"UI", _padded(implementation_class_uid)),
            _meta(0x0013, b"SH", _padded(version_name, " ")),
        )
    )
    return b"".join((bytes(128), b"DICM", _meta(0x0000, b"UL", _UL.pack(len(meta))), meta))


def _meta(number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value
