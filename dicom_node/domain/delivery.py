"""Results on their way to a destination."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """All results of one version of a study to one destination."""

    destination: str
    status: DeliveryStatus
    attempts: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where results go.

    Attributes
    ----------
    name
        As in the configuration.
    original_identity
        Whether the original patient and UIDs are restored before sending.
    max_attempts
        After so many failed tries the delivery is given up (status `failed`).
    """

    name: str
    original_identity: bool = True
    max_attempts: int = 10


@dataclass(frozen=True, slots=True)
class SendReport:
    """What a destination said to each instance: SOP Instance UID (as sent) to `None` or a reason."""

    failures: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether every instance was taken."""
        return not self.failures
