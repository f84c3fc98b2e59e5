"""pynetdicom's association threads, driven by events instead of by sleeping.

pynetdicom 3.0 gives each association two threads that poll: each looks for work and sleeps for 1 ms. Every
PDU passes through several queues and is copied at each, and a command set becomes a pydicom data set on the
way in and out. Here the thread that owns the socket (`upper_layer`) waits in `poll` for the socket or for a
byte on a wake pipe, receives P-DATA straight into the instance's memory, and serves C-STORE itself.
Negotiation, C-ECHO, release, abort and every odd PDU still go through pynetdicom's state machine.

What is private to pynetdicom and used here is named in `overridden`; a test fails when the library changes
it.
"""

# ruff: noqa: SLF001 - the private parts of the class that is extended here

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog
from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.dimse.upper_layer import EventDrivenDul
from dicom_node.dimse.wire import ProtocolError
from dicom_node.domain.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from dicom_node.dimse.service import DimseService
    from dicom_node.dimse.statuses import DimseStatus
    from dicom_node.dimse.store_message import StoreRequest
    from dicom_node.dimse.store_service import LargeStore, StoreService

log = structlog.get_logger(__name__)

#: Timers are looked at this often, seconds; everything else wakes the thread.
_TICK_S = 0.25
#: Messages that wait for the association's thread. One may be outstanding (PS3.7 §D.3.3.3); more than a few
#: are a peer that fills the memory.
_MAX_WAITING = 16


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
    pause
        Says for each instance how long it has to wait, seconds.
    """

    def __init__(
        self,
        ae: Any,
        caller: tuple[str, int],
        store: StoreService,
        limit: int,
        pdu_s: float,
        ended: Callable[[tuple[str, int]], None],
    ) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._ended = ended
        self.caller = caller
        self.peer = ""
        self.services: tuple[DimseService, ...] = ()
        self._store_service = store
        self.pause: Callable[[], float] = _no_pause
        self.dul = EventDrivenDul(self, self._store, self._begin, limit, pdu_s)
        # These setters pass the values on to the timers of the new upper layer.
        self.acse_timeout = ae.acse_timeout
        self.network_timeout = ae.network_timeout

    def run_reactor(self) -> None:
        """Negotiate and serve until the association has ended."""
        try:
            super().run_reactor()
        except Exception as exc:  # noqa: BLE001 - the protocol edge: a fault ends this association only
            log.error("association.fault", reason=str(InternalError.of(exc)))
            self.abort(block=False)
            self.kill()
        finally:
            self._ended(self.caller)

    def _store(self, request: StoreRequest, stream: BinaryIO) -> DimseStatus:
        self._wait_its_turn()
        return self._store_service.store(request, stream, self.caller)

    def _begin(self, request: StoreRequest) -> LargeStore:
        self._wait_its_turn()
        return self._store_service.begin(request, self.caller)

    def _wait_its_turn(self) -> None:
        wait = self.pause()
        if wait > 0:
            # The peer waits meanwhile, and sends no more than the connection holds: it is slowed down, not
            # refused.
            time.sleep(wait)

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
        if message.MessageIDBeingRespondedTo is None and not message.is_valid_request:
            # The library says nothing to a request that lacks what it must have: its sender would wait.
            self.abort()
            return
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


def _no_pause() -> float:
    return 0.0
