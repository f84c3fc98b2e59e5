"""Trying again, with growing pauses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dicom_node.domain.errors import TransientError
from dicomweb.client.connection import LONGEST_WAIT_S, Busy

if TYPE_CHECKING:
    from collections.abc import Callable

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how long between.

    Attributes
    ----------
    attempts
        In all.
    first_s
        Seconds before the second; doubles each time, unless the service asks for a longer wait.
    wait
        Waits so many seconds; may raise to end the work.
    """

    attempts: int = 4
    first_s: float = 0.5
    wait: Callable[[float], object] = time.sleep

    def run(self, work: Callable[[], _Value]) -> _Value:
        """Call `work` until it passes.

        Raises
        ------
        TransientError
            Of the last attempt; a permanent error is raised at once.
        """
        for attempt in range(1, self.attempts):
            try:
                return work()
            except TransientError as exc:
                self.pause(attempt, exc)
        return work()

    def pause(self, attempt: int, error: TransientError | None = None) -> None:
        """Wait after failed attempt number `attempt`, counted from 1."""
        asked = error.wait_s if isinstance(error, Busy) else None
        growing = self.first_s * float(2 ** (attempt - 1))
        self.wait(min(LONGEST_WAIT_S, max(growing, asked or 0.0)))
