"""Holds an association's own thread still, so that only the sender reads its message queue.

pynetdicom's thread takes messages off the queue unless it is paused, and each send pauses and releases it
again. Between two sends its mark of being paused is stale for a moment: a sender that sees it goes on, the
thread wakes, takes the response, and the sender waits for nothing. Here the thread is held once, for as long
as the association sends, and held means that it has been seen to block.
"""

# ruff: noqa: SLF001 - the thread's checkpoint is private; see `overridden`

from __future__ import annotations

import threading
from typing import Any

#: Seconds that the thread must have been blocked to count as held.
_BLOCKED_S = 0.02


class _Checkpoint(threading.Event):
    """An event that knows whether somebody is blocked in it."""

    def __init__(self) -> None:
        super().__init__()
        self._blocked = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the event is set; `timeout` is not looked at, the library gives none."""
        del timeout
        while not super().wait(_BLOCKED_S):
            self._blocked.set()
        self._blocked.clear()
        return True

    def wait_blocked(self, assoc: Any) -> None:
        """Return when the thread is blocked here, or the association has ended."""
        while assoc.is_alive() and assoc.is_established:
            if self._blocked.wait(_BLOCKED_S):
                return


def hold_reactor(assoc: Any) -> None:
    """Hold the thread of an established association until it is released or aborted.

    The library's own `release`, `abort` and `send_c_echo` let it go on, as they do after their own pauses.
    """
    checkpoint = _Checkpoint()
    assoc._reactor_checkpoint = checkpoint
    checkpoint.wait_blocked(assoc)
