"""Messages of a client as they go over the wire: command sets, and the PDUs that carry them.

References
----------
PS3.7 §6.3.1 (command set), PS3.8 §9.3.5 (P-DATA-TF).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ELEMENT: Final = struct.Struct("<HHL")
_PDV: Final = struct.Struct(">BxLLBB")
#: PDV header (6 bytes) within a P-DATA-TF PDU.
_OVERHEAD: Final = 6
_SMALLEST_PDU: Final = 64
#: Where the peer sets no limit, bytes.
_LONGEST: Final = 1 << 16
_AE_TITLES: Final = frozenset({0x0600, 0x1030})


def command_set(values: Mapping[int, int | str]) -> bytes:
    """Encode a command set.

    Parameters
    ----------
    values
        By element number: unsigned shorts, UIDs and AE titles.
    """
    body = b"".join(_element(number, value) for number, value in sorted(values.items()))
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _element(number: int, value: int | str) -> bytes:
    if isinstance(value, int):
        encoded = struct.pack("<H", value)
    else:
        fill = " " if number in _AE_TITLES else "\0"
        encoded = (value + fill * (len(value) % 2)).encode("ascii")
    return _ELEMENT.pack(0, number, len(encoded)) + encoded


def p_data(context_id: int, data: bytes, *, is_command: bool, max_pdu: int) -> Iterator[bytes]:
    """The P-DATA-TF PDUs of a command set or a data set.

    Parameters
    ----------
    max_pdu
        The longest PDU that the peer takes, bytes; 0 is unlimited.
    """
    size = min(max(max_pdu or _LONGEST, _SMALLEST_PDU), _LONGEST) - _OVERHEAD
    for start in range(0, max(len(data), 1), size):
        part = data[start : start + size]
        control = int(is_command) | (0x02 if start + size >= len(data) else 0)
        yield _PDV.pack(0x04, len(part) + _OVERHEAD, len(part) + 2, context_id, control) + part
