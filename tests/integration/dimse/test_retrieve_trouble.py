"""C-GET and C-MOVE SCP where something fails, is gone, is cancelled, or is very large."""

import contextlib
import threading

import pytest
from dimse_objects import make_instance
from holding_node import holdings, study
from processes import eventually
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, build_role, evt
from workstation import STUDY_GET, STUDY_MOVE, Workstation, counts, identifier, moving_node, node, workstation

__all__ = ["holdings", "moving_node", "node", "workstation"]


def test_move_to_a_stranger_is_refused(moving_node, holdings, workstation):
    """PS3.4 Table C.4-2: A801."""
    holdings.publish(*study(1))
    found = workstation.move(moving_node(), identifier("STUDY", StudyInstanceUID="2.25.1"), "STRANGER")
    assert [status.Status for status, _ in found] == [0xA801]
    assert "dimse.peers" in found[0][0].ErrorComment
    assert workstation.received == []


def test_destination_that_is_not_there_fails_every_instance(moving_node, holdings, workstation, free_port):
    """PS3.4 §C.4.2.1.4.2: the final response lists what failed."""
    holdings.publish(*study(1))
    node = moving_node(port=free_port())
    status, ds = workstation.move(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert status.Status == 0xA702
    assert counts(status) == (0, 2, 0)
    assert list(ds.FailedSOPInstanceUIDList) == ["2.25.1.1.1", "2.25.1.1.2"]
    assert "2.25" not in status.ErrorComment


@pytest.mark.parametrize(
    ("answers", "status", "expected"),
    [
        ([0x0000, 0xA700, 0x0000], 0xB000, (2, 1, 0)),
        ([0x0000, 0xB000, 0x0000], 0xB000, (2, 0, 1)),
        ([0xA700, 0xC000, 0x0110], 0xA702, (0, 3, 0)),
    ],
)
def test_what_the_receiver_answers_is_summed_up(start_node, holdings, answers, status, expected):
    """PS3.4 §C.4.3.1.4 and Table C.4-3: warnings, some failed, all failed."""
    holdings.publish(*study(1, instances=3))
    receiver = Workstation(lambda number: answers[number - 1])
    node = start_node(services=holdings.services())
    last, ds = receiver.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert (last.Status, counts(last)) == (status, expected)
    failed = [f"2.25.1.1.{n}" for n, answer in enumerate(answers, start=1) if answer not in (0, 0xB000)]
    listed = ds.get("FailedSOPInstanceUIDList", []) if ds is not None else []
    assert ([listed] if isinstance(listed, str) else list(listed)) == failed


def test_class_that_the_receiver_does_not_take_fails_alone(node, holdings, workstation):
    """A sub-operation without a presentation context fails; the others go on."""
    holdings.publish(*study(1))
    holdings.publish(
        make_instance(
            sop_class=MRImageStorage,
            StudyInstanceUID="2.25.1",
            SeriesInstanceUID="2.25.1.9",
            SOPInstanceUID="2.25.1.9.1",
        )
    )
    last, ds = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert (last.Status, counts(last)) == (0xB000, (2, 1, 0))
    assert ds.FailedSOPInstanceUIDList == "2.25.1.9.1"


def test_purged_instances_are_told_from_unknown_ones(node, holdings, workstation):
    """What is gone ends with a failure that says so, never with an empty success."""
    holdings.publish(*study(1))
    holdings.purge("2.25.1")
    ((last, _),) = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))
    assert last.Status == 0xC001
    assert "purged" in last.ErrorComment
    keys = {
        "StudyInstanceUID": "2.25.1",
        "SeriesInstanceUID": "2.25.1.1",
        "SOPInstanceUID": ["2.25.1.1.1", "2.25.1.1.2"],
    }
    last, ds = workstation.get(node, identifier("IMAGE", **keys))[-1]
    assert (last.Status, counts(last)) == (0xA702, (0, 2, 0))
    assert list(ds.FailedSOPInstanceUIDList) == keys["SOPInstanceUID"]
    assert "purged" in last.ErrorComment


def test_file_that_is_gone_fails_alone(node, holdings, workstation):
    """A purge between the search and the sending."""
    one, two = study(1)
    holdings.publish(one, two)
    holdings.blobs.delete(holdings.catalog.find("2.25.1")[0].ref)
    last, ds = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert (last.Status, counts(last)) == (0xB000, (1, 1, 0))
    assert ds.FailedSOPInstanceUIDList == one.SOPInstanceUID


@pytest.mark.parametrize("way", ["get", "move"])
def test_cancelled_retrieval_stops_and_counts_what_remains(moving_node, holdings, workstation, way):
    """PS3.4 §C.4.2.3.1 and §C.4.3.3.1: C-CANCEL."""
    holdings.publish(*study(1, instances=6))
    node = moving_node()
    model = STUDY_GET if way == "get" else STUDY_MOVE
    ae = AE("CANCELLER")
    ae.add_requested_context(model)
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    seen = []

    def store(event):
        seen.append(event)
        if len(seen) == 2:
            assoc.send_c_cancel(5, query_model=model)
            eventually(lambda: accepted.dimse.cancel_req, 10, "the C-CANCEL")
        return 0x0000

    workstation.store = store
    roles = [build_role(CTImageStorage, scp_role=True)]
    assoc = ae.associate(
        "127.0.0.1", node.port, ae_title="NODE", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    (accepted,) = node.scp._server.active_associations
    ds = identifier("STUDY", StudyInstanceUID="2.25.1")
    if way == "get":
        found = list(assoc.send_c_get(ds, model, msg_id=5))
    else:
        workstation.answering = store
        found = list(assoc.send_c_move(ds, "WORKSTATION", model, msg_id=5))
    assoc.release()
    last = found[-1][0]
    assert last.Status == 0xFE00
    assert counts(last) == (2, 0, 0)
    assert last.NumberOfRemainingSuboperations == 4
    assert len(seen) == 2


def test_more_retrievals_than_allowed_wait_and_are_then_refused(start_node, holdings):
    """PS3.4 Table C.4-3: A702; one at a time here, and no patience."""
    holdings.publish(*study(1, instances=1))
    node = start_node(services=holdings.services(max_retrievals=1, wait_s=0.05))
    entered, go_on = threading.Event(), threading.Event()

    def hold(_number):
        entered.set()
        assert go_on.wait(20)
        return 0x0000

    slow, other = Workstation(hold), Workstation()
    ds = identifier("STUDY", StudyInstanceUID="2.25.1")
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(slow.get(node, ds)))
    thread.start()
    assert entered.wait(20)
    ((last, _),) = other.get(node, ds)
    assert last.Status == 0xA702
    assert "later" in last.ErrorComment
    go_on.set()
    thread.join(20)
    assert answers[-1][0].Status == 0x0000
    assert other.get(node, ds)[-1][0].Status == 0x0000


def test_peer_that_leaves_in_the_middle_gives_its_place_back(start_node, holdings):
    holdings.publish(*study(1, instances=3))
    node = start_node(services=holdings.services(max_retrievals=1, wait_s=10))
    ds = identifier("STUDY", StudyInstanceUID="2.25.1")
    ae = AE("LEAVER")
    ae.dimse_timeout = 0.5
    ae.add_requested_context(STUDY_GET)
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    roles = [build_role(CTImageStorage, scp_role=True)]
    handlers = [(evt.EVT_C_STORE, lambda event: event.assoc.abort())]
    assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE", ext_neg=roles, evt_handlers=handlers)
    with contextlib.suppress(RuntimeError):
        list(assoc.send_c_get(ds, STUDY_GET))
    assert Workstation().get(node, ds)[-1][0].Status == 0x0000


def test_memory_does_not_grow_with_the_instance(node, holdings, workstation, monkeypatch):
    """What is on its way is never more than a few parts, whatever the instance holds."""
    (ds,) = study(1, instances=1, rows=2048)  # 8 MB of pixels
    holdings.publish(ds)
    reads, queued = [], []
    opened = holdings.blobs.open

    def watched(ref):
        stream = opened(ref)
        read = stream.read

        class Stream:
            def read(self, size=-1):
                data = read(size)
                reads.append(len(data))
                return data

            def __getattr__(self, name):
                return getattr(stream, name)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                stream.close()

        return Stream()

    monkeypatch.setattr(node.services[1], "_open_blob", watched)
    original = node.services[1]._get

    def counted(request, records, so_far):
        request.assoc.bind(
            evt.EVT_PDU_SENT, lambda event: queued.append(event.assoc.dul.to_provider_queue.qsize())
        )
        original(request, records, so_far)

    monkeypatch.setattr(node.services[1], "_get", counted)
    last, _ = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert counts(last) == (1, 0, 0)
    assert workstation.data_sets[0].PixelData == ds.PixelData
    assert max(reads) <= 1 << 18
    assert len(queued) > 100
    assert max(queued) <= 17
