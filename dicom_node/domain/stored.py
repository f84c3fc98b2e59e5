"""What lies in a store, as a look at the store finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One blob.

    Attributes
    ----------
    size
        Bytes on the disk: a sealed blob is somewhat longer than what was written.
    mark
        Another one where the blob was written again, even with the same bytes.
    """

    ref: str
    size: int
    modified_at: datetime
    mark: str
