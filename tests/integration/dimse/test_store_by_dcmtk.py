"""DCMTK's clients store and verify; other peers misbehave."""

import io
import os
import signal
import socket
import struct
import subprocess
import time

import pytest
from dimse_objects import make_instance, part10
from processes import eventually
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian
from raw_association import A_ABORT, RawAssociation, pdu, store_command

from dicom_node.dimse.admission import Peer
from dicom_node.pipeline.header import scan

pytestmark = pytest.mark.integration

#: storescu's option that proposes a transfer syntax, and a real file in it.
COMPRESSED = {
    "-xs": "SC_rgb_jpeg_gdcm.dcm",  # JPEG Lossless SV1, or what the file has
    "-xy": "SC_rgb_small_odd_jpeg.dcm",
    "-xx": "JPEG-lossy.dcm",
    "-xt": "MR_small_jpeg_ls_lossless.dcm",
    "-xv": "MR_small_jp2klossless.dcm",
    "-xw": "JPEG2000.dcm",
    "-xr": "MR_small_RLE.dcm",
    "-xd": "image_dfl.dcm",
}


def data_set(data):
    return data[scan(io.BytesIO(data)).dataset_offset :]


def store(tool, node, *files, options=(), called=None):
    return tool(
        "storescu", "-nh", "-d", *options, "-aec", called or node.ae_title, "127.0.0.1", node.port, *files
    )


def test_echo_is_answered(tool, node):
    done = tool("echoscu", "-v", "-aec", node.ae_title, "127.0.0.1", node.port)

    assert "Received Echo Response (Success)" in done.stdout + done.stderr


def test_an_instance_is_stored_bit_by_bit(tool, node, dicom_file):
    path = dicom_file()

    done = store(tool, node, path)

    assert done.returncode == 0
    (stored,) = node.stored
    assert data_set(stored) == data_set(path.read_bytes())
    assert dcmread(io.BytesIO(stored)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert node.counted("instances_received", source="dimse", outcome="stored") == 1


@pytest.mark.parametrize(("option", "name"), COMPRESSED.items())
def test_compressed_instances_stay_bit_identical(tool, node, option, name):
    path = get_testdata_file(name)
    original = dcmread(path)

    done = store(tool, node, path, options=[option])

    assert done.returncode == 0, done.stderr
    (stored,) = node.stored
    kept = dcmread(io.BytesIO(stored))
    assert kept.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert kept.PixelData == original.PixelData


def test_the_same_instance_twice_is_one(tool, node, dicom_file):
    path = dicom_file()

    done = store(tool, node, path, path)
    assert done.returncode == 0
    done = store(tool, node, path)

    assert done.returncode == 0
    assert len(node.stored) == 1
    assert node.counted("instances_received", source="dimse", outcome="duplicate") == 2


def test_other_bytes_under_the_same_uid_are_answered_0111(tool, node, dicom_file):
    ds = make_instance()
    first = dicom_file(ds, "a.dcm")
    ds.PatientName = "Canary^Other"

    done = store(tool, node, first, dicom_file(ds, "b.dcm"))

    assert "0x0111" in done.stdout + done.stderr
    assert [data_set(stored) for stored in node.stored] == [data_set(first.read_bytes())]


def test_a_full_disk_is_answered_a700_and_recovers(tool, node, dicom_file):
    path = dicom_file()
    node.watermark.full = True
    done = store(tool, node, path)
    assert "0xa700" in done.stdout + done.stderr
    assert not node.stored
    assert node.counted("instances_refused", source="dimse", code="out-of-resources") == 1

    node.watermark.full = False
    assert store(tool, node, path).returncode == 0
    assert len(node.stored) == 1


def test_an_unknown_ae_is_rejected_with_an_allow_list(tool, start_node, dicom_file):
    node = start_node(allow_list=True, peers=[Peer("known", "KNOWN", "127.0.0.1", 104)])
    path = dicom_file()

    refused = store(tool, node, path, options=["-aet", "STRANGER"])
    taken = store(tool, node, path, options=["-aet", "KNOWN"])

    output = refused.stdout + refused.stderr
    assert "Rejected Permanent" in output
    assert "Calling AE Title Not Recognized" in output
    assert node.counted("associations", outcome="rejected-calling-ae-title") == 1
    assert taken.returncode == 0
    assert len(node.stored) == 1


def test_another_called_ae_title_is_rejected_where_ours_is_required(tool, start_node, dicom_file):
    node = start_node(require_called_ae_title=True)

    refused = store(tool, node, dicom_file(), called="OTHER")

    assert "Called AE Title Not Recognized" in refused.stdout + refused.stderr
    assert node.counted("associations", outcome="rejected-called-ae-title") == 1


def test_a_sop_class_that_is_not_taken_gets_no_context(tool, node, dicom_file):
    path = dicom_file(make_instance(sop_class="1.2.840.10008.5.1.4.38.1"))  # Hanging Protocol: no study

    done = store(tool, node, path, options=["-R"])

    assert done.returncode != 0
    assert (
        "No presentation context" in done.stdout + done.stderr or "No Acceptable" in done.stdout + done.stderr
    )
    assert not node.stored


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(300),
        b"\x01\x00\xff\xff\xff\xff" + bytes(1000),
        b"\x01\x00\x00\x00\x00\x04abcd",
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\x02\x01\x03",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500),
        b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00",
        b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00",
    ],
)
def test_garbage_and_port_scans_do_no_harm(tool, node, garbage):
    for _ in range(20):  # more than associations are allowed at once
        with socket.create_connection(("127.0.0.1", node.port), timeout=5) as peer:
            if garbage:
                peer.sendall(garbage)

    eventually(lambda: not node.scp._ae.active_associations, 10, "the end of the broken associations")
    test_echo_is_answered(tool, node)


@pytest.mark.parametrize("ending", ["close", "reset", "abort"])
def test_a_peer_that_goes_away_within_a_pdu_leaves_nothing_half_stored(tool, node, dicom_file, ending):
    peer = RawAssociation(node.port).socket
    ds = make_instance(rows=512)
    data = pdu(2, data_set(part10(ds)))
    peer.sendall(store_command(ds.SOPClassUID, ds.SOPInstanceUID) + data[: len(data) // 2])
    if ending == "reset":
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if ending == "abort":
        peer.sendall(A_ABORT)
    peer.close()

    eventually(lambda: not node.scp._ae.active_associations, 10, "the end of the association")
    assert not node.stored
    assert not node.files
    assert store(tool, node, dicom_file()).returncode == 0


def test_a_peer_that_falls_silent_within_a_pdu_is_given_up(start_node):
    node = start_node(timeout_s=1)
    peer = RawAssociation(node.port).socket
    ds = make_instance()
    peer.sendall(store_command(ds.SOPClassUID, ds.SOPInstanceUID) + pdu(2, data_set(part10(ds)))[:20])

    eventually(lambda: not node.scp._ae.active_associations, 10, "the end of the association")
    assert not node.stored
    peer.close()


def test_an_idle_association_is_aborted_after_the_timeout(start_node):
    node = start_node(timeout_s=1)
    peer = RawAssociation(node.port)

    kind, _body = peer.read()
    assert kind == 0x07  # A-ABORT
    peer.close()


def test_a_client_that_is_killed_leaves_nothing_half_stored(node, tool, dicom_file, tmp_path):
    path = dicom_file(make_instance(rows=4096), "large.dcm")
    tool("echoscu", "-aec", node.ae_title, "127.0.0.1", node.port)
    for delay in (0.02, 0.05, 0.1):
        client = subprocess.Popen(
            ["storescu", "-aec", node.ae_title, "127.0.0.1", str(node.port), str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)  # a moment within the transfer, wherever it falls
        client.send_signal(signal.SIGKILL)
        client.wait()
    eventually(lambda: not node.scp._ae.active_associations, 10, "the end of the associations")

    assert all(data_set(stored) == data_set(path.read_bytes()) for stored in node.stored)
    assert len(node.files) == len(node.stored)


def test_more_associations_than_allowed_are_rejected_for_the_moment(start_node, tool, dicom_file):
    node = start_node(max_associations=2)
    peers = [RawAssociation(node.port) for _ in range(2)]

    done = tool("echoscu", "-aec", node.ae_title, "127.0.0.1", node.port)

    assert "Rejected Transient" in done.stdout + done.stderr
    for peer in peers:
        peer.close()
    eventually(lambda: not node.scp._ae.active_associations, 10, "the end of the associations")
    test_echo_is_answered(tool, node)


def test_stop_ends_open_associations_and_frees_the_port(start_node, tool, dicom_file):
    node = start_node()
    peer = RawAssociation(node.port)
    port = node.port

    started = time.monotonic()
    node.scp.stop()

    assert time.monotonic() - started < 5
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    peer.close()


def test_what_was_answered_is_there_after_a_restart(tool, start_node, dicom_file):
    ds = make_instance()
    path = dicom_file(ds)
    first = start_node()
    assert store(tool, first, path).returncode == 0
    first.stop()

    again = start_node()
    (stored,) = again.stored
    assert data_set(stored) == data_set(path.read_bytes())
    assert store(tool, again, path).returncode == 0
    assert len(again.files) == 1
    assert again.counted("instances_received", source="dimse", outcome="duplicate") == 1


def test_neither_names_nor_bytes_on_disk_tell_who_it_is(tool, node, dicom_file):
    ds = make_instance()
    store(tool, node, dicom_file(ds))

    (name,) = node.files
    assert ds.SOPInstanceUID not in name
    raw = next((node._folder / "spool").rglob(name)).read_bytes()
    assert b"CANARY" not in raw.upper()
