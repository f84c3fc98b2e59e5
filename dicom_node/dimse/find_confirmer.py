"""Asking a destination by C-FIND what it keeps of what it was sent.

References
----------
PS3.4 §C.6.2.1 (Study Root, hierarchical search).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.dimse.find_scu import find, find_context
from dicom_node.dimse.request_line import open_line
from dicom_node.domain.delivery import Confirmation
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, DeliveryFailed, DeliveryRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.dimse.association import Address
    from dicom_node.domain.delivery import SentObject

_INSTANCE = "00080018"


class FindConfirmer:
    """`ports.Confirmer` by a query at image level for each series that was sent."""

    def __init__(self, name: str, address: Address) -> None:
        self._name = name
        self._address = address

    def begin(self, objects: Sequence[SentObject]) -> str | None:  # noqa: ARG002 (the look asks)
        """See `ports.Confirmer.begin`."""
        return None

    def look(self, objects: Sequence[SentObject], token: str | None) -> Confirmation:  # noqa: ARG002
        """See `ports.Confirmer.look`."""
        held: set[str] = set()
        try:
            with open_line(self._address, self._name, [find_context()]) as line:
                if line is None:
                    raise DeliveryRefused(
                        f"destination {self._name} does not offer C-FIND; have it allowed there, or set"
                        " `confirm: none`"
                    )
                for study, series in sorted({(o.study_instance_uid, o.series_instance_uid) for o in objects}):
                    keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}
                    held |= {
                        match.text(_INSTANCE) for match in find(line, self._name, "IMAGE", keys, lambda: None)
                    }
        except ArchiveRefused as exc:
            raise DeliveryRefused(f"destination {exc}") from exc
        except ArchiveFailed as exc:
            raise DeliveryFailed(f"destination {exc}") from exc
        return Confirmation(frozenset(held & {o.sop_instance_uid for o in objects}))
