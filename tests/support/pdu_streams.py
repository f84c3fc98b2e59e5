"""What good peers send, PDU by PDU, written by pynetdicom's own encoders: material for damaged streams."""

import struct
from io import BytesIO

from dimse_objects import make_instance, part10
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, build_role
from pynetdicom.dimse_messages import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_FIND_RQ,
    C_MOVE_RQ,
    C_STORE_RQ,
    C_STORE_RSP,
    N_ACTION_RQ,
    N_EVENT_REPORT_RQ,
)
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_FIND, C_MOVE, C_STORE, N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ABORT,
    A_ASSOCIATE,
    A_RELEASE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_node.pipeline.header import scan

_CONTEXTS = {
    1: Verification,
    3: CTImageStorage,
    5: StudyRootQueryRetrieveInformationModelFind,
    7: StudyRootQueryRetrieveInformationModelMove,
    9: StorageCommitmentPushModel,
}
_MAX_PDU = 16384


def associate_request(called="NODE", calling="FUZZ", *, rich=False):
    """An A-ASSOCIATE-RQ; `rich`: with every negotiation item of the standard."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title = calling
    primitive.called_ae_title = called
    primitive.presentation_context_definition_list = _contexts()
    length = MaximumLengthNotification()
    length.maximum_length_received = _MAX_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [length, implementation, *(_extras() if rich else ())]
    return A_ASSOCIATE_RQ(primitive).encode()


def _contexts():
    found = []
    for context_id, uid in _CONTEXTS.items():
        context = build_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        context.context_id = context_id
        found.append(context)
    return found


def _extras():
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = "FUZZ_1"
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 4
    window.maximum_number_operations_performed = 4
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid = CTImageStorage
    extended.service_class_application_information = b"\x02\x00\x03\x00\x01\x00"
    common = SOPClassCommonExtendedNegotiation()
    common.sop_class_uid = CTImageStorage
    common.service_class_uid = "1.2.840.10008.4.2"
    common.related_general_sop_class_identification = ["1.2.840.10008.5.1.4.1.1.88.22"]
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field = b"somebody"
    identity.secondary_field = b"a passcode"
    identity.positive_response_requested = True
    return (version, window, build_role(CTImageStorage, True, True), extended, common, identity)


def _message(kind, primitive, context_id, max_pdu=_MAX_PDU):
    message = kind()
    message.primitive_to_message(primitive)
    message.context_id = context_id
    return b"".join(P_DATA_TF(part).encode() for part in message.encode_msg(context_id, max_pdu))


def _encoded(ds):
    return encode(ds, is_implicit_vr=False, is_little_endian=True)


def store(ds, max_pdu=_MAX_PDU, message_id=1):
    """A C-STORE-RQ with its data set."""
    data = part10(ds)
    primitive = C_STORE()
    primitive.MessageID = message_id
    primitive.Priority = 2
    primitive.AffectedSOPClassUID = ds.SOPClassUID
    primitive.AffectedSOPInstanceUID = ds.SOPInstanceUID
    primitive.DataSet = BytesIO(data[scan(BytesIO(data)).dataset_offset :])
    return _message(C_STORE_RQ, primitive, 3, max_pdu)


def echo():
    """A C-ECHO-RQ."""
    primitive = C_ECHO()
    primitive.MessageID = 7
    primitive.AffectedSOPClassUID = Verification
    return _message(C_ECHO_RQ, primitive, 1)


def _find():
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.PatientName = "*"
    query.StudyInstanceUID = ""
    primitive = C_FIND()
    primitive.MessageID = 8
    primitive.Priority = 2
    primitive.AffectedSOPClassUID = StudyRootQueryRetrieveInformationModelFind
    primitive.Identifier = BytesIO(_encoded(query))
    return _message(C_FIND_RQ, primitive, 5)


def _move():
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = "1.2.3"
    primitive = C_MOVE()
    primitive.MessageID = 9
    primitive.Priority = 2
    primitive.MoveDestination = "ELSEWHERE"
    primitive.AffectedSOPClassUID = StudyRootQueryRetrieveInformationModelMove
    primitive.Identifier = BytesIO(_encoded(query))
    return _message(C_MOVE_RQ, primitive, 7)


def _cancel():
    primitive = C_CANCEL()
    primitive.MessageIDBeingRespondedTo = 8
    return _message(C_CANCEL_RQ, primitive, 5)


def _commit():
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = "1.2.3.4"
    request = Dataset()
    request.TransactionUID = "1.2.3.5"
    request.ReferencedSOPSequence = [item]
    primitive = N_ACTION()
    primitive.MessageID = 10
    primitive.RequestedSOPClassUID = StorageCommitmentPushModel
    primitive.RequestedSOPInstanceUID = "1.2.840.10008.1.20.1.1"
    primitive.ActionTypeID = 1
    primitive.ActionInformation = BytesIO(_encoded(request))
    return _message(N_ACTION_RQ, primitive, 9)


def _report():
    primitive = N_EVENT_REPORT()
    primitive.MessageID = 11
    primitive.AffectedSOPClassUID = StorageCommitmentPushModel
    primitive.AffectedSOPInstanceUID = "1.2.840.10008.1.20.1.1"
    primitive.EventTypeID = 1
    primitive.EventInformation = BytesIO(_encoded(Dataset()))
    return _message(N_EVENT_REPORT_RQ, primitive, 9)


def _response():
    primitive = C_STORE()
    primitive.MessageIDBeingRespondedTo = 1
    primitive.AffectedSOPClassUID = CTImageStorage
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.Status = 0x0000
    return _message(C_STORE_RSP, primitive, 3)


def release():
    """An A-RELEASE-RQ."""
    return A_RELEASE_RQ(A_RELEASE()).encode()


def _release_response():
    response = A_RELEASE()
    response.result = "affirmative"
    return A_RELEASE_RP(response).encode()


def _abort():
    primitive = A_ABORT()
    primitive.abort_source = 0
    return A_ABORT_RQ(primitive).encode()


def good_streams():
    """Whole conversations: lists of the PDUs of each."""
    plain, rich = associate_request(), associate_request(rich=True)
    small, large = make_instance(), make_instance(rows=128)
    return (
        (plain, echo(), release()),
        (rich, store(small), store(make_instance(), message_id=2), release()),
        (plain, store(large, max_pdu=4096), echo(), store(make_instance(rows=40), max_pdu=256), release()),
        (rich, _find(), _cancel(), _move(), release()),
        (plain, _commit(), _report(), _response(), release()),
        (rich, store(small), _abort()),
        (plain, release(), _release_response()),
    )


def answers(data):
    """(type, body) of the PDUs in what a node sent; raises ValueError where it ends within one."""
    position = 0
    found = []
    while position < len(data):
        if len(data) - position < 6:
            raise ValueError("a PDU header is cut off")
        kind, length = struct.unpack_from(">BxL", data, position)
        body = data[position + 6 : position + 6 + length]
        if len(body) != length:
            raise ValueError("a PDU is cut off")
        found.append((kind, body))
        position += 6 + length
    return found


def stored_uids(pdus):
    """Affected SOP Instance UIDs of the C-STORE responses with status 0000."""
    found = []
    for kind, body in pdus:
        if kind != 0x04:
            continue
        values, position = {}, 6
        while position + 8 <= len(body):
            _, number, length = struct.unpack_from("<HHL", body, position)
            values[number] = body[position + 8 : position + 8 + length]
            position += 8 + length
        if values.get(0x0100) == b"\x01\x80" and values.get(0x0900) == b"\x00\x00":
            found.append(values[0x1000].rstrip(b"\0").decode())
    return found
