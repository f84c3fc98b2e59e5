"""Who is bringing a study right now: while an association or a request is open, more of it may come."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from dicom_node.ports.ingest import Brought


class OpenSenders:
    """Counts who has brought instances of a study and is still connected; for all threads of the node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._studies: dict[Hashable, set[str]] = {}

    def brought(self, sender: Hashable, study_id: str) -> None:
        """Note that a sender brought an instance of a study; again for the next one changes nothing."""
        with self._lock:
            self._studies.setdefault(sender, set()).add(study_id)

    def gone(self, sender: Hashable) -> None:
        """Note that a sender has ended, whether it brought anything or not."""
        with self._lock:
            self._studies.pop(sender, None)

    def bring(self, study_id: str) -> bool:
        """Whether somebody is connected who brought instances of this study."""
        with self._lock:
            return any(study_id in studies for studies in self._studies.values())

    @contextmanager
    def request(self) -> Iterator[Brought]:
        """A request that is open until the context ends; what it yields notes each study."""
        sender = object()
        try:
            yield lambda study_id: self.brought(sender, study_id)
        finally:
            self.gone(sender)
