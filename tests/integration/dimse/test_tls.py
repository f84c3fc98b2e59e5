"""TLS with callers: DCMTK by its profiles, OpenSSL by version, and certificates that must not be trusted."""

import contextlib
import shutil
import socket
import ssl

import pytest
from processes import eventually

from dicom_node.dimse.admission import Peer
from dicom_node.dimse.association import Address
from dicom_node.dimse.scu import echo
from dicom_node.dimse.tls import TlsFiles, TlsServer
from dicom_node.domain.errors import ConfigurationError, DeliveryFailed

pytestmark = pytest.mark.integration


@pytest.fixture
def start_tls(start_node, authority, server_certificate):
    """A function that starts a node with a TLS port; returns (node, port)."""

    def start(*, clients="none", files=None, timeout_s=5, **options):
        tls = TlsServer(
            files
            or TlsFiles(
                server_certificate.certificate_file,
                server_certificate.key_file,
                authorities=authority.certificate_file,
            ),
            clients=clients,
            handshake_s=timeout_s,
            silence_s=timeout_s,
        )
        node = start_node(tls_port=0, tls=tls.secure, timeout_s=timeout_s, **options)
        return node, node.scp.tls_port

    return start


def client(authority, certificate=None, **versions):
    """OpenSSL's client, trusting the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.certificate_file)
    if certificate is not None:
        context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    for name, value in versions.items():
        setattr(context, name, value)
    return context


class Client:
    """`association.TlsClient` with any context."""

    server_name = "localhost"

    def __init__(self, context):
        self.context = lambda: context

    def verify(self, connection):
        pass


def echoes(port, context, *, calling="MODALITY"):
    """Whether a C-ECHO over TLS succeeds."""
    try:
        echo(Address("127.0.0.1", port, "NODE", calling, timeout_s=5, tls=Client(context)))
    except DeliveryFailed:
        return False
    return True


def rejected(node, outcome):
    return node.counted("associations", outcome=outcome)


@pytest.mark.parametrize("profile", ["--profile-bcp195-nd", "--profile-bcp195", "--profile-bcp195-ex"])
def test_dcmtk_stores_by_each_of_its_profiles(
    tool, start_tls, dicom_file, authority, server_certificate, profile
):
    """PS3.15 §B.9 to §B.12: what they have in common with today's profile is enough."""
    rsa = authority.issue("node-rsa", rsa_bits=2048)
    node, port = start_tls(
        files=TlsFiles(rsa.certificate_file, rsa.key_file, authorities=authority.certificate_file)
    )

    done = tool(
        "storescu", "--anonymous-tls", "--add-cert-file", authority.certificate_file, profile,
        "-aec", "NODE", "127.0.0.1", port, dicom_file(),
    )  # fmt: skip

    assert (done.returncode, len(node.stored)) == (0, 1), done.stderr


def test_dcmtk_shows_its_certificate(tool, start_tls, dicom_file, authority, client_certificate):
    rsa = authority.issue("modality-rsa", rsa_bits=2048)
    node, port = start_tls(clients="required", files=_rsa(authority))

    anonymous = tool(
        "storescu", "--anonymous-tls", "--add-cert-file", authority.certificate_file,
        "-aec", "NODE", "127.0.0.1", port, dicom_file(),
    )  # fmt: skip
    known = tool(
        "storescu", "--enable-tls", rsa.key_file, rsa.certificate_file,
        "--add-cert-file", authority.certificate_file, "-aec", "NODE", "127.0.0.1", port, dicom_file(),
    )  # fmt: skip

    assert anonymous.returncode != 0
    assert (known.returncode, len(node.stored)) == (0, 1), known.stderr
    assert rejected(node, "rejected-tls-handshake") == 1


def _rsa(authority):
    made = authority.issue("node-rsa", rsa_bits=2048)
    return TlsFiles(made.certificate_file, made.key_file, authorities=authority.certificate_file)


def test_large_instances_pass_through_tls(start_tls, authority, tool, dicom_file):
    from dimse_objects import make_instance

    node, port = start_tls(files=_rsa(authority))
    paths = [dicom_file(make_instance(rows=1500), f"{n}.dcm") for n in range(3)]

    done = tool(
        "storescu", "--anonymous-tls", "--add-cert-file", authority.certificate_file,
        "-aec", "NODE", "127.0.0.1", port, *paths,
    )  # fmt: skip

    assert (done.returncode, len(node.stored)) == (0, 3), done.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_current_versions_are_spoken(start_tls, authority, version):
    _node, port = start_tls()

    assert echoes(port, client(authority, minimum_version=version, maximum_version=version))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_versions_that_rfc_8996_forbids_are_refused(start_tls, authority, version):
    node, port = start_tls()
    context = client(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = version
    context.maximum_version = version

    with (
        pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|HANDSHAKE_FAILURE"),
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
    ):
        context.wrap_socket(plain, server_hostname="localhost")
    eventually(lambda: rejected(node, "rejected-tls-handshake") == 1, what="the count")


@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"])
def test_weak_cipher_suites_are_refused(start_tls, authority, suite):
    _node, port = start_tls()
    context = client(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite)

    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
    ):
        context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("which", ["none", "stranger's", "expired", "revoked"])
def test_client_certificates_that_are_not_trusted_are_refused(
    start_tls, authority, stranger, server_certificate, which
):
    revoked = authority.issue("lost")
    node, port = start_tls(
        clients="required",
        files=TlsFiles(
            server_certificate.certificate_file,
            server_certificate.key_file,
            authorities=authority.certificate_file,
            revoked=authority.revoke(revoked),
        ),
    )
    certificate = {
        "none": None,
        "stranger's": stranger.issue("intruder"),
        "expired": authority.issue("old", days=(-10, -1)),
        "revoked": revoked,
    }[which]

    assert not echoes(port, client(authority, certificate))
    assert echoes(port, client(authority, authority.issue("modality")))
    eventually(lambda: rejected(node, "rejected-tls-handshake") == 1, what="the count")


def test_a_peer_is_bound_to_its_certificate(start_tls, authority, client_certificate):
    by_name = Peer("ct", "CT", "192.0.2.1", 104, certificate_name="modality.example")
    by_print = Peer("mr", "MR", "192.0.2.1", 104, certificate_fingerprint=client_certificate.fingerprint)
    node, port = start_tls(clients="optional", peers=[by_name, by_print])
    other = authority.issue("other", hosts=("other.example",))

    for calling in ("CT", "MR"):
        assert echoes(port, client(authority, client_certificate), calling=calling)
        assert not echoes(port, client(authority, other), calling=calling)
        assert not echoes(port, client(authority), calling=calling)
    assert rejected(node, "rejected-certificate") == 4


def test_a_peer_that_needs_tls_is_refused_without(start_tls, authority, tool):
    node, port = start_tls(peers=[Peer("ct", "CT", "192.0.2.1", 104, tls_required=True)])

    assert echoes(port, client(authority), calling="CT")
    assert tool("echoscu", "-aet", "CT", "-aec", "NODE", "127.0.0.1", node.port).returncode != 0
    assert tool("echoscu", "-aet", "OTHER", "-aec", "NODE", "127.0.0.1", node.port).returncode == 0
    assert rejected(node, "rejected-without-tls") == 1


def test_the_plain_port_can_be_turned_off(start_tls, authority):
    node, port = start_tls(port=None)

    assert node.port == port
    assert echoes(port, client(authority))


def test_who_does_not_speak_tls_harms_nobody(start_tls, authority, tool):
    node, port = start_tls(timeout_s=1)
    silent = socket.create_connection(("127.0.0.1", port), timeout=10)
    garbage = socket.create_connection(("127.0.0.1", port), timeout=10)
    garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")

    assert tool("echoscu", "-aec", "NODE", "127.0.0.1", port).returncode != 0
    assert echoes(port, client(authority))
    for peer in (silent, garbage):
        with peer, contextlib.suppress(ConnectionResetError):
            while peer.recv(100):
                pass  # an alert, then the end
    eventually(lambda: rejected(node, "rejected-tls-handshake") == 3, what="the count")


def test_a_renewed_certificate_is_used_without_a_restart(start_tls, authority, stranger, tmp_path):
    files = TlsFiles(tmp_path / "own.pem", tmp_path / "own.key")

    def put(certificate):
        shutil.copy(certificate.key_file, files.key)
        shutil.copy(certificate.certificate_file, files.certificate)

    put(stranger.issue("first"))
    _node, port = start_tls(files=files)
    assert not echoes(port, client(authority))

    put(authority.issue("renewed"))
    assert echoes(port, client(authority))

    files.certificate.write_text("broken")  # half a copy, say: what was there goes on
    assert echoes(port, client(authority))


def test_unusable_files_are_named_before_anything_listens(authority, server_certificate, tmp_path):
    other = authority.issue("another")
    encrypted = authority.issue("encrypted", password="secret")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")

    for files, named in (
        (TlsFiles(tmp_path / "missing.pem"), "missing.pem"),
        (TlsFiles(rubbish), "rubbish.pem"),
        (TlsFiles(server_certificate.certificate_file, other.key_file), "key values mismatch"),
        (TlsFiles(encrypted.certificate_file, encrypted.key_file), "key password"),
        (
            TlsFiles(server_certificate.certificate_file, server_certificate.key_file, authorities=rubbish),
            "rubbish.pem",
        ),
    ):
        with pytest.raises(ConfigurationError, match=named):
            TlsServer(files)
    TlsServer(TlsFiles(encrypted.certificate_file, encrypted.key_file, key_password=lambda: "secret"))
