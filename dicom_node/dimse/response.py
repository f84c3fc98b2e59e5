"""Responses to queries and retrievals.

References
----------
PS3.7 §9.3.2.2 (C-FIND-RSP), §9.3.3.2 (C-GET-RSP), §9.3.4.2 (C-MOVE-RSP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PENDING: Final = frozenset({0xFF00, 0xFF01})


@dataclass(frozen=True, slots=True)
class Response:
    """One response.

    Attributes
    ----------
    command
        Raw values by element number (group 0000).
    identifier
        Its data set as encoded; identity, never logged.
    """

    command: dict[int, bytes]
    identifier: bytes | None

    @property
    def status(self) -> int:
        """Its Status (0000,0900)."""
        return self.number(0x0900) or 0

    @property
    def is_final(self) -> bool:
        """Whether none follows."""
        return self.status not in _PENDING

    def number(self, element: int) -> int | None:
        """An unsigned short of the command set; `None` where it is absent or malformed."""
        value = self.command.get(element, b"")
        return int.from_bytes(value, "little") if len(value) == 2 else None
