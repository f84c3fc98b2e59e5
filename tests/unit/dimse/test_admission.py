"""Who may open an association, before anything is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.dimse import admission
from dicom_node.dimse.admission import SERVICES, Admission, Admitted, Peer, Rejection, Request
from dicom_node.dimse.certificate import PeerCertificate
from dicom_node.dimse.hosts import Hosts
from dicom_node.dimse.user_identity import Identity, KnownUser, known_user
from dicom_node.domain.errors import ConfigurationError

PRINT = "ab" * 32


def judge(*peers, calling="CT", called="NODE", host="192.0.2.10", shown=None, hosts=None, **options):
    return Admission("NODE", peers, hosts=hosts, **options).judge(
        Request(calling, called, host, **(shown or {}))
    )


def peer(name="ct", ae_title="CT", **options):
    return Peer(name, ae_title, "192.0.2.10", 104, **options)


def certificate(*names, fingerprint=PRINT):
    return {"is_secured": True, "certificate": PeerCertificate(fingerprint, frozenset(names))}


def test_everybody_may_store_where_nothing_is_configured():
    assert judge() == Admitted("", frozenset({"store"}))


def test_a_peer_gets_the_services_that_are_configured_for_it():
    assert judge(peer()) == Admitted("ct", SERVICES)
    assert judge(peer(services=frozenset({"query"}))) == Admitted("ct", frozenset({"query"}))


def test_others_get_what_others_may():
    assert judge(peer(), calling="ELSE", other_services=frozenset()) == Admitted("", frozenset())


def test_the_allow_list_refuses_who_is_no_peer():
    """PS3.8 §9.3.4: calling-AE-title-not-recognized."""
    verdict = judge(peer(), calling="ELSE", allow_list=True)

    assert verdict == admission.UNKNOWN_CALLER
    assert verdict.fields == (1, 1, 3)
    assert judge(peer(), allow_list=True) == Admitted("ct", SERVICES)


def test_spaces_around_ae_titles_do_not_matter():
    assert judge(peer(ae_title=" CT"), calling="CT  ", allow_list=True).peer == "ct"


@pytest.mark.parametrize(("called", "expected"), [("NODE ", None), ("OTHER", (1, 1, 7))])
def test_another_called_ae_title_is_refused_where_it_is_required(called, expected):
    verdict = judge(called=called, require_called_ae_title=True)

    assert (verdict.fields if isinstance(verdict, Rejection) else None) == expected
    assert isinstance(judge(called=called), Admitted)


def test_another_application_context_is_refused():
    assert judge(shown={"application_context": "1.2.3"}).fields == (1, 1, 2)


@pytest.mark.parametrize(
    ("hosts", "host", "fits"),
    [
        ((), "198.51.100.1", True),
        (("192.0.2.10",), "192.0.2.10", True),
        (("192.0.2.10",), "192.0.2.11", False),
        (("192.0.2.0/24",), "192.0.2.200", True),
        (("192.0.2.0/24", "2001:db8::/32"), "2001:db8::5", True),
        (("192.0.2.10",), "::ffff:192.0.2.10", True),
        (("ct.example",), "198.51.100.7", True),
        (("ct.example",), "198.51.100.8", False),
        (("gone.example",), "198.51.100.7", False),
        (("192.0.2.10",), "no address", False),
        (("fe80::1",), "fe80::1%eth0", True),
    ],
)
def test_a_peer_is_known_from_its_hosts_only(hosts, host, fits):
    names = Hosts(lambda name: frozenset({"198.51.100.7"} if name == "ct.example" else ()))

    verdict = judge(peer(hosts=hosts), host=host, hosts=names)

    assert verdict == (Admitted("ct", SERVICES) if fits else admission.WRONG_HOST)


def test_peers_that_share_an_ae_title_are_told_apart_by_their_hosts():
    two = peer("a", hosts=("192.0.2.1",)), peer("b", hosts=("192.0.2.2",))

    assert [judge(*two, host=f"192.0.2.{n}") for n in (1, 2, 3)] == [
        Admitted("a", SERVICES),
        Admitted("b", SERVICES),
        admission.WRONG_HOST,
    ]


def test_a_name_is_looked_up_again_after_a_minute():
    now, asked = [0.0], []
    hosts = Hosts(lambda name: asked.append(name) or frozenset({"192.0.2.1"}), lambda: now[0])

    for now[0] in (0.0, 59.0, 61.0):
        assert hosts.matches("192.0.2.1", ("ct.example",))

    assert asked == ["ct.example"] * 2


def test_a_certificate_is_compared_by_name_or_fingerprint():
    by_name = peer(certificate_name="CT.example")
    by_print = peer(certificate_fingerprint=PRINT)

    assert judge(by_name, shown=certificate("ct.example")).peer == "ct"
    assert judge(by_print, shown=certificate()).peer == "ct"
    assert judge(by_name, shown=certificate("*.example")) == admission.WRONG_CERTIFICATE
    assert judge(by_print, shown=certificate(fingerprint="cd" * 32)) == admission.WRONG_CERTIFICATE
    assert judge(by_name, shown={"is_secured": True}) == admission.WRONG_CERTIFICATE
    assert judge(by_name) == admission.NOT_SECURED


def test_tls_can_be_required_of_a_peer():
    assert judge(peer(tls_required=True)) == admission.NOT_SECURED
    assert judge(peer(tls_required=True), shown={"is_secured": True}).peer == "ct"


ALICE, BOB = KnownUser("alice", lambda: "pässword"), KnownUser("bob")


@pytest.mark.parametrize(
    ("identity", "user"),
    [
        (Identity(2, b"alice", "pässword".encode()), "alice"),
        (Identity(2, b"alice", b"wrong"), None),
        (Identity(2, b"alice"), None),
        (Identity(1, b"alice"), None),
        (Identity(1, b"bob"), "bob"),
        (Identity(2, b"bob", b"anything"), "bob"),
        (Identity(1, b"eve"), None),
        (Identity(3, b"bob"), None),
        (Identity(4, b"bob"), None),
        (Identity(5, b"bob"), None),
        (Identity(0, b"bob"), None),
        (Identity(1, b"\xff\xfe"), None),
        (None, None),
    ],
)
def test_a_caller_must_show_a_known_user_where_users_are_configured(identity, user):
    """PS3.7 §D.3.3.7: rejected-permanent by the ACSE related provider, no reason given."""
    verdict = judge(users=[ALICE, BOB], shown={"identity": identity})

    if user is None:
        assert verdict.fields == (1, 2, 1)
    else:
        assert verdict.user == user


def test_a_peer_s_own_users_replace_the_others():
    own = peer(users=(BOB,))

    assert judge(own, users=[ALICE], shown={"identity": Identity(1, b"bob")}).user == "bob"
    assert judge(own, users=[ALICE], shown={"identity": Identity(2, b"alice", "pässword".encode())}) == (
        admission.WRONG_IDENTITY
    )


def test_nobody_is_confirmed_where_nobody_is_asked():
    assert judge(shown={"identity": Identity(2, b"alice", b"x")}).user is None


def test_a_passcode_that_cannot_be_read_lets_nobody_in():
    def unreadable():
        raise ConfigurationError("dimse: the file of its secret cannot be read")

    assert known_user([KnownUser("alice", unreadable)], Identity(2, b"alice", b"")) is None


@given(st.integers(0, 255), st.binary(), st.binary())
def test_no_identity_raises(kind, primary, secondary):
    assert known_user([ALICE, KnownUser("x")], Identity(kind, primary, secondary)) in {None, "alice", "x"}


def test_secrets_stand_in_no_text():
    shown = repr((KnownUser("alice", lambda: "pässword"), Identity(2, b"alice", b"hidden")))

    assert "hidden" not in shown
    assert "lambda" not in shown
