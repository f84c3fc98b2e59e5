"""Requests that are served without a network: what a service answers is kept."""

import queue
from io import BytesIO
from types import SimpleNamespace

from pydicom.uid import UID
from pynetdicom import build_context


class Association:
    """As much of an accepted association as a service needs.

    Parameters
    ----------
    extended
        Service-class-application-information that the peer proposed, by SOP Class UID.
    """

    def __init__(self, extended=None):
        self.responses = []
        self.requestor = SimpleNamespace(
            ae_title="PEER", sop_class_extended={UID(uid): info for uid, info in (extended or {}).items()}
        )
        self.accepted_contexts = []
        self.is_established = True
        self.dimse = SimpleNamespace(cancel_req={}, send_msg=self._send, maximum_pdu_size=16384)
        self.dul = SimpleNamespace(
            state_machine=SimpleNamespace(current_state="Sta6"),
            to_provider_queue=queue.Queue(),
            is_alive=lambda: True,
        )

    def _send(self, primitive, _context_id):
        self.responses.append((primitive.Status, primitive.ErrorComment or ""))

    def serve(self, service, primitive, sop_class, syntax, data_set):
        """Have a service answer a request; return the responses' statuses and comments."""
        self.responses = []
        context = build_context(sop_class, syntax)
        context.context_id = 1
        primitive.MessageID = 1
        for keyword in ("Identifier", "ActionInformation", "EventInformation"):
            if hasattr(primitive, keyword) and data_set is not None:
                setattr(primitive, keyword, BytesIO(data_set))
        assert service.serve(self, primitive, context)
        return self.responses
