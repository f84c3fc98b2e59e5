"""Public models are fetched over https on the operator's word, compared, and never half installed."""

import datetime as dt
import hashlib
import http.server
import io
import ssl
import threading
import zipfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from toy_package import toy_manifest

from dicom_node.domain.errors import ConfigurationError, NotFound
from inference.manifest import read_manifest
from inference.packages.install import install_public
from inference.packages.public_models import PublicFile, PublicModel, public_model

CONTENT = b"weights of somebody"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def model(url, *, package=True, **file):
    manifest = {
        k: v for k, v in toy_manifest().items() if k not in {"schema", "name", "device_uid", "weights"}
    }
    return PublicModel(
        name="toy-public",
        title="Toy",
        project="https://models.example/toy",
        paper="none",
        licence="MIT",
        size="small",
        tried="not run",
        needs="nothing",
        weights=(("network", "net.pt"),) if package else (),
        files=(PublicFile(url=url, path="net.pt", **file),),
        package=manifest if package else None,
        how=None if package else "by hand",
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Answers(http.server.BaseHTTPRequestHandler):
    """`/net.pt` is there, `/plain` leads away from https, all else is not there."""

    def do_GET(self):
        if self.path == "/plain":
            self.send_response(302)
            self.send_header("Location", "http://localhost:9/net.pt")
            self.end_headers()
            return
        self.send_response(200 if self.path == "/net.pt" else 404)
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.ThreadingHTTPServer(("localhost", 0), Answers) as served:
        served.socket = context.wrap_socket(served.socket, server_side=True)
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield f"https://localhost:{served.server_port}"
        served.shutdown()
        thread.join()


def test_a_model_is_fetched_over_https_and_becomes_a_package_with_the_hash_of_what_came(server, tmp_path):
    told = []
    folder = install_public(model(f"{server}/net.pt"), tmp_path / "models", progress=told.append)
    manifest = read_manifest(folder)
    assert manifest.name == "toy-public"
    assert manifest.weights[0].sha256 == DIGEST
    assert (folder / "net.pt").read_bytes() == CONTENT
    assert any("not known" in line and DIGEST in line for line in told)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["toy-public"]


@pytest.mark.parametrize(
    ("path", "file", "message"),
    [
        ("/net.pt", {"sha256": "0" * 64}, "another file"),
        ("/net.pt", {"sha256_prefix": "00000000"}, "another file"),
        ("/gone", {}, "404"),
        ("/plain", {}, "cannot be reached|without https"),
    ],
)
def test_what_cannot_be_had_or_is_another_file_leaves_nothing(server, tmp_path, path, file, message):
    with pytest.raises(ConfigurationError, match=message):
        install_public(model(server + path, **file), tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_known_hash_is_confirmed(server, tmp_path):
    told = []
    install_public(model(f"{server}/net.pt", sha256=DIGEST), tmp_path, progress=told.append)
    assert any("as expected" in line for line in told)


def test_without_internet_access_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "localhost")
    with pytest.raises(ConfigurationError, match="--from FILE"):
        install_public(model("https://localhost:9/net.pt"), tmp_path / "models")


def test_plain_http_is_not_fetched(tmp_path):
    with pytest.raises(ConfigurationError, match="only https"):
        install_public(model("http://localhost:9/net.pt"), tmp_path / "models")


def test_a_file_that_the_operator_brought_is_taken(tmp_path):
    (tmp_path / "net.pt").write_bytes(CONTENT)
    for number, source in enumerate((tmp_path / "net.pt", tmp_path)):
        folder = install_public(model("https://models.example/net.pt"), tmp_path / str(number), source=source)
        assert (folder / "net.pt").read_bytes() == CONTENT
    with pytest.raises(ConfigurationError, match="there already"):
        install_public(model("https://models.example/net.pt"), tmp_path / "0", source=tmp_path)


def test_a_model_that_nothing_here_runs_is_kept_with_a_note(tmp_path):
    (tmp_path / "net.pt").write_bytes(CONTENT)
    folder = install_public(
        model("https://models.example/net.pt", package=False), tmp_path / "m", source=tmp_path
    )
    assert "by hand" in (folder / "HOW.txt").read_text()
    assert not (folder / "model.yaml").exists()


def archive(names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as writing:
        for name in names:
            writing.writestr(name, "x")
    return packed.getvalue()


def test_an_archive_is_unpacked_and_hashed_as_a_folder(tmp_path):
    (tmp_path / "net.zip").write_bytes(archive(["fold_0/plans.json", "fold_0/model.pth"]))
    folder = install_public(
        model("https://models.example/net.zip?download=1", unpack=True), tmp_path / "models", source=tmp_path
    )
    assert (folder / "net.pt" / "fold_0" / "plans.json").read_text() == "x"
    assert len(read_manifest(folder).weights[0].sha256) == 64


@pytest.mark.parametrize("content", [archive(["../../outside"]), archive(["/outside"]), b"no zip", b""])
def test_an_archive_that_reaches_out_or_is_none_leaves_nothing(tmp_path, content):
    (tmp_path / "net.zip").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"nothing installed|no zip"):
        install_public(model("https://models.example/net.zip", unpack=True), tmp_path / "m", source=tmp_path)
    assert list((tmp_path / "m").iterdir()) == []
    assert not (tmp_path / "outside").exists()


def test_an_unknown_model_names_those_that_are_described():
    with pytest.raises(NotFound, match="lungmask-r231"):
        public_model("nothing")
