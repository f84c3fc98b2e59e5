"""pynetdicom's upper layer of one connection, driven by events instead of by sleeping; see `reactor`."""

# ruff: noqa: SLF001 - the private parts of the class that is extended here; see `overridden`

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError

from dicom_node.dimse.store_exchange import Negotiated, StoreExchange
from dicom_node.dimse.wire import PduReader, ProtocolError

if TYPE_CHECKING:
    from dicom_node.dimse.store_exchange import BeginLarge, StoreHandler

_PDU_HEADER = struct.Struct(">BxL")
_P_DATA_TF = 0x04
_PDU_TYPES = range(0x01, 0x08)
#: A-ABORT by the service provider, no reason given (PS3.8 §9.3.8).
_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00"
#: No other PDU than P-DATA is longer: an A-ASSOCIATE-RQ with 128 contexts of 60 transfer syntaxes has 0.4 MB.
_MAX_OTHER_PDU = 1 << 20
#: Timers are looked at this often, seconds; everything else wakes the thread.
_TICK_S = 0.25
#: Requests of our own side (PS3.8 Table 9-2).
_OWN_REQUESTS = frozenset({"Evt7", "Evt8", "Evt9", "Evt11", "Evt14", "Evt15"})
_DATA_TRANSFER = "Sta6"
_CLOSING = "Sta13"


class EventDrivenDul(DULServiceProvider):  # type: ignore[misc] # the library is untyped
    """The upper layer of one accepted association; its thread owns the socket."""

    def __init__(self, assoc: Any, store: StoreHandler, begin: BeginLarge, limit: int, pdu_s: float) -> None:
        super().__init__(assoc)
        self._pdu_s = pdu_s
        self.daemon = True
        #: Set when the association's thread has something to look at.
        self.activity = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._reader: PduReader | None = None
        self._exchange = StoreExchange(Negotiated(assoc), assoc.deliver, store, limit, begin)
        #: Whether a PDU is being served, an instance being made durable: then the line is silent, not idle.
        self.is_busy = False

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive for the peer and wake the thread that sends it."""
        super().send_pdu(primitive)
        self._wake()

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:
        """See the library; hang up on a peer whose request does not come in time.

        The thread that owns the socket may still read a request that arrives byte by byte.
        """
        primitive = super().receive_pdu(wait, timeout)
        if wait and primitive is None:
            connection = self._connection()
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        return primitive

    def kill_dul(self) -> None:
        """Stop the thread."""
        super().kill_dul()
        self._wake()

    def run_reactor(self) -> None:
        """Serve the socket until the association has ended."""
        connection = self._connection()
        self._idle_timer.start()
        self.assoc._dul_ready.set()
        try:
            while not self._kill_thread:
                self._turn()
        except Exception:  # noqa: BLE001 - as in the library: a fault ends this association only
            self._give_up()
        finally:
            self._exchange.abandon()
            self.is_busy = False
            # The association's thread may still wait for a request that will never come.
            self.to_user_queue.put(None)
            self.activity.set()
            self._wake_in.close()
            self._wake_out.close()
            # The library leaves a socket open whose peer is gone already.
            if connection is not None:
                connection.close()

    def _turn(self) -> None:
        if self.artim_timer.expired:
            self.event_queue.put("Evt18")
        elif self.event_queue.empty() and not self._process_recv_primitive():
            if self.state_machine.current_state == _CLOSING:
                self._is_transport_event()
            elif self._wait_for_data():
                self.is_busy = True
                self._read_pdu_data()
                self._idle_timer.restart()
                self.is_busy = False
        try:
            event = self.event_queue.get(block=False)
        except queue.Empty:
            return
        try:
            self.state_machine.do_action(event)
        except InvalidEventError:
            if event not in _OWN_REQUESTS:
                raise
            # It crossed with what ended the association, so there is nobody left to send it to.
            self.to_provider_queue.get(block=False)
        self.activity.set()

    def _wait_for_data(self) -> bool:
        """Wait for the socket, the wake pipe or the next look at the timers; True where there is data."""
        connection = self._connection()
        if connection is None:
            self.event_queue.put("Evt17")
            return False
        if self._reader is not None and self._reader.has_ahead:
            return True
        if getattr(connection, "pending", int)():  # TLS: decrypted already, so poll would not see it
            return True
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(self._wake_in, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(_TICK_S * 1000)}
        if self._wake_in.fileno() in ready:
            self._wake_in.recv(4096)
        return connection.fileno() in ready

    def _connection(self) -> socket.socket | None:
        wrapped = self.socket
        connection: socket.socket | None = None if wrapped is None else wrapped.socket
        return None if connection is None or connection.fileno() < 0 else connection

    def _read_pdu_data(self) -> None:
        """Read one PDU, and all that follow while an instance is arriving, and queue its event."""
        try:
            while True:
                reader = self._open_reader()
                kind, length = reader.header()
                if kind != _P_DATA_TF or self.state_machine.current_state != _DATA_TRANSFER:
                    self._read_other_pdu(reader, kind, length)
                    return
                self._exchange.read(reader, length)
                if not self._exchange.is_receiving:
                    return
        except OSError:
            self.event_queue.put("Evt17")  # transport connection closed, or silent for too long
        except (ProtocolError, ValueError, KeyError):
            self.event_queue.put("Evt19")  # invalid PDU

    def _open_reader(self) -> PduReader:
        if self._reader is None:
            connection = self._connection()
            if connection is None:
                raise ConnectionError
            self._reader = PduReader(connection, self._pdu_s)
        return self._reader

    def _read_other_pdu(self, reader: PduReader, kind: int, length: int) -> None:
        if kind not in _PDU_TYPES or length > _MAX_OTHER_PDU:
            raise ProtocolError
        body = reader.take(length)
        try:
            pdu, event = self._decode_pdu(bytearray(_PDU_HEADER.pack(kind, length) + body))
            pdu.to_primitive()  # what cannot be converted must not reach the state machine
        except Exception as exc:  # the library's decoders raise anything for odd bytes
            raise ProtocolError from exc
        self.event_queue.put(event)
        self._recv_pdu.put(pdu)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the thread has ended
            self._wake_out.send(b"\0")

    def _give_up(self) -> None:
        self.assoc.is_aborted = True
        self.assoc.is_established = False
        self.assoc._kill = True
        self._kill_thread = True
        connection = self._connection()
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.sendall(_ABORT)
            connection.close()
