"""A DIMSE service beside Verification and Storage, as the server offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pynetdicom.presentation import PresentationContext


class DimseService(Protocol):
    """What peers may ask for, and who answers."""

    def contexts(self, proposed: Sequence[PresentationContext]) -> Sequence[PresentationContext]:
        """What to accept of the contexts that a peer proposes; none where the service is not meant."""

    def handlers(self) -> Sequence[tuple[Any, Callable[..., Any]]]:
        """(pynetdicom event, handler) pairs for the messages of the service."""
