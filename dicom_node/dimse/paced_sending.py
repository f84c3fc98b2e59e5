"""Sending no faster than the peer takes it, so that memory stays bounded.

pynetdicom queues what is sent, without an end: a peer that reads slowly would have all of an answer pile up.
Here a sender waits until the queue is short, woken by the thread that empties it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pynetdicom.pdu_primitives import P_DATA

if TYPE_CHECKING:
    from collections.abc import Iterable

#: PDUs that wait to be sent, at most.
_QUEUED: Final = 16
#: Seconds between two looks whether the association is still there.
_LOOK_S: Final = 0.25
_DATA_TRANSFER: Final = "Sta6"
#: The longest fragment for a peer that takes PDUs of any length, bytes.
_UNLIMITED: Final = 131072
#: PDV header within a P-DATA-TF PDU (PS3.8 §9.3.5.1).
_PDV_OVERHEAD: Final = 6
_COMMAND_PART, _COMMAND_LAST, _DATA_PART, _DATA_LAST = b"\x01", b"\x03", b"\x00", b"\x02"


class AssociationEnded(Exception):
    """The peer ended the association, or wants to: nothing more can be said to it."""


def is_open(assoc: Any) -> bool:
    """Whether messages can still go out."""
    return bool(assoc.dul.state_machine.current_state == _DATA_TRANSFER and assoc.dul.is_alive())


def wait_for_room(assoc: Any) -> None:
    """Return when few PDUs wait to be sent.

    Raises
    ------
    AssociationEnded
    """
    waiting = assoc.dul.to_provider_queue
    while True:
        if not is_open(assoc):
            raise AssociationEnded("the peer ended the association")
        with waiting.not_full:
            if len(waiting.queue) < _QUEUED:
                return
            waiting.not_full.wait(_LOOK_S)


def send_message(assoc: Any, context_id: int, primitive: Any) -> None:
    """Send a DIMSE message once there is room.

    Raises
    ------
    AssociationEnded
    """
    wait_for_room(assoc)
    assoc.dimse.send_msg(primitive, context_id)


def send_streamed(assoc: Any, context_id: int, command: bytes, data_set: Iterable[bytes]) -> None:
    """Send a message whose data set comes in parts.

    Parameters
    ----------
    command
        The encoded command set.
    data_set
        The encoded data set, of even length in all; only a part at a time is in memory.

    Raises
    ------
    AssociationEnded
    OSError, NodeError
        What reading the parts raises; the association is in the middle of a message then.

    References
    ----------
    PS3.8 §E.2.
    """
    limit = int(assoc.dimse.maximum_pdu_size) or _UNLIMITED
    size = max(limit - _PDV_OVERHEAD, _PDV_OVERHEAD)
    for start in range(0, len(command), size):
        last = start + size >= len(command)
        _send(assoc, context_id, _COMMAND_LAST if last else _COMMAND_PART, command[start : start + size])
    held = b""
    for part in data_set:
        whole = memoryview(held + part)
        # The last fragment is marked, so one is always held back.
        end = max(0, (len(whole) - 1) // size * size)
        for start in range(0, end, size):
            _send(assoc, context_id, _DATA_PART, bytes(whole[start : start + size]))
        held = bytes(whole[end:])
    _send(assoc, context_id, _DATA_LAST, held)


def _send(assoc: Any, context_id: int, control: bytes, fragment: bytes) -> None:
    wait_for_room(assoc)
    primitive = P_DATA()
    primitive.presentation_data_value_list = [[context_id, control + fragment]]
    assoc.dul.send_pdu(primitive)
