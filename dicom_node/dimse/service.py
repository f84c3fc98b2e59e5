"""A DIMSE service beside Verification and Storage, as the server offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pynetdicom.presentation import PresentationContext


class DimseService(Protocol):
    """What peers may ask for, and who answers."""

    @property
    def name(self) -> str:
        """What admission knows it by: `query`, `retrieve` or `commitment`."""

    def contexts(self, proposed: Sequence[PresentationContext]) -> Sequence[PresentationContext]:
        """What to accept of the contexts that a peer proposes; none where the service is not meant."""

    def extended(self, sop_class_uid: str, proposed: bytes) -> bytes | None:
        """What to answer to an extended negotiation; `None` where the SOP Class is not the service's.

        Parameters
        ----------
        proposed
            Service-class-application-information (PS3.7 §D.3.3.5).
        """

    def serve(self, assoc: Any, message: Any, context: PresentationContext) -> bool:
        """Answer a request; `False` where it is not the service's. Never raises.

        Called in the association's thread; only a report (N-EVENT-REPORT) comes in one of its own.

        Parameters
        ----------
        assoc
            An association that was accepted.
        message
            pynetdicom's primitive; an element that the standard requires may be missing.
        """
