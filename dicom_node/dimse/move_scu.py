"""C-MOVE as a client, Study Root: the archive sends to the node's own server, perhaps in another process.

References
----------
PS3.4 §C.4.2.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove

from dicom_node.dimse.retrieval import perform
from dicom_node.domain.errors import ArchiveRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.request_line import RequestLine
    from dicom_node.dimse.retrieval import SubOperations, Wanted
    from dicom_node.ports.archive import Intake

_C_MOVE_RQ: Final = 0x0021
#: Seconds between two looks at what has arrived.
_LOOK_S: Final = 0.5


def move_context() -> PresentationContext:
    """Study Root C-MOVE."""
    return build_context(
        StudyRootQueryRetrieveInformationModelMove, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    )


class ArrivalWatch:
    """Sees what arrives at the node's server while an archive sends.

    Parameters
    ----------
    wait
        Waits so many seconds; may raise to end the work.
    settle_s
        Seconds without an arrival after which nothing more comes of what the archive says it has sent.
    """

    def __init__(self, intake: Intake, wait: Callable[[float], object], settle_s: float) -> None:
        self._intake = intake
        self._wait = wait
        self._settle_s = settle_s
        self._looked_at = 0.0
        self._here = 0

    def tick(self) -> int:
        """How many have arrived in all; raises where the work is to end."""
        self._intake.check()
        if time.monotonic() - self._looked_at >= _LOOK_S:
            self._here = self._intake.look()
            self._looked_at = time.monotonic()
        return self._here

    def settle(self, before: int, sent: int) -> None:
        """Wait for what the archive says it has sent: some send on after their last response."""
        here = self._intake.look()
        deadline = time.monotonic() + self._settle_s
        while here - before < sent and time.monotonic() < deadline:
            self._wait(_LOOK_S)
            now_here = self._intake.look()
            if now_here > here:
                here, deadline = now_here, time.monotonic() + self._settle_s


def move(
    line: RequestLine, name: str, destination: str, wanted: Wanted, tick: Callable[[], object]
) -> SubOperations:
    """Have instances sent to an AE title.

    Raises
    ------
    ArchiveFailed, ArchiveRefused
    """
    context = line.context(StudyRootQueryRetrieveInformationModelMove)
    if context is None:
        raise ArchiveRefused(
            f"{name}: does not offer C-MOVE; set `retrieve: get` for it, or allow C-MOVE there"
        )
    return perform(line, name, ("C-MOVE", _C_MOVE_RQ), context, wanted, tick, destination)
