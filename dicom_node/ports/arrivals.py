"""What has arrived so far, whichever process received it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.domain.study import ReceivingStudy, Sender


class Arrivals(Protocol):
    """Looks at studies while their instances come in. All UIDs are the pseudonymous ones."""

    def receiving(self) -> Sequence[ReceivingStudy]:
        """Studies that are being received, the quietest first."""

    def senders(self, study_id: str) -> Sequence[Sender]:
        """Who sent the study's instances that are in the spool, the first one first."""

    def present(self, study_instance_uid: str) -> Mapping[str, str]:
        """The node's study id by SOP Instance UID, of the study's instances that are in the spool."""

    def count_present(self, study_id: str) -> int:
        """How many instances of a study are in the spool."""
