"""Sending: to DCMTK's storescp, to peers that refuse, and to nobody."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from dimse_objects import make_instance, part10
from outgoing import outgoing
from processes import Child
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
)
from pynetdicom import AE, evt

from dicom_node.dimse.association import Address
from dicom_node.dimse.result_sender import DimseSender
from dicom_node.dimse.scu import echo, send_files
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed
from dicom_node.pipeline.header import scan

pytestmark = pytest.mark.integration


def data_set(data):
    return data[scan(io.BytesIO(data)).dataset_offset :]


def sender(port, **changes):
    options = {
        "host": "127.0.0.1",
        "port": port,
        "ae_title": "PEER",
        "calling_ae_title": "NODE",
        "timeout_s": 5,
    }
    return DimseSender(Destination("pacs"), Address(**{**options, **changes}))


@pytest.fixture
def storescp(tool, free_port, tmp_path):
    """A function that starts DCMTK's storescp: (port, folder that it stores into)."""
    tool("storescp", "--version")  # skips where DCMTK is missing
    running = []

    def start(*options):
        folder = tmp_path / f"scp-{len(running)}"
        folder.mkdir()
        port = free_port()
        child = Child(["storescp", *options, "-od", str(folder), str(port)], tmp_path / f"scp-{port}.log")
        running.append(child)

        def ready():
            return tool("echoscu", "127.0.0.1", port).stderr == ""

        child.wait_until(ready, 20)
        return port, folder

    yield start
    for child in running:
        child.stop()


@pytest.fixture
def peer():
    """A function that starts a pynetdicom SCP; `answer(event)` gives the status. Returns its port."""
    running = []

    def start(contexts, answer=lambda event: 0x0000, **options):
        ae = AE("PEER")
        for sop_class, syntaxes in contexts:
            ae.add_supported_context(sop_class, syntaxes)
        for name, value in options.items():
            setattr(ae, name, value)
        running.append(
            ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)])
        )
        return running[-1].server_address[1]

    yield start
    for server in running:
        server.shutdown()


def test_results_arrive_bit_by_bit(storescp):
    port, folder = storescp("+xa")
    sent = [part10(make_instance(rows=64)), part10(make_instance(sop_class=MRImageStorage))]

    report = sender(port).send(outgoing(*sent))

    assert report.complete
    stored = [path.read_bytes() for path in folder.iterdir()]
    assert sorted(data_set(data) for data in stored) == sorted(data_set(data) for data in sent)


@pytest.mark.parametrize(
    "name",
    ["MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "JPEG-lossy.dcm"],
)
def test_compressed_objects_arrive_as_they_are(storescp, name):
    port, folder = storescp("+xa")
    original = Path(get_testdata_file(name)).read_bytes()

    assert sender(port).send(outgoing(original)).complete

    (stored,) = folder.iterdir()
    assert dcmread(stored).PixelData == dcmread(io.BytesIO(original)).PixelData
    assert (
        dcmread(stored).file_meta.TransferSyntaxUID
        == dcmread(io.BytesIO(original)).file_meta.TransferSyntaxUID
    )


def test_an_uncompressed_object_is_converted_for_a_peer_that_knows_only_implicit_vr(storescp):
    port, folder = storescp("+xi")
    ds = make_instance()

    assert sender(port).send(outgoing(part10(ds))).complete

    (path,) = folder.iterdir()
    stored = dcmread(path)
    assert stored.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert stored.PatientName == ds.PatientName
    assert stored.PixelData == ds.PixelData


def test_a_peer_that_refuses_some_is_reported_instance_by_instance(peer):
    objects = [make_instance() for _ in range(4)]
    refused = {str(objects[1].SOPInstanceUID): 0xA700, str(objects[2].SOPInstanceUID): 0xC123}
    port = peer(
        [(CTImageStorage, ExplicitVRLittleEndian)],
        lambda event: refused.get(str(event.request.AffectedSOPInstanceUID), 0x0000),
    )

    report = sender(port).send(outgoing(*map(part10, objects)))

    assert report.failures == {
        str(objects[1].SOPInstanceUID): "status A700 (out of resources)",
        str(objects[2].SOPInstanceUID): "status C123 (cannot understand)",
    }


def test_a_warning_counts_as_sent(peer):
    port = peer([(CTImageStorage, ExplicitVRLittleEndian)], lambda event: 0xB000)

    assert sender(port).send(outgoing(part10(make_instance()))).complete


def test_what_a_peer_has_no_context_for_is_reported(peer):
    port = peer([(CTImageStorage, ExplicitVRLittleEndian)])
    good, bad = make_instance(), make_instance(sop_class=EncapsulatedPDFStorage)

    report = sender(port).send(outgoing(part10(bad), part10(good)))

    assert list(report.failures) == [bad.SOPInstanceUID]
    assert report.failures[bad.SOPInstanceUID].startswith("0122")


def test_a_peer_that_takes_nothing_at_all_is_reported_not_retried(peer):
    port = peer([(MRImageStorage, JPEGLSLossless)])
    ds = make_instance()

    report = sender(port).send(outgoing(part10(ds)))

    assert list(report.failures) == [ds.SOPInstanceUID]


def test_an_object_that_is_no_dicom_is_reported(peer):
    port = peer([(CTImageStorage, ExplicitVRLittleEndian)])
    (good,) = outgoing(part10(make_instance()))
    bad = replace(good, sop_instance_uid="2.25.1", load=lambda _uid: b"no DICOM")

    report = sender(port).send([bad, good])

    assert list(report.failures) == ["2.25.1"]


def test_each_object_is_loaded_when_its_turn_comes(peer):
    stored, loaded = [], []

    def keep(event):
        stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    port = peer([(CTImageStorage, ExplicitVRLittleEndian)], keep)

    def watched(item):
        def load(uid):
            loaded.append((item.sop_instance_uid, len(stored)))
            return item.load(uid)

        return replace(item, load=load)

    items = outgoing(*(part10(make_instance()) for _ in range(3)))
    told = []

    sender(port).send([watched(item) for item in items], lambda uid, reason: told.append((uid, reason)))

    assert loaded == [(item.sop_instance_uid, number) for number, item in enumerate(items)]
    assert told == [(item.sop_instance_uid, None) for item in items]


def test_best_transfer_syntax_that_the_peer_takes_is_asked_for(peer):
    asked = []
    (item,) = outgoing(part10(make_instance()))
    wanted = replace(
        item,
        transfer_syntaxes=(str(JPEGLSLossless), str(ExplicitVRLittleEndian)),
        load=lambda uid: asked.append(uid) or item.load(uid),
    )
    for syntaxes in ([ExplicitVRLittleEndian, JPEGLSLossless], [ExplicitVRLittleEndian]):
        port = peer([(CTImageStorage, syntaxes)])
        assert sender(port).send([wanted]).complete
    assert asked == [JPEGLSLossless, ExplicitVRLittleEndian]


@pytest.mark.parametrize(
    ("status", "taken", "passing"),
    [
        (0x0111, True, False),  # it has it from an attempt whose answer got lost
        (0xA700, False, True),
        (0x0110, False, True),
        (0x0122, False, False),
        (0xA900, False, False),
        (0xC000, False, False),
    ],
)
def test_status_says_whether_an_object_may_be_taken_another_time(peer, status, taken, passing):
    port = peer([(CTImageStorage, ExplicitVRLittleEndian)], lambda event: status)

    report = sender(port).send(outgoing(part10(make_instance())))

    assert (report.complete, bool(report.passing)) == (taken, passing)


def test_probe_passes_where_the_peer_is_there_with_verification_or_without(peer, storescp, free_port):
    sender(storescp()[0]).probe()
    sender(peer([(CTImageStorage, ExplicitVRLittleEndian)])).probe()
    with pytest.raises(DeliveryFailed, match="does not answer"):
        sender(free_port()).probe()


def test_nobody_there_fails_the_delivery(free_port):
    with pytest.raises(DeliveryFailed, match="does not answer"):
        sender(free_port()).send(outgoing(part10(make_instance())))
    with pytest.raises(DeliveryFailed):
        echo(Address("127.0.0.1", free_port(), "PEER", timeout_s=2))
    with pytest.raises(DeliveryFailed, match="cannot be reached"):
        sender(104, host="no-such-host.invalid").send(outgoing(part10(make_instance())))


def test_a_rejected_association_fails_the_delivery_and_says_why(peer):
    port = peer([(CTImageStorage, ExplicitVRLittleEndian)], require_calling_aet=["SOMEBODY"])

    with pytest.raises(DeliveryFailed, match="calling ae title not recognised"):
        sender(port).send(outgoing(part10(make_instance())))


def test_a_peer_that_aborts_midway_fails_the_delivery(peer):
    def abort(event):
        event.assoc.abort()
        return 0x0000

    port = peer([(CTImageStorage, ExplicitVRLittleEndian)], abort)

    with pytest.raises(DeliveryFailed):
        sender(port).send(outgoing(*(part10(make_instance()) for _ in range(3))))


def test_echo_verifies_a_peer(storescp):
    port, _ = storescp()

    echo(Address("127.0.0.1", port, "ANY", timeout_s=5))


def test_echo_says_that_a_peer_does_not_verify(peer):
    port = peer([(CTImageStorage, ExplicitVRLittleEndian)])

    with pytest.raises(DeliveryFailed, match="does not take Verification"):
        echo(Address("127.0.0.1", port, "PEER", timeout_s=5))


def test_files_are_sent_with_progress_and_reasons(storescp, tmp_path):
    port, folder = storescp("+xa")
    source = tmp_path / "files"
    source.mkdir()
    paths = []
    for number in range(3):
        paths.append(source / f"{number}.dcm")
        paths[-1].write_bytes(part10(make_instance()))
    paths.append(source / "notes.txt")
    paths[-1].write_text("no DICOM")
    paths.append(source / "missing.dcm")
    seen = []

    failures = send_files(paths, Address("127.0.0.1", port, "ANY", timeout_s=5), seen.append)

    assert set(failures) == {source / "notes.txt", source / "missing.dcm"}
    assert seen == [1, 2, 3, 4, 5]
    assert len(list(folder.iterdir())) == 3


def test_our_own_server_takes_what_we_send(node):
    sent = [part10(make_instance(rows=100)) for _ in range(5)]

    assert sender(node.port, ae_title=node.ae_title).send(outgoing(*sent)).complete

    assert sorted(data_set(data) for data in node.stored) == sorted(data_set(data) for data in sent)
