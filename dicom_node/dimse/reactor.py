"""pynetdicom's association threads, driven by events instead of by sleeping.

pynetdicom 3.0 gives each association two threads that poll: each looks for work and sleeps for 1 ms. Every
PDU passes through several queues and is copied at each, and a command set becomes a pydicom data set on the
way in and out. Here the thread that owns the socket waits in `poll` for the socket or for a byte on a wake
pipe, receives P-DATA straight into the instance's memory, and serves C-STORE itself. Negotiation, C-ECHO,
release, abort and every odd PDU still go through pynetdicom's state machine.

What is private to pynetdicom and used here is named in `overridden`; a test fails when the library changes
it.
"""

# ruff: noqa: SLF001 - the private parts of the classes that are extended here

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.dimse.store_exchange import Negotiated, StoreExchange
from dicom_node.dimse.wire import PduReader, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.dimse.service import DimseService
    from dicom_node.dimse.store_exchange import StoreHandler

_PDU_HEADER = struct.Struct(">BxL")
_P_DATA_TF = 0x04
_PDU_TYPES = range(0x01, 0x08)
#: A-ABORT by the service provider, no reason given (PS3.8 §9.3.8).
_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00"
#: No other PDU than P-DATA is longer: an A-ASSOCIATE-RQ with 128 contexts of 60 transfer syntaxes has 0.4 MB.
_MAX_OTHER_PDU = 1 << 20
#: Timers are looked at this often, seconds; everything else wakes the threads.
_TICK_S = 0.25
#: Messages that wait for the association's thread. One may be outstanding (PS3.7 §D.3.3.3); more than a few
#: are a peer that fills the memory.
_MAX_WAITING = 16
#: Requests of our own side (PS3.8 Table 9-2).
_OWN_REQUESTS = frozenset({"Evt7", "Evt8", "Evt9", "Evt11", "Evt14", "Evt15"})
_DATA_TRANSFER = "Sta6"
_CLOSING = "Sta13"


class EventDrivenDul(DULServiceProvider):  # type: ignore[misc] # the library is untyped
    """The upper layer of one accepted association; its thread owns the socket."""

    def __init__(self, assoc: EventDrivenAssociation, store: StoreHandler, limit: int) -> None:
        super().__init__(assoc)
        self.daemon = True
        #: Set when the association's thread has something to look at.
        self.activity = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._reader: PduReader | None = None
        self._exchange = StoreExchange(Negotiated(assoc), assoc.deliver, store, limit)
        #: Whether a PDU is being served, an instance being made durable: then the line is silent, not idle.
        self.is_busy = False

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive for the peer and wake the thread that sends it."""
        super().send_pdu(primitive)
        self._wake()

    def kill_dul(self) -> None:
        """Stop the thread."""
        super().kill_dul()
        self._wake()

    def run_reactor(self) -> None:
        """Serve the socket until the association has ended."""
        self._idle_timer.start()
        self.assoc._dul_ready.set()
        try:
            while not self._kill_thread:
                self._turn()
        except Exception:  # noqa: BLE001 - as in the library: a fault ends this association only
            self._give_up()
        finally:
            self.is_busy = False
            # The association's thread may still wait for a request that will never come.
            self.to_user_queue.put(None)
            self.activity.set()
            self._wake_in.close()
            self._wake_out.close()

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
            self._reader = PduReader(connection)
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


class EventDrivenAssociation(Association):  # type: ignore[misc] # the library is untyped
    """An accepted association whose threads wait instead of polling.

    Parameters
    ----------
    caller
        The other end of its connection, address and port.
    ended
        Called with the caller once its thread is done.

    Attributes
    ----------
    peer
        The configured name of who calls, once it is admitted; empty for one that is no peer.
    services
        What it serves besides Verification and Storage.
    """

    def __init__(
        self,
        ae: Any,
        caller: tuple[str, int],
        store: StoreHandler,
        limit: int,
        ended: Callable[[tuple[str, int]], None],
    ) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._ended = ended
        self.caller = caller
        self.peer = ""
        self.services: tuple[DimseService, ...] = ()
        self.dul = EventDrivenDul(self, store, limit)
        # These setters pass the values on to the timers of the new upper layer.
        self.acse_timeout = ae.acse_timeout
        self.network_timeout = ae.network_timeout

    def run_reactor(self) -> None:
        """Negotiate and serve until the association has ended."""
        try:
            super().run_reactor()
        finally:
            self._ended(self.caller)

    def deliver(self, context_id: int, control: int, data: bytes) -> None:
        """Hand one PDV of another message than C-STORE to pynetdicom.

        Raises
        ------
        ProtocolError
            If it cannot be read, or too many messages wait already.
        """
        primitive = P_DATA()
        primitive.presentation_data_value_list = [[context_id, bytes((control,)) + data]]
        try:
            self.dimse.receive_primitive(primitive)
        except Exception as exc:  # the library's decoders raise anything for odd bytes
            raise ProtocolError("a message cannot be read") from exc
        if self.dimse.msg_queue.qsize() > _MAX_WAITING:
            raise ProtocolError("the peer does not wait for answers")
        self.dul.activity.set()

    def _run_reactor(self) -> None:
        """Serve what is no C-STORE, and end the association when it is time."""
        while not self._kill:
            self.dul.activity.wait(_TICK_S)
            self.dul.activity.clear()
            context_id, message = self.dimse.get_msg(block=False)
            if message is not None:
                self._serve_request(message, context_id)
                self.dul.activity.set()  # another may be there already
            if self.is_established and self.acse.is_release_requested():
                self._answer_release()
            elif self.acse.is_aborted():
                self._note_abort()
            elif not self.dul.is_alive():
                self.kill()
            elif self.dul.idle_timer_expired() and not self.dul.is_busy:
                self.abort()
                self.kill()

    def _serve_request(self, message: Any, context_id: int) -> None:
        """Serve a message that is no C-STORE request: by a service of the node, else by the library."""
        context = self._accepted_cx.get(context_id)
        if context is not None and any(s.serve(self, message, context) for s in self.services):
            self.dul._idle_timer.restart()  # what it did may have taken longer than a silence may
        else:
            super()._serve_request(message, context_id)

    def _answer_release(self) -> None:
        self.acse.send_release(is_response=True)
        self.is_released = True
        self.is_established = False
        evt.trigger(self, evt.EVT_RELEASED, {})
        self.kill()

    def _note_abort(self) -> None:
        self.dul.receive_pdu(wait=False)
        self.is_aborted = True
        self.is_established = False
        evt.trigger(self, evt.EVT_ABORTED, {})
        self.kill()
