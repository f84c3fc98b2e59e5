"""How often one client may ask for something that takes the node's processor."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from viewer.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_S = 60.0
#: Clients that are remembered; of more, the one that asked longest ago is forgotten.
_CLIENTS = 4096


class RateLimit:
    """Counts requests of the last minute by client. Not thread-safe: for the event loop.

    Parameters
    ----------
    per_minute
        Requests that one client may make within any minute.
    now
        Seconds of a clock that never goes back.
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now = now
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, client: str) -> None:
        """Count a request.

        Raises
        ------
        Problem
            429 with Retry-After, if there were too many; such a request is not counted.
        """
        now = self._now()
        asked = self._asked.setdefault(client, deque())
        self._asked.move_to_end(client)
        if len(self._asked) > _CLIENTS:
            self._asked.popitem(last=False)
        while asked and asked[0] <= now - _MINUTE_S:
            asked.popleft()
        if len(asked) >= self._per_minute:
            wait = max(1, math.ceil(asked[0] + _MINUTE_S - now))
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-requests",
                f"more than {self._per_minute} images a minute; ask again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
        asked.append(now)
