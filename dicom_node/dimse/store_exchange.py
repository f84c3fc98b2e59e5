"""One association's P-DATA: put C-STORE requests together, have them stored, answer them."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from dicom_node.dimse.data_set_buffer import DataSetBuffer
from dicom_node.dimse.statuses import TOO_LARGE, DimseStatus
from dicom_node.dimse.store_message import (
    C_STORE_RQ,
    command_field,
    decode_command,
    encode_response,
    part10_prefix,
    store_request,
)
from dicom_node.dimse.wire import ProtocolError
from dicom_node.pipeline.spooled import new_digest

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable
    from typing import BinaryIO

    from dicom_node.dimse.store_message import StoreRequest
    from dicom_node.dimse.store_service import LargeStore
    from dicom_node.dimse.wire import PduReader

    StoreHandler = Callable[[StoreRequest, BinaryIO], DimseStatus]
    BeginLarge = Callable[[StoreRequest], LargeStore]

_PDV_HEADER = struct.Struct(">LBB")
_IS_COMMAND = 0x01
_IS_LAST = 0x02
_MAX_COMMAND = 1 << 16
#: Of another message than C-STORE, whose data set pynetdicom keeps in memory: an N-ACTION that asks for the
#: commitment of 100,000 instances has about 12 MB.
_MAX_OTHER_DATA_SET = 16 << 20
_PART = 1 << 20
#: An instance with more bytes is stored while it arrives.
LARGE = 2 << 20


class Negotiated:
    """What was negotiated for an association, read once it is needed."""

    def __init__(self, assoc: Any) -> None:
        self._assoc = assoc

    def context(self, context_id: int) -> tuple[str, str]:
        """(abstract syntax, transfer syntax) of an accepted context in which we are SCP.

        Raises
        ------
        KeyError
            If the context was not accepted, or for the other role.
        """
        for context in self._assoc.accepted_contexts:
            if context.context_id == context_id and context.as_scp:
                return str(context.abstract_syntax), str(context.transfer_syntax[0])
        raise KeyError(context_id)

    @cached_property
    def calling_ae_title(self) -> str:
        """Who sends."""
        return str(self._assoc.requestor.ae_title).strip()

    @cached_property
    def max_pdu(self) -> int:
        """The longest PDU that the peer takes, bytes; 0 is unlimited."""
        return int(self._assoc.dimse.maximum_pdu_size)

    @cached_property
    def implementation(self) -> tuple[str, str]:
        """(class UID, version name) for File Meta."""
        ae = self._assoc.ae
        return str(ae.implementation_class_uid), str(ae.implementation_version_name)


class StoreExchange:
    """Reads P-DATA-TF PDUs from the socket, and serves the C-STORE requests in them.

    Parameters
    ----------
    deliver
        Takes the PDVs of other messages: context id, control header, data.
    store
        Called with each complete request and its Part 10 stream; never raises.
    limit
        The most bytes of an instance.
    begin
        Takes an instance of more than `LARGE` bytes part by part; `None`: all are held in memory.
    """

    def __init__(
        self,
        negotiated: Negotiated,
        deliver: Callable[[int, int, bytes], None],
        store: StoreHandler,
        limit: int,
        begin: BeginLarge | None = None,
    ) -> None:
        self._negotiated = negotiated
        self._deliver = deliver
        self._store = store
        self._begin_large = begin
        self._large: LargeStore | None = None
        self._buffer = DataSetBuffer(limit)
        self._command = bytearray()
        self._command_context = 0
        self._request: StoreRequest | None = None
        self._digest: hashlib._Hash | None = None
        self._passing_on = False
        self._passed_on = 0

    @property
    def is_receiving(self) -> bool:
        """Whether a C-STORE has begun and its data set is not complete: more PDUs must follow."""
        return self._request is not None

    def abandon(self) -> None:
        """Leave nothing of an instance that has not come whole: the association has ended."""
        large, self._large = self._large, None
        if large is not None:
            large.abandon()

    def read(self, reader: PduReader, length: int) -> None:
        """Read the PDVs of one PDU.

        Parameters
        ----------
        length
            Of the PDU's variable field, bytes.

        Raises
        ------
        OSError
            If the connection ends.
        ProtocolError, ValueError, KeyError
            If the PDU or the command in it is malformed, or names no accepted context.

        References
        ----------
        PS3.8 §9.3.5, §E.2.
        """
        while length:
            if length < _PDV_HEADER.size:
                raise ProtocolError("a PDV is cut off")
            size, context_id, control = _PDV_HEADER.unpack(reader.take(_PDV_HEADER.size))
            length -= size + 4
            if size < 2 or length < 0:
                raise ProtocolError("a PDV has a wrong length")
            self._read_fragment(reader, context_id, control, size - 2)

    def _read_fragment(self, reader: PduReader, context_id: int, control: int, size: int) -> None:
        if control & _IS_COMMAND:
            self._read_command(reader, context_id, control, size)
        elif self._request is not None:
            if context_id != self._request.context_id:
                raise ProtocolError("fragments of two messages are mixed")
            self._read_data(reader, size)
            if control & _IS_LAST:
                self._complete(reader, self._request)
        elif self._passing_on and self._passed_on + size <= _MAX_OTHER_DATA_SET:
            self._passed_on += size
            self._passing_on = not control & _IS_LAST
            self._deliver(context_id, control, reader.take(size))
        else:
            raise ProtocolError("a data fragment belongs to no message")

    def _read_data(self, reader: PduReader, size: int) -> None:
        # In parts: memory grows with what was received, not with what a peer says that it will send.
        while size:
            part = min(size, _PART)
            with self._buffer.reserve(part) as view:
                reader.fill(view)
                if self._digest is not None:
                    # Here, while the next bytes are on their way: the sender waits for what is done later.
                    self._digest.update(view)
            size -= part
            if self._buffer.overflowed:
                self.abandon()
            elif self._buffer.used >= (LARGE if self._large is None else _PART):
                self._hand_over()

    def _hand_over(self) -> None:
        """Pass on what has come of a large instance; it is out of memory then."""
        if self._begin_large is None or self._request is None:
            return
        if self._large is None:
            self._large = self._begin_large(self._request)
            self._digest = None  # it computes its own
        with self._buffer.view() as view:
            self._large.write(view)
        self._buffer.empty()

    def _read_command(self, reader: PduReader, context_id: int, control: int, size: int) -> None:
        if self._request is not None or self._passing_on or len(self._command) + size > _MAX_COMMAND:
            raise ProtocolError("a command stands where data must")
        if self._command and context_id != self._command_context:
            raise ProtocolError("fragments of two messages are mixed")
        self._command_context = context_id
        self._command += reader.take(size)
        if not control & _IS_LAST:
            return
        encoded = bytes(self._command)
        self._command.clear()
        command = decode_command(encoded)
        if command_field(command) == C_STORE_RQ:
            self._begin(reader, context_id, command)
        else:
            self._passing_on = command.get(0x0800) != b"\x01\x01"
            self._passed_on = 0
            self._deliver(context_id, control, encoded)

    def _begin(self, reader: PduReader, context_id: int, command: dict[int, bytes]) -> None:
        abstract_syntax, transfer_syntax_uid = self._negotiated.context(context_id)
        request = store_request(
            command,
            context_id=context_id,
            abstract_syntax=abstract_syntax,
            transfer_syntax_uid=transfer_syntax_uid,
            calling_ae_title=self._negotiated.calling_ae_title,
        )
        self._buffer.start(part10_prefix(request, *self._negotiated.implementation))
        self._request = request
        self._digest = new_digest(transfer_syntax_uid)
        if not request.has_data_set:
            self._complete(reader, request)

    def _complete(self, reader: PduReader, request: StoreRequest) -> None:
        self._request = None
        large, self._large = self._large, None
        if self._buffer.overflowed:
            status = DimseStatus(TOO_LARGE, "the instance is larger than this node takes")
        elif large is not None:
            with self._buffer.view() as view:
                large.write(view)
            status = large.complete()
        else:
            digest = None if self._digest is None else self._digest.hexdigest()
            with self._buffer.stream(digest) as stream:
                status = self._store(request, cast("BinaryIO", stream))
        reader.send(encode_response(request, status, self._negotiated.max_pdu))
