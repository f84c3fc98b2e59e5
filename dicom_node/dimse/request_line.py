"""An association as a client of queries and retrievals uses it: one thread sends, reads and answers.

The library's own threads would read ahead, keep whole instances in memory, and wake up a thousand times a
second. They are stopped once the association is negotiated; the connection goes on here.
"""

# ruff: noqa: SLF001 - what is private to the library and used here is named in `overridden`

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from dicom_node.dimse.association import Timeouts, associated
from dicom_node.dimse.p_data import command_set, p_data
from dicom_node.dimse.response import Response
from dicom_node.dimse.statuses import DimseStatus
from dicom_node.dimse.store_exchange import Negotiated, StoreExchange
from dicom_node.dimse.store_message import decode_command
from dicom_node.dimse.wire import PduReader, ProtocolError
from dicom_node.domain.errors import ArchiveFailed, DeliveryFailed, NodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from dicom_node.dimse.association import Address
    from dicom_node.dimse.store_exchange import BeginLarge, StoreHandler
    from dicom_node.dimse.store_message import StoreRequest

_C_CANCEL_RQ: Final = 0x0FFF
_NO_DATA_SET: Final = b"\x01\x01"
_P_DATA_TF, _RELEASE_RQ, _RELEASE_RP, _ABORT = 0x04, 0x05, 0x06, 0x07
_RELEASE: Final = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
_RELEASED: Final = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"
_ABORTED: Final = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"
_MAX_OTHER_PDU: Final = 1 << 20
#: Seconds between two looks at whether the work is to go on.
_TICK_S: Final = 0.25
#: Seconds that a peer has to end what was cancelled, and to answer a release.
_LEAVE_S: Final = 5.0
#: The most bytes of an instance.
_LIMIT: Final = 1 << 40


class _Asked(Negotiated):
    """What was negotiated, as who asks sees it."""

    def context(self, context_id: int) -> tuple[str, str]:
        """As of the server; archives that send without having answered our role selection are let do."""
        for context in self._assoc.accepted_contexts:
            if context.context_id == context_id:
                return str(context.abstract_syntax), str(context.transfer_syntax[0])
        raise KeyError(context_id)


class RequestLine:
    """The connection of an association that is held still (`association.associated`).

    Parameters
    ----------
    name
        Of the peer, for messages.
    store, begin
        Serve the C-STORE requests that the peer sends over it; see `StoreExchange`.
    """

    def __init__(
        self,
        assoc: Any,
        name: str,
        timeouts: Timeouts,
        store: StoreHandler,
        begin: BeginLarge | None = None,
    ) -> None:
        self._assoc = assoc
        self._name = name
        self._timeouts = timeouts
        self._negotiated = _Asked(assoc)
        assoc.dul.kill_dul()
        assoc.dul.join()
        self._connection = assoc.dul.socket.socket
        self._connection.settimeout(timeouts.network_s)
        self._reader = PduReader(self._connection, timeouts.network_s)
        self._exchange = StoreExchange(self._negotiated, self._deliver, store, _LIMIT, begin)
        self._command: dict[int, bytes] = {}
        self._identifier = bytearray()
        self._responses: deque[Response] = deque()
        self._message_id = 0
        self._is_open = True

    def context(self, sop_class_uid: str) -> Any:
        """The accepted presentation context of a service; `None` where the peer does not offer it."""
        found = (c for c in self._assoc.accepted_contexts if str(c.abstract_syntax) == sop_class_uid)
        return next(found, None)

    def ask(
        self,
        command_field: int,
        context: Any,
        identifier: bytes,
        *,
        tick: Callable[[], object],
        destination: str | None = None,
    ) -> Iterator[Response]:
        """Send a C-FIND, C-GET or C-MOVE request, and give its responses to the last.

        Parameters
        ----------
        tick
            Called every now and then; what it raises ends the request by a C-CANCEL. A value other than
            before counts as a sign of life of the peer.
        destination
            Of a C-MOVE, the AE title that it goes to.

        Raises
        ------
        ArchiveFailed
            If the peer ends the connection, breaks the protocol or does not answer.
        """
        self._message_id += 1
        message_id = self._message_id
        command: dict[int, int | str] = {
            0x0002: str(context.abstract_syntax),
            0x0100: command_field,
            0x0110: message_id,
            0x0700: 0,
            0x0800: 1,
        }
        if destination is not None:
            command[0x0600] = destination
        self._send(context.context_id, command_set(command), is_command=True)
        self._send(context.context_id, identifier, is_command=False)
        try:
            yield from self._until_final(message_id, tick)
        except (NodeError, GeneratorExit):
            raise
        except Exception:
            self._cancel(context.context_id, message_id)
            raise

    def release(self) -> None:
        """End the association in order."""
        if not self._is_open:
            return
        with contextlib.suppress(OSError, ProtocolError, ValueError, KeyError):
            self._connection.settimeout(_LEAVE_S)
            self._connection.sendall(_RELEASE)
            kind, length = self._reader.header()
            while kind not in (_RELEASE_RP, _ABORT):
                self._reader.take(min(length, _MAX_OTHER_PDU))
                kind, length = self._reader.header()
        self._close()

    def abort(self) -> None:
        """End the association at once."""
        if not self._is_open:
            return
        with contextlib.suppress(OSError):
            self._connection.sendall(_ABORTED)
        self._close()

    def _until_final(self, message_id: int, tick: Callable[[], object]) -> Iterator[Response]:
        limit_s = self._timeouts.dimse_s
        seen, deadline = None, time.monotonic() + limit_s
        while True:
            if self._responses:
                response = self._responses.popleft()
                if response.number(0x0120) != message_id:
                    continue
                yield response
                if response.is_final:
                    return
                deadline = time.monotonic() + limit_s
                continue
            sign = tick()
            if self._is_readable(_TICK_S):
                self._read()
                deadline = time.monotonic() + limit_s
            elif sign != seen:
                seen, deadline = sign, time.monotonic() + limit_s
            elif time.monotonic() > deadline:
                raise ArchiveFailed(f"{self._name}: does not answer for {limit_s:g} s; check the archive")

    def _cancel(self, context_id: int, message_id: int) -> None:
        """Ask the peer to stop, and leave in order where it does."""
        command: dict[int, int | str] = {0x0100: _C_CANCEL_RQ, 0x0120: message_id, 0x0800: 0x0101}
        deadline = time.monotonic() + _LEAVE_S
        with contextlib.suppress(NodeError):
            self._send(context_id, command_set(command), is_command=True)
            while time.monotonic() < deadline:
                if self._is_readable(_TICK_S):
                    self._read()
                while self._responses:
                    if self._responses.popleft().is_final:
                        self.release()
                        return

    def _send(self, context_id: int, data: bytes, *, is_command: bool) -> None:
        try:
            for pdu in p_data(context_id, data, is_command=is_command, max_pdu=self._negotiated.max_pdu):
                self._connection.sendall(pdu)
        except OSError as exc:
            raise self._lost() from exc

    def _is_readable(self, seconds: float) -> bool:
        connection = self._connection
        if self._reader.has_ahead or getattr(connection, "pending", int)():
            return True
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _read(self) -> None:
        try:
            kind, length = self._reader.header()
            if kind == _P_DATA_TF:
                self._exchange.read(self._reader, length)
                return
            self._reader.take(min(length, _MAX_OTHER_PDU))
            if kind == _RELEASE_RQ:
                self._connection.sendall(_RELEASED)
        except OSError as exc:
            raise self._lost() from exc
        except (ProtocolError, ValueError, KeyError) as exc:
            raise ArchiveFailed(f"{self._name}: sends what breaks the protocol; check the archive") from exc
        raise self._lost()

    def _lost(self) -> ArchiveFailed:
        return ArchiveFailed(f"{self._name}: ended the association, or broke off; check the archive")

    def _deliver(self, _context_id: int, control: int, data: bytes) -> None:
        if control & 0x01:
            self._command = decode_command(data)
            self._identifier.clear()
            if self._command.get(0x0800) == _NO_DATA_SET:
                self._responses.append(Response(self._command, None))
        else:
            self._identifier += data
            if control & 0x02:
                self._responses.append(Response(self._command, bytes(self._identifier)))
                self._identifier.clear()

    def _close(self) -> None:
        self._is_open = False
        self._exchange.abandon()
        assoc = self._assoc
        assoc.is_established = False
        assoc.is_released = True
        assoc.dul.socket._shutdown_socket()
        # Its thread is held: it finds that there is nothing more to do, and ends.
        assoc._kill = True
        assoc._reactor_checkpoint.set()
        assoc.join(_LEAVE_S)


@contextmanager
def open_line(
    address: Address,
    name: str,
    contexts: Sequence[Any],
    *,
    items: Sequence[Any] = (),
    store: StoreHandler | None = None,
    begin: BeginLarge | None = None,
) -> Iterator[RequestLine | None]:
    """Open an association to an archive; `None` where it takes none of the contexts.

    An exception inside aborts it.

    Raises
    ------
    ArchiveFailed
        If the archive is not there, or refuses.
    """
    try:
        with associated(address, contexts, items=items) as assoc:
            if assoc is None:
                yield None
                return
            line = RequestLine(
                assoc, name, address.timeouts or Timeouts.all(address.timeout_s), store or _refuse, begin
            )
            try:
                yield line
            except BaseException:
                line.abort()
                raise
            line.release()
    except DeliveryFailed as exc:
        raise ArchiveFailed(f"{name}: {exc}") from exc


def _refuse(_request: StoreRequest, _stream: BinaryIO) -> DimseStatus:
    return DimseStatus(0x0122, "nothing was asked for")
