"""Whatever an archive answers, the node's client ends with matches or with an error that says so."""

import socket
import struct
import threading
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from dicom_node.dimse.association import Timeouts
from dicom_node.dimse.find_scu import encoded_keys, find
from dicom_node.dimse.p_data import command_set, p_data
from dicom_node.dimse.request_line import RequestLine
from dicom_node.dimse.statuses import DimseStatus
from dicom_node.dimse.store_message import decode_command
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused

IMPLICIT = "1.2.840.10008.1.2"
BOUNDED = settings(max_examples=150, deadline=None)
RELEASED = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"


class Held:
    """What a line uses of an established association, over one end of a socket pair."""

    def __init__(self, connection):
        context = SimpleNamespace(
            abstract_syntax=StudyRootQueryRetrieveInformationModelFind,
            transfer_syntax=[IMPLICIT],
            context_id=1,
            as_scp=False,
        )
        self.accepted_contexts = [context]
        self.dimse = SimpleNamespace(maximum_pdu_size=16384)
        self.requestor = SimpleNamespace(ae_title="NODE")
        self.ae = SimpleNamespace(implementation_class_uid="1.2", implementation_version_name="T")
        self.dul = SimpleNamespace(
            kill_dul=lambda: None,
            join=lambda: None,
            socket=SimpleNamespace(socket=connection, _shutdown_socket=connection.close),
        )
        self._reactor_checkpoint = threading.Event()

    def join(self, _timeout):
        pass


def asked(answer):
    """What the node makes of the bytes that an archive answers a query with, before it hangs up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        line = RequestLine(
            Held(ours), "pacs", Timeouts.all(2), lambda _request, _stream: DimseStatus(0x0122, "no")
        )
        try:
            return list(find(line, "pacs", "STUDY", {"PatientID": ""}, lambda: None))
        except (ArchiveFailed, ArchiveRefused) as exc:
            return exc
        finally:
            line.abort()


def response(status, patient_id=None, message_id=1):
    command = {
        0x0002: str(StudyRootQueryRetrieveInformationModelFind),
        0x0100: 0x8020,
        0x0120: message_id,
        0x0800: 0x0101 if patient_id is None else 1,
        0x0900: status,
    }
    pdus = list(p_data(1, command_set(command), is_command=True, max_pdu=128))
    if patient_id is not None:
        ds = Dataset()
        ds.PatientID = patient_id
        pdus += p_data(1, encode(ds, True, True), is_command=False, max_pdu=128)
    return b"".join(pdus)


@BOUNDED
@given(st.lists(st.text(alphabet="ABC123^", min_size=1, max_size=60), max_size=5))
def test_matches_come_in_any_fragments(names):
    answer = b"".join(response(0xFF00, name) for name in names) + response(0x0000)
    assert [found.text("00100020") for found in asked(answer)] == names


@BOUNDED
@given(st.binary(max_size=300))
def test_garbage_is_an_error_that_says_who_sent_it(answer):
    outcome = asked(answer)
    assert isinstance(outcome, ArchiveFailed)
    assert "pacs" in str(outcome)


@BOUNDED
@given(st.data())
def test_damaged_answers_end_in_matches_or_an_error(data):
    answer = bytearray(response(0xFF00, "SECRET-1") + response(0xFF01, "SECRET-2") + response(0x0000))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(answer) - 1))
        answer[where] = data.draw(st.integers(0, 255))
    outcome = asked(bytes(answer))
    assert isinstance(outcome, list) or "SECRET" not in str(outcome)


@BOUNDED
@given(st.integers(0, 0xFFFF))
def test_every_status_is_an_end_or_a_match(status):
    outcome = asked(response(status, "P") + response(0x0000))
    if status in (0xFF00, 0xFF01):
        assert [found.text("00100020") for found in outcome] == ["P"]
    elif status == 0:
        assert outcome == []
    else:
        assert f"{status:04X}" in str(outcome)


def test_end_of_another_request_is_not_the_end_of_this_one():
    answer = response(0xFF00, "A") + response(0x0000, message_id=7) + response(0xFF00, "B") + response(0x0000)
    assert [found.text("00100020") for found in asked(answer)] == ["A", "B"]


@BOUNDED
@given(
    st.dictionaries(
        st.sampled_from([0x0100, 0x0110, 0x0120, 0x0800]), st.integers(0, 0xFFFF), min_size=1, max_size=4
    ),
    st.integers(7, 300),
)
def test_command_sets_are_read_back_from_their_fragments(values, max_pdu):
    pdus = list(p_data(3, command_set(values), is_command=True, max_pdu=max_pdu))
    parts = b""
    for pdu in pdus:
        kind, length, size, context_id, control = struct.unpack_from(">BxLLBB", pdu)
        assert (kind, context_id, length) == (4, 3, len(pdu) - 6)
        assert len(pdu) <= max(max_pdu, 64) + 6
        assert size == len(pdu) - 10
        assert bool(control & 2) == (pdu is pdus[-1])
        parts += pdu[12:]
    read = decode_command(parts)
    assert {n: int.from_bytes(v, "little") for n, v in read.items() if n} == values


@BOUNDED
@given(st.text(max_size=64))
def test_keys_of_any_text_can_be_written(text):
    assert encoded_keys({"PatientID": text}, (True, True, False))
