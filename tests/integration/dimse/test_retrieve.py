"""C-GET and C-MOVE SCP: fetched by DCMTK and by pynetdicom, over real files."""

import contextlib
import io
import threading

import pytest
from dimse_objects import make_instance, part10
from holding_node import empty_node_database, holdings, study
from processes import eventually
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    RLELossless,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

__all__ = ["empty_node_database", "holdings"]

STUDY_GET = StudyRootQueryRetrieveInformationModelGet
STUDY_MOVE = StudyRootQueryRetrieveInformationModelMove


@pytest.fixture
def node(start_node, holdings):
    services = holdings.services()
    node = start_node(services=services)
    node.services = services
    return node


@pytest.fixture
def moving_node(start_node, holdings, workstation):
    """A function that starts a node which may send to the workstation."""

    def start(*sop_classes, port=None, **options):
        holdings.send_to(workstation.ae_title, port or workstation.listen(*sop_classes))
        return start_node(services=holdings.services(**options))

    return start


def identifier(level, **keys):
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


class Workstation:
    """An application entity that takes instances, over associations of its own or of others."""

    ae_title = "WORKSTATION"

    def __init__(self, answer=lambda _number: 0x0000):
        self.received = []
        self.originators = []
        self._answer = answer
        self._servers = []

    def store(self, event):
        status = self._answer(len(self.received) + 1)
        self.received.append((event.context.transfer_syntax, event.request.DataSet.getvalue()))
        request = event.request
        self.originators.append(
            (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID)
        )
        return status

    @property
    def uids(self):
        return sorted(ds.SOPInstanceUID for ds in self.data_sets)

    @property
    def data_sets(self):
        return [
            decode(io.BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
            for syntax, data in self.received
        ]

    def get(
        self, node, ds, *, model=STUDY_GET, storage=(CTImageStorage,), syntaxes=(ExplicitVRLittleEndian,)
    ):
        """All responses of a C-GET: (status, identifier)."""
        ae = AE(self.ae_title)
        ae.add_requested_context(model)
        for sop_class in storage:
            ae.add_requested_context(sop_class, list(syntaxes))
        roles = [build_role(sop_class, scp_role=True) for sop_class in storage]
        handlers = [(evt.EVT_C_STORE, self.store)]
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE", ext_neg=roles, evt_handlers=handlers)
        assert assoc.is_established
        found = list(assoc.send_c_get(ds, model, msg_id=3))
        assoc.release()
        return found

    def listen(self, *sop_classes, syntaxes=(ExplicitVRLittleEndian,), port=0):
        """Take associations; return the port."""
        ae = AE(self.ae_title)
        for sop_class in sop_classes or (CTImageStorage,):
            ae.add_supported_context(sop_class, list(syntaxes))
        handlers = [(evt.EVT_C_STORE, lambda event: self.store(event))]
        self._servers.append(ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers))
        return self._servers[-1].server_address[1]

    def move(self, node, ds, destination="WORKSTATION", model=STUDY_MOVE):
        """All responses of a C-MOVE: (status, identifier)."""
        ae = AE(self.ae_title)
        ae.add_requested_context(model)
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE")
        assert assoc.is_established
        found = list(assoc.send_c_move(ds, destination, model, msg_id=9))
        assoc.release()
        return found

    def close(self):
        for server in self._servers:
            server.shutdown()


@pytest.fixture
def workstation():
    made = Workstation()
    yield made
    made.close()


def counts(status):
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )


def test_getscu_gets_every_instance_as_it_is_held(node, holdings, tool, tmp_path):
    """PS3.4 §C.4.3: one sub-operation for each instance, over the same association."""
    instances = study(1, series=2)
    holdings.publish(*instances)
    folder = tmp_path / "got"
    folder.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=2.25.1")
    done = tool("getscu", "-v", "-S", "-aec", "NODE", "-od", folder, "127.0.0.1", node.port, *keys)
    assert "Number of Completed Suboperations : 4" in done.stdout + done.stderr
    got = {dcmread(path).SOPInstanceUID: path.read_bytes() for path in folder.iterdir()}
    assert sorted(got) == [ds.SOPInstanceUID for ds in instances]
    for ds in instances:
        encoded = part10(ds)
        assert got[ds.SOPInstanceUID].endswith(encoded[encoded.index(b"\x08\x00\x16\x00UI") :])


def test_movescu_has_a_third_party_sent_what_is_held(moving_node, holdings, tool, workstation):
    """PS3.4 §C.4.2: over an association to a configured peer."""
    holdings.publish(*study(1, series=2), *study(2))
    node = moving_node()
    keys = (
        "-k",
        "QueryRetrieveLevel=SERIES",
        "-k",
        "StudyInstanceUID=2.25.1",
        "-k",
        "SeriesInstanceUID=2.25.1.2",
    )
    done = tool("movescu", "-v", "-S", "-aec", "NODE", "-aem", "WORKSTATION", "127.0.0.1", node.port, *keys)
    assert "Received Final Move Response (Success)" in done.stdout + done.stderr
    assert workstation.uids == ["2.25.1.2.1", "2.25.1.2.2"]


def test_every_sub_operation_is_counted(moving_node, holdings, workstation):
    """PS3.4 §C.4.2.1.6 to §C.4.2.1.8; PS3.7 §9.1.1.1: the C-STORE names the C-MOVE that it is of."""
    holdings.publish(*study(1, instances=3))
    found = workstation.move(moving_node(), identifier("STUDY", StudyInstanceUID="2.25.1"))
    assert [status.Status for status, _ in found] == [0xFF00] * 3 + [0x0000]
    assert [status.NumberOfRemainingSuboperations for status, _ in found[:-1]] == [2, 1, 0]
    assert "NumberOfRemainingSuboperations" not in found[-1][0]
    assert counts(found[-1][0]) == (3, 0, 0)
    assert set(workstation.originators) == {("WORKSTATION", 9)}
    assert holdings.audit.events == [
        (
            "dimse.retrieved",
            {"ae_title": "WORKSTATION", "action": "C-MOVE", "status": "0000", "count": 3, "failed": 0},
        )
    ]


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("STUDY", {"StudyInstanceUID": ["2.25.1", "2.25.2"]}, 8),
        ("SERIES", {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": ["2.25.1.1", "2.25.1.2"]}, 4),
        (
            "IMAGE",
            {
                "StudyInstanceUID": "2.25.1",
                "SeriesInstanceUID": "2.25.1.1",
                "SOPInstanceUID": ["2.25.1.1.2", "2.25.1.1.404"],
            },
            1,
        ),
        ("STUDY", {"StudyInstanceUID": "2.25.404"}, 0),
    ],
)
def test_lists_of_uids_are_retrieved_together(node, holdings, workstation, level, keys, expected):
    """PS3.4 §C.4.3.1.3.1: the unique key of the level may be a list; what is unknown matches nothing."""
    holdings.publish(*study(1, series=2), *study(2, series=2))
    found = workstation.get(node, identifier(level, **keys))
    assert found[-1][0].Status == 0x0000
    assert counts(found[-1][0]) == (expected, 0, 0)
    assert len(workstation.uids) == expected


def test_patient_is_retrieved_with_all_studies(node, holdings, workstation):
    holdings.publish(*study(1, PatientID="ONE"), *study(2, PatientID="ONE"), *study(3, PatientID="TWO"))
    model = PatientRootQueryRetrieveInformationModelGet
    found = workstation.get(node, identifier("PATIENT", PatientID="ONE"), model=model)
    assert counts(found[-1][0]) == (4, 0, 0)


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {}),
        ("PATIENT", {"PatientID": "*"}),
        ("SERIES", {"SeriesInstanceUID": "2.25.1.1"}),
        ("PATIENT", {"PatientID": "P1"}),
    ],
)
def test_identifier_that_does_not_match_its_sop_class_is_refused(node, holdings, workstation, level, keys):
    """PS3.4 Table C.4-3: A900."""
    holdings.publish(*study(1))
    model = PatientRootQueryRetrieveInformationModelGet if keys == {"PatientID": "*"} else STUDY_GET
    ((last, _),) = workstation.get(node, identifier(level, **keys, PatientName=""), model=model)
    assert last.Status == 0xA900


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


@pytest.mark.parametrize(
    ("stored", "taken", "sent"),
    [
        (ExplicitVRLittleEndian, (ImplicitVRLittleEndian,), ImplicitVRLittleEndian),
        (ImplicitVRLittleEndian, (ExplicitVRLittleEndian,), ExplicitVRLittleEndian),
        (DeflatedExplicitVRLittleEndian, (ImplicitVRLittleEndian,), ImplicitVRLittleEndian),
        (RLELossless, (RLELossless,), RLELossless),
    ],
)
def test_transfer_syntax_is_the_instance_s_own_or_another_without_loss(
    node, holdings, workstation, stored, taken, sent
):
    """As the node sends its results: uncompressed ones in another uncompressed one, pixels never changed."""
    pixels = None
    if stored == RLELossless:
        pixels = (
            b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x04\x00\x00\x00abcd\xfe\xff\xdd\xe0" + bytes(4)
        )
    (ds,) = study(1, instances=1, transfer_syntax=stored)
    if pixels is not None:
        ds.PixelData = pixels[:-8] + b""
        ds["PixelData"].is_undefined_length = True
    holdings.publish(ds)
    last, _ = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"), syntaxes=taken)[-1]
    assert counts(last) == (1, 0, 0)
    assert workstation.received[0][0] == sent
    assert workstation.data_sets[0].PixelData == ds.PixelData


def test_compressed_instance_is_not_sent_to_who_cannot_read_it(node, holdings, workstation):
    (ds,) = study(1, instances=1, transfer_syntax=JPEGBaseline8Bit)
    ds["PixelData"].is_undefined_length = True
    ds.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x04\x00\x00\x00abcd"
    holdings.publish(ds)
    last, _ = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert (last.Status, counts(last)) == (0xA702, (0, 1, 0))
    assert "transfer syntax" in last.ErrorComment


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
