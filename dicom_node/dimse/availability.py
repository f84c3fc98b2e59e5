"""Telling a peer which results can be retrieved: Instance Availability Notification as SCU.

References
----------
PS3.4 Annex R: §R.3.2 (N-CREATE) and Table R.3.2-1; PS3.7 §10.1.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import InstanceAvailabilityNotification

from dicom_node.dimse.association import associated
from dicom_node.dimse.statuses import SUCCESS, describe
from dicom_node.domain.errors import DeliveryFailed, NotificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.dimse.association import Address
    from dicom_node.domain.result import ResultEntry

#: The peer has been told before: an answer of ours was lost.
_DUPLICATE: Final = 0x0111


class AvailabilityScu:
    """`ports.AvailabilitySender` by N-CREATE.

    Parameters
    ----------
    retrieve_ae_title
        From whom the results can be retrieved.
    derive_uid
        A keyed function of strings to a UID: a repeated message has the same SOP Instance UID.
    """

    def __init__(self, address: Address, retrieve_ae_title: str, derive_uid: Callable[..., str]) -> None:
        self._address = address
        self._retrieve_ae_title = retrieve_ae_title
        self._derive_uid = derive_uid

    def tell(self, message_id: str, study_instance_uid: str, results: Sequence[ResultEntry]) -> None:
        """See `ports.AvailabilitySender.tell`."""
        peer = self._address.name
        ds = notification(study_instance_uid, results, self._retrieve_ae_title)
        context = build_context(InstanceAvailabilityNotification)
        try:
            with associated(self._address, [context], hold=False) as assoc:
                if assoc is None:
                    raise NotificationFailed(
                        f"{peer} does not take Instance Availability Notifications; have the service enabled"
                    )
                uid = self._derive_uid("availability", message_id)
                answer, _ = assoc.send_n_create(ds, InstanceAvailabilityNotification, uid)
        except DeliveryFailed as exc:
            raise NotificationFailed(str(exc)) from exc
        status = answer.get("Status")
        if status is None:
            raise NotificationFailed(f"{peer} broke off before it answered; it is told again")
        # Warnings say that it was taken, with attributes left out (PS3.7 §C.5).
        if status not in (SUCCESS, _DUPLICATE, 0x0107, 0x0116):
            raise NotificationFailed(f"{peer} refuses the notification: {describe(status)}")


def notification(study_instance_uid: str, results: Sequence[ResultEntry], retrieve_ae_title: str) -> Dataset:
    """The attributes of Table R.3.2-1 for results that are online."""
    ds = Dataset()
    # The node performs no procedure step of its own: the sequence is of type 2, and empty.
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.StudyInstanceUID = study_instance_uid
    series: dict[str, list[Dataset]] = {}
    for entry in results:
        item = Dataset()
        item.ReferencedSOPClassUID = entry.sop_class_uid
        item.ReferencedSOPInstanceUID = entry.sop_instance_uid
        item.InstanceAvailability = "ONLINE"
        item.RetrieveAETitle = retrieve_ae_title
        series.setdefault(entry.series_instance_uid, []).append(item)
    ds.ReferencedSeriesSequence = []
    for uid, items in series.items():
        of_series = Dataset()
        of_series.SeriesInstanceUID = uid
        of_series.ReferencedSOPSequence = items
        ds.ReferencedSeriesSequence.append(of_series)
    return ds
