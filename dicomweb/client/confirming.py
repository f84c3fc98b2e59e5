"""Asking a DICOMweb service by QIDO-RS what it keeps of what it was sent.

References
----------
PS3.18 §10.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.delivery import Confirmation
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, ConfigurationError, DeliveryFailed
from dicomweb.client.connection import NO_ACCESS, Access, Busy, connect
from dicomweb.client.search import first_text, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.delivery import SentObject

_INSTANCE = "00080018"


class QidoConfirmer:
    """`ports.Confirmer` by a search for the instances of each series that was sent.

    Parameters
    ----------
    url
        DICOMweb base URL, without `/studies`.
    """

    def __init__(self, name: str, *, url: str, timeout_s: float, access: Access = NO_ACCESS) -> None:
        self._name = name
        self._url = url
        self._timeout_s = timeout_s
        self._access = access

    def begin(self, objects: Sequence[SentObject]) -> str | None:  # noqa: ARG002 (the look asks)
        """See `ports.Confirmer.begin`."""
        return None

    def look(self, objects: Sequence[SentObject], token: str | None) -> Confirmation:  # noqa: ARG002
        """See `ports.Confirmer.look`."""
        held: set[str] = set()
        try:
            with connect(self._url, self._access, self._timeout_s) as client:
                for study, series in sorted({(o.study_instance_uid, o.series_instance_uid) for o in objects}):
                    path = f"studies/{study}/series/{series}/instances"
                    try:
                        found = list(search(client, self._name, path, {}, key=_INSTANCE))
                    except ArchiveRefused:
                        continue  # some services answer 404 where they hold nothing yet
                    held |= {first_text(item, _INSTANCE) for item in found}
        except Busy as exc:
            raise DeliveryFailed(f"destination {exc}", exc.wait_s) from exc
        except (ArchiveFailed, ConfigurationError) as exc:
            raise DeliveryFailed(f"destination {exc}") from exc
        return Confirmation(frozenset(held & {o.sop_instance_uid for o in objects}))
