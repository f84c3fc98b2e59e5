"""Sending results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicom_node.domain.delivery import Destination, SendReport


class ResultSender(Protocol):
    """Sends objects to one destination."""

    @property
    def destination(self) -> Destination:
        """Where to."""

    def send(self, objects: Iterable[bytes]) -> SendReport:
        """Send Part 10 objects; per-instance failures are in the report.

        Raises
        ------
        DeliveryFailed
            If the destination is not there or refuses the association or request as a whole.
        """
