"""Encoded pictures, kept for a while: overviews and film players ask for the same ones again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class KeptBytes:
    """The most recently asked for, least recently used out first.

    Parameters
    ----------
    max_bytes
        Of all together; what is larger than a quarter of it is made anew each time.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What was made for the key, or what is made now; errors of `make` pass through."""
        with self._lock:
            content = self._kept.get(key)
            if content is not None:
                self._kept.move_to_end(key)
                return content
        content = make()
        with self._lock:
            if key not in self._kept and len(content) <= self._max_bytes // 4:
                self._kept[key] = content
                self._bytes += len(content)
                while self._bytes > self._max_bytes:
                    _, dropped = self._kept.popitem(last=False)
                    self._bytes -= len(dropped)
        return content
