"""What a caller proposes beside AE titles: contexts, roles, windows, identities; and how much it may take."""

import socket
import struct
import threading
import time

import pytest
from dimse_objects import make_instance, part10
from processes import eventually
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)
from pynetdicom import AE, build_context, build_role
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import (
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_node.dimse.admission import Peer
from dicom_node.dimse.association import Address, associated
from dicom_node.dimse.limits import CountedLimits, PeerLimits, TotalLimits
from dicom_node.dimse.scp import ServerTimeouts
from dicom_node.dimse.scu import echo
from dicom_node.dimse.user_identity import KnownUser, UserIdentity
from dicom_node.domain.errors import DeliveryFailed

pytestmark = pytest.mark.integration
PRIVATE = "1.2.826.0.1.3680043.9.1"


def request(contexts, items=(), *, called="NODE", calling="CT", max_pdu=16384, name="1.2.840.10008.3.1.1.1"):
    """An A-ASSOCIATE-RQ; contexts are (id, abstract syntax, transfer syntaxes)."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = name
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = max_pdu
    implementation.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [length, implementation, *items]
    definitions = []
    for context_id, abstract_syntax, syntaxes in contexts:
        definitions.append(build_context(abstract_syntax, syntaxes))
        definitions[-1].context_id = context_id
    primitive.presentation_context_definition_list = definitions
    return A_ASSOCIATE_RQ(primitive).encode()


def answer(port, data):
    """(PDU type, body) that a request is answered with."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(data)
        kind, length = struct.unpack(">BxL", peer.recv(6, socket.MSG_WAITALL))
        return kind, peer.recv(length, socket.MSG_WAITALL)


def results(body):
    """Result by context id of an A-ASSOCIATE-AC (PS3.8 Table 9-18)."""
    found, position = {}, 68
    while position < len(body):
        kind, length = struct.unpack_from(">BxH", body, position)
        if kind == 0x21:
            found[body[position + 4]] = body[position + 6]
        position += 4 + length
    return found


def test_each_context_is_answered_for_what_it_is(node):
    """PS3.8 Table 9-18: acceptance, abstract syntax and transfer syntaxes not supported."""
    kind, body = answer(
        node.port,
        request(
            [
                (1, CTImageStorage, [ExplicitVRLittleEndian]),
                (3, CTImageStorage, [ImplicitVRLittleEndian]),
                (5, "1.2.3.4.5", [ImplicitVRLittleEndian]),
                (7, MRImageStorage, ["1.2.3.4.6"]),
                (9, MRImageStorage, ["1.2.840.10008.1.2.4.94"]),  # JPIP Referenced
                (11, ModalityWorklistInformationFind, [ImplicitVRLittleEndian]),
                (13, Verification, [ImplicitVRLittleEndian]),
            ]
        ),
    )

    assert kind == 0x02
    assert results(body) == {1: 0, 3: 0, 5: 3, 7: 4, 9: 4, 11: 3, 13: 0}


def test_128_contexts_are_answered(node):
    contexts = [(2 * n + 1, CTImageStorage, [ExplicitVRLittleEndian]) for n in range(128)]

    _kind, body = answer(node.port, request(contexts))

    assert set(results(body).values()) == {0}
    assert len(results(body)) == 128


def test_a_context_identifier_that_stands_twice_is_aborted(node, tool):
    """PS3.8 §9.3.2.2, §9.3.8: invalid PDU parameter value."""
    twice = [(1, CTImageStorage, [ExplicitVRLittleEndian]), (1, MRImageStorage, [ExplicitVRLittleEndian])]

    kind, body = answer(node.port, request(twice))

    assert (kind, body) == (0x07, b"\0\0\x02\x06")
    assert tool("echoscu", "-aec", "NODE", "127.0.0.1", node.port).returncode == 0


def test_another_application_context_is_rejected(node):
    """PS3.8 §9.3.4: application-context-name-not-supported."""
    kind, body = answer(node.port, request([(1, Verification, [ImplicitVRLittleEndian])], name="1.2.3"))

    assert (kind, body) == (0x03, b"\0\x01\x01\x02")


@pytest.mark.parametrize("dropped", [0x30, 0x40])
def test_a_context_without_a_syntax_is_aborted(node, tool, dropped):
    """PS3.8 §9.3.2.2: one abstract syntax, and at least one transfer syntax."""
    whole = request([(1, Verification, [ImplicitVRLittleEndian])])
    start = whole.index(bytes((dropped, 0)), 74 + 25)
    size = 4 + struct.unpack_from(">H", whole, start + 2)[0]
    cut = bytearray(whole[:start] + whole[start + size :])
    struct.pack_into(">L", cut, 2, len(cut) - 6)
    context = whole.index(b"\x20\0", 74)
    struct.pack_into(">H", cut, context + 2, struct.unpack_from(">H", whole, context + 2)[0] - size)

    kind, _body = answer(node.port, bytes(cut))

    assert kind == 0x07
    assert tool("echoscu", "-aec", "NODE", "127.0.0.1", node.port).returncode == 0


@pytest.mark.parametrize("configured", [True, [PRIVATE]])
def test_private_sop_classes_are_negotiated_where_that_is_configured(start_node, configured):
    node = start_node(private_sop_classes=configured)
    proposed = [(1, PRIVATE, [ExplicitVRLittleEndian]), (3, "1.2.826.0.9", [ExplicitVRLittleEndian])]

    _kind, body = answer(node.port, request(proposed))

    assert results(body) == {1: 0, 3: 0 if configured is True else 3}


def test_one_operation_at_a_time_is_answered_to_whoever_proposes_more(node):
    """PS3.7 §D.3.3.3."""
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 0

    _kind, body = answer(node.port, request([(1, Verification, [ImplicitVRLittleEndian])], [window]))

    assert b"\x53\0\0\x04\0\x01\0\x01" in body


def test_extended_negotiation_of_storage_is_left_unanswered(node):
    """PS3.7 §D.3.3.5, §D.3.3.6: what is not answered was not agreed; common items are never answered."""
    extended, common = SOPClassExtendedNegotiation(), SOPClassCommonExtendedNegotiation()
    extended.sop_class_uid = CTImageStorage
    extended.service_class_application_information = b"\x02\0\x03\0\x01\0"
    common.sop_class_uid = CTImageStorage
    common.service_class_uid = "1.2.840.10008.4.2"
    proposed = [(1, CTImageStorage, [ExplicitVRLittleEndian])]

    _kind, body = answer(node.port, request(proposed, [extended, common]))

    assert results(body) == {1: 0}
    assert b"\x56\0" not in body
    assert b"\x57\0" not in body


@pytest.mark.parametrize("max_pdu", [0, 1, 7, 64, 4096, 2**32 - 1])
def test_any_maximum_length_of_the_peer_is_kept_to(node, max_pdu):
    """PS3.8 §D.1: an answer comes in PDUs that are no longer; 0 is unlimited."""
    ae = AE("CT")
    ae.acse_timeout = ae.dimse_timeout = 10
    assoc = ae.associate(
        "127.0.0.1",
        node.port,
        [build_context(CTImageStorage, ExplicitVRLittleEndian)],
        "NODE",
        max_pdu=max_pdu,
    )
    status = assoc.send_c_store(make_instance())
    assoc.release()

    assert status.Status == 0


def test_services_that_a_peer_may_not_use_are_not_accepted(start_node):
    node = start_node(
        peers=[Peer("viewer", "CT", "127.0.0.1", 104, services=frozenset({"query"}))],
        other_services=frozenset({"store"}),
    )
    proposed = [
        (1, CTImageStorage, [ExplicitVRLittleEndian]),
        (3, StudyRootQueryRetrieveInformationModelFind, [ExplicitVRLittleEndian]),
        (5, Verification, [ImplicitVRLittleEndian]),
    ]

    assert results(answer(node.port, request(proposed))[1]) == {1: 3, 3: 3, 5: 0}
    assert results(answer(node.port, request(proposed, calling="MR"))[1]) == {1: 0, 3: 3, 5: 0}


def test_a_storage_context_in_which_the_peer_only_receives_takes_nothing(node):
    """PS3.7 §D.3.3.4: a C-STORE over it breaks the protocol; it must not be stored."""
    role = build_role(CTImageStorage, scp_role=True)
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as peer:
        peer.sendall(request([(1, CTImageStorage, [ExplicitVRLittleEndian])], [role]))
        kind, length = struct.unpack(">BxL", peer.recv(6, socket.MSG_WAITALL))
        body = peer.recv(length, socket.MSG_WAITALL)

    assert kind == 0x02
    assert results(body) == {1: 1}  # user-rejection: nothing is sent here without C-GET


USERS = [KnownUser("modality", lambda: "s3cret"), KnownUser("anna")]


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        (["--user", "modality", "--password", "s3cret"], 1),
        (["--user", "modality", "--password", "s3cret", "--pos-response"], 1),
        (["--user", "anna", "--pos-response"], 1),
        (["--user", "modality", "--password", "wrong"], 0),
        (["--user", "modality", "--empty-password"], 0),
        (["--user", "modality"], 0),
        (["--user", "nobody"], 0),
        ([], 0),
    ],
    ids=str,
)
def test_dcmtk_shows_a_user(start_node, tool, dicom_file, options, stored):
    """PS3.7 §D.3.3.7: refused by rejected-permanent of the ACSE related provider."""
    node = start_node(users=USERS)

    done = tool("storescu", *options, "-aec", "NODE", "127.0.0.1", node.port, dicom_file())

    assert (done.returncode == 0, len(node.stored)) == (bool(stored), stored), done.stderr
    assert node.counted("associations", outcome="rejected-user-identity") == 1 - stored
    assert "s3cret" not in done.stdout


@pytest.mark.parametrize("kind", ["--kerberos", "--saml", "--jwt"])
def test_identities_that_cannot_be_checked_are_refused(start_node, tool, dicom_file, tmp_path, kind):
    node = start_node(users=USERS)
    (tmp_path / "ticket").write_bytes(b"anna")

    done = tool("storescu", kind, tmp_path / "ticket", "-aec", "NODE", "127.0.0.1", node.port, dicom_file())

    assert "Rejected Permanent" in done.stdout + done.stderr
    assert not node.stored


def test_an_identity_is_confirmed_only_where_it_was_checked(start_node):
    """PS3.7 §D.3.3.7.2: an empty answer, where one was asked for."""
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field, item.positive_response_requested = 1, b"anna", True
    proposed = [(1, Verification, [ImplicitVRLittleEndian])]
    confirmation = b"\x59\0\0\x02\0\0"

    assert confirmation in answer(start_node("asks", users=USERS).port, request(proposed, [item]))[1]
    assert confirmation not in answer(start_node("asks not").port, request(proposed, [item]))[1]


def test_we_show_a_user_and_insist_on_its_confirmation(start_node):
    asks, asks_not = start_node("asks", users=USERS), start_node("asks not")
    ours = UserIdentity("modality", "s3cret", confirmed=True)

    def call(node, identity):
        echo(Address("127.0.0.1", node.port, "NODE", timeout_s=5, identity=identity))

    call(asks, ours)
    call(asks_not, UserIdentity("modality", "s3cret"))
    with pytest.raises(DeliveryFailed, match="does not confirm our user identity"):
        call(asks_not, ours)
    with pytest.raises(DeliveryFailed, match="user identity"):
        call(asks, UserIdentity("modality", "wrong"))
    with pytest.raises(DeliveryFailed, match="user identity"):
        call(asks, None)


def test_a_peer_s_limits_hold_beside_those_of_all(start_node):
    limits = CountedLimits(TotalLimits(associations=3), {"ct": PeerLimits(associations=1)})
    node = start_node(peers=[Peer("ct", "CT", "127.0.0.1", 104)], limits=limits)
    context = [build_context(Verification, ImplicitVRLittleEndian)]

    def call(calling):
        return associated(Address("127.0.0.1", node.port, "NODE", calling, timeout_s=5), context)

    with call("CT"), call("MR"):
        with pytest.raises(DeliveryFailed, match="too many associations"), call("CT"):
            pass
        with call("US"), pytest.raises(DeliveryFailed, match="too many associations"), call("XA"):
            pass
    eventually(lambda: limits.associations == 0, what="the ends")
    with call("CT"):
        pass
    assert node.counted("associations", outcome="rejected-peer-limit") == 1
    assert node.counted("associations", outcome="rejected-limit") == 1


def test_who_opens_associations_too_often_is_refused_for_the_moment(start_node):
    """PS3.8 §9.3.4: rejected-transient, temporary-congestion."""
    limits = CountedLimits(TotalLimits(), {"ct": PeerLimits(associations_per_minute=1)}, lambda: 0.0)
    node = start_node(peers=[Peer("ct", "CT", "127.0.0.1", 104)], limits=limits)
    asked = request([(1, Verification, [ImplicitVRLittleEndian])])

    assert answer(node.port, asked)[0] == 0x02
    assert answer(node.port, asked) == (0x03, b"\0\x02\x03\x01")


def test_a_peer_that_sends_too_fast_is_slowed_down(start_node, tool, dicom_file, monkeypatch):
    waits = []
    monkeypatch.setattr("dicom_node.dimse.reactor.time.sleep", waits.append)
    limits = CountedLimits(TotalLimits(), {"ct": PeerLimits(instances_per_second=1)}, lambda: 0.0)
    node = start_node(peers=[Peer("ct", "CT", "127.0.0.1", 104)], limits=limits)
    paths = [dicom_file(name=f"{n}.dcm") for n in range(3)]

    assert tool("storescu", "-aet", "CT", "-aec", "NODE", "127.0.0.1", node.port, *paths).returncode == 0

    assert [wait for wait in waits if wait >= 1] == [1, 2]
    assert len(node.stored) == 3


def test_connections_that_ask_for_nothing_leave_room_for_others(start_node, tool):
    """A port scanner, or a slow loris: beyond a number they are closed, and the rest after the ARTIM time."""
    limits = CountedLimits(TotalLimits(waiting=20, waiting_per_host=3))
    node = start_node(limits=limits, timeouts=ServerTimeouts(artim_s=2, idle_s=5, pdu_s=5))
    idle = [socket.create_connection(("127.0.0.1", node.port), timeout=10) for _ in range(5)]

    ends = [peer.recv(1) for peer in idle]
    assert ends == [b""] * 5
    assert node.counted("associations", outcome="rejected-waiting") == 2
    eventually(lambda: limits.waiting == 0, what="the ends")
    assert tool("echoscu", "-aec", "NODE", "127.0.0.1", node.port).returncode == 0
    for peer in idle:
        peer.close()


def test_a_request_that_comes_byte_by_byte_is_given_up(start_node, tool):
    """PS3.8 §9.1.5: the ARTIM timer runs until the request is there, not until the next byte is."""
    limits = CountedLimits(TotalLimits())
    node = start_node(limits=limits, timeouts=ServerTimeouts(artim_s=1, idle_s=30, pdu_s=30))
    data = request([(1, Verification, [ImplicitVRLittleEndian])])
    peer = socket.create_connection(("127.0.0.1", node.port), timeout=10)
    ended = threading.Event()

    def trickle():
        for number in range(len(data)):
            try:
                peer.sendall(data[number : number + 1])
            except OSError:
                break
            if ended.wait(0.05):
                break

    thread = threading.Thread(target=trickle)
    thread.start()
    eventually(lambda: limits.waiting == 0 and not node.scp._ae.active_associations, 20, "the end")
    ended.set()
    thread.join()
    peer.close()
    assert node.counted("associations", outcome="accepted") == 0
    assert tool("echoscu", "-aec", "NODE", "127.0.0.1", node.port).returncode == 0


def test_a_pdu_that_comes_byte_by_byte_is_given_up(start_node):
    node = start_node(timeouts=ServerTimeouts(artim_s=30, idle_s=30, pdu_s=1))
    data = part10(make_instance())
    peer = socket.create_connection(("127.0.0.1", node.port), timeout=10)
    peer.sendall(request([(1, CTImageStorage, [ExplicitVRLittleEndian])]))
    kind, length = struct.unpack(">BxL", peer.recv(6, socket.MSG_WAITALL))
    peer.recv(length, socket.MSG_WAITALL)
    assert kind == 0x02

    peer.sendall(struct.pack(">BxLLBB", 4, len(data) + 6, len(data) + 2, 1, 3))
    given_up = False
    for byte in data:
        try:
            peer.sendall(bytes((byte,)))
        except OSError:
            given_up = True
            break
        time.sleep(0.05)  # the peer is slow: that is the point
    peer.close()
    assert given_up
