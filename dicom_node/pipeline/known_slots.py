"""Where studies go, remembered, so that not every instance asks the index."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.study import Slot
    from dicom_node.ports.studies import StudyIndex

#: Studies whose slot is remembered; one costs about 200 bytes.
_KNOWN_SLOTS = 1024


class KnownSlots:
    """Slots by study; a remembered one may have expired, which `StudyIndex.register` notices."""

    def __init__(self, index: StudyIndex) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()

    def get(self, study_instance_uid: str, *, fresh: bool = False) -> Slot:
        """The study's slot; with `fresh`, as the index has it now."""
        with self._lock:
            slot = self._slots.get(study_instance_uid)
        return slot if slot is not None and not fresh else self._open(study_instance_uid)

    def is_current(self, study_instance_uid: str, slot: Slot) -> bool:
        """Whether new instances of the study still go there."""
        return self._open(study_instance_uid) == slot

    def _open(self, study_instance_uid: str) -> Slot:
        slot = self._index.open_slot(study_instance_uid)
        with self._lock:
            self._slots[study_instance_uid] = slot
            self._slots.move_to_end(study_instance_uid)
            while len(self._slots) > _KNOWN_SLOTS:
                self._slots.popitem(last=False)
        return slot
