"""Instance Availability Notification to a peer."""

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import InstanceAvailabilityNotification, Verification

from dicom_node.dimse.association import Address
from dicom_node.dimse.availability import AvailabilityScu
from dicom_node.domain.errors import NotificationFailed
from dicom_node.domain.result import ResultEntry, ResultKind

RESULTS = (
    ResultEntry(ResultKind.SR, "1.2.840.10008.5.1.4.1.1.88.33", "2.25.5", "2.25.6"),
    ResultEntry(ResultKind.SR, "1.2.840.10008.5.1.4.1.1.88.33", "2.25.5", "2.25.7"),
    ResultEntry(ResultKind.SEG, "1.2.840.10008.5.1.4.1.1.66.4", "2.25.8", "2.25.9"),
)


class Ris:
    """A peer that takes notifications, or answers as it is told."""

    def __init__(self, sop_class=InstanceAvailabilityNotification):
        self.status = 0x0000
        self.told = []
        entity = AE("RIS")
        entity.add_supported_context(sop_class)
        self._server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_N_CREATE, self._take)],
        )
        self.port = self._server.socket.getsockname()[1]

    def _take(self, event):
        self.told.append((str(event.request.AffectedSOPInstanceUID), event.attribute_list))
        return self.status, Dataset()

    def close(self):
        self._server.shutdown()


@pytest.fixture
def ris():
    ris = Ris()
    yield ris
    ris.close()


def scu(ris):
    address = Address("127.0.0.1", ris.port, "RIS", timeout_s=5)
    return AvailabilityScu(address, "PACS", lambda *parts: f"2.25.{len(parts[-1])}")


def test_peer_learns_which_results_it_can_get_and_where(ris):
    scu(ris).tell("msg_1", "1.2.3", RESULTS)
    ((uid, ds),) = ris.told
    assert uid == "2.25.5"
    assert ds.StudyInstanceUID == "1.2.3"
    assert list(ds.ReferencedPerformedProcedureStepSequence) == []
    first, second = ds.ReferencedSeriesSequence
    assert (first.SeriesInstanceUID, len(first.ReferencedSOPSequence)) == ("2.25.5", 2)
    (item,) = second.ReferencedSOPSequence
    assert item.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    assert item.ReferencedSOPInstanceUID == "2.25.9"
    assert (item.InstanceAvailability, item.RetrieveAETitle) == ("ONLINE", "PACS")


def test_peer_that_knows_it_already_is_content(ris):
    ris.status = 0x0111
    scu(ris).tell("msg_1", "1.2.3", RESULTS)


def test_refusal_is_told_with_its_status(ris):
    ris.status = 0x0110
    with pytest.raises(NotificationFailed, match="0110") as failed:
        scu(ris).tell("msg_1", "1.2.3", RESULTS)
    assert "1.2.3" not in str(failed.value)


def test_peer_without_the_service_is_told_as_such():
    ris = Ris(Verification)
    try:
        with pytest.raises(NotificationFailed, match="does not take"):
            scu(ris).tell("msg_1", "1.2.3", RESULTS)
    finally:
        ris.close()


def test_peer_that_is_not_there_is_a_failure_that_passes():
    ris = Ris()
    ris.close()
    with pytest.raises(NotificationFailed, match="does not answer"):
        scu(ris).tell("msg_1", "1.2.3", RESULTS)
