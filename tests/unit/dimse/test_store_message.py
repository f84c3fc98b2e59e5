"""C-STORE messages on the wire, checked against the library's own codec."""

import io
import struct

import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000, CTImageStorage
from pynetdicom import dimse_messages
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from dicom_node.dimse.statuses import DimseStatus
from dicom_node.dimse.store_message import (
    C_STORE_RQ,
    StoreRequest,
    command_field,
    decode_command,
    encode_response,
    part10_prefix,
    store_request,
)

REQUEST = StoreRequest(
    message_id=7,
    context_id=3,
    sop_class_uid=CTImageStorage,
    sop_instance_uid="1.2.3.45",
    has_data_set=True,
    abstract_syntax=CTImageStorage,
    transfer_syntax_uid=JPEG2000,
    calling_ae_title="SENDER",
)


def read_request(encoded):
    return store_request(
        decode_command(encoded),
        context_id=3,
        abstract_syntax=CTImageStorage,
        transfer_syntax_uid=JPEG2000,
        calling_ae_title="SENDER",
    )


def library_request():
    primitive = C_STORE()
    primitive.MessageID = 7
    primitive.Priority = 0
    primitive.AffectedSOPClassUID = CTImageStorage
    primitive.AffectedSOPInstanceUID = "1.2.3.45"
    primitive.MoveOriginatorApplicationEntityTitle = "MOVER"
    primitive.MoveOriginatorMessageID = 1
    primitive.DataSet = io.BytesIO(b"xx")
    message = dimse_messages.C_STORE_RQ()
    message.primitive_to_message(primitive)
    (command, *_rest) = message.encode_msg(3, 0)
    return command.presentation_data_value_list[0][1][1:]


def decode_response(pdus):
    """What the library's decoder reads from our bytes."""
    message = dimse_messages.DIMSEMessage()
    position = 0
    while position < len(pdus):
        (length,) = struct.unpack_from(">L", pdus, position + 2)
        pdu = P_DATA_TF()
        pdu.decode(pdus[position : position + 6 + length])
        complete = message.decode_msg(pdu.to_primitive())
        position += 6 + length
    assert complete
    return message.message_to_primitive()


def test_a_request_of_the_library_is_read():
    encoded = library_request()

    assert command_field(decode_command(encoded)) == C_STORE_RQ
    assert read_request(encoded) == REQUEST


@pytest.mark.parametrize("max_pdu", [0, 16384, 64, 1])
@pytest.mark.parametrize("status", [DimseStatus(0), DimseStatus(0xA700, "too little is free, odd")])
def test_the_library_reads_our_response(status, max_pdu):
    response = decode_response(encode_response(REQUEST, status, max_pdu))

    assert response.is_valid_response
    assert response.MessageIDBeingRespondedTo == 7
    assert response.AffectedSOPClassUID == CTImageStorage
    assert response.AffectedSOPInstanceUID == "1.2.3.45"
    assert response.Status == status.code
    assert (response.ErrorComment or "") == status.comment


def test_no_pdu_of_a_response_is_longer_than_the_peer_takes():
    pdus = encode_response(REQUEST, DimseStatus(0xC000, "x" * 64), 100)

    position = 0
    while position < len(pdus):
        (length,) = struct.unpack_from(">L", pdus, position + 2)
        assert length <= 100
        position += 6 + length


@pytest.mark.parametrize(
    "encoded",
    [b"\0" * 7, struct.pack("<HHL", 0, 0x0100, 2), struct.pack("<HHLH", 8, 0x0100, 2, 1), b"\xff" * 40],
)
def test_a_malformed_command_set_is_refused(encoded):
    with pytest.raises(ValueError, match=r"malformed|cut off"):
        decode_command(encoded)


@pytest.mark.parametrize("element", [0x0002, 0x0110, 0x0800, 0x1000])
def test_a_request_without_a_required_element_is_refused(element):
    command = decode_command(library_request())
    del command[element]

    with pytest.raises(ValueError, match=f"{element:04X}"):
        store_request(command, context_id=1, abstract_syntax="", transfer_syntax_uid="", calling_ae_title="")


def test_the_file_meta_is_what_pydicom_reads():
    prefix = part10_prefix(REQUEST, "1.2.3.4", "NODE_1")

    ds = dcmread(io.BytesIO(prefix))
    assert prefix[:132] == bytes(128) + b"DICM"
    assert ds.file_meta.FileMetaInformationGroupLength == len(prefix) - 132 - 12
    assert ds.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert ds.file_meta.MediaStorageSOPInstanceUID == "1.2.3.45"
    assert ds.file_meta.TransferSyntaxUID == JPEG2000
    assert ds.file_meta.ImplementationClassUID == "1.2.3.4"
    assert ds.file_meta.ImplementationVersionName == "NODE_1"
    assert "SourceApplicationEntityTitle" not in ds.file_meta
