"""The node calls DCMTK's servers and its own with TLS, and says what is wrong; `dicom-node echo` shows it."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from dimse_objects import make_instance, part10
from outgoing import outgoing
from processes import Child
from typer.testing import CliRunner

from dicom_node.app.admission import build_admission, build_limits, build_tls
from dicom_node.app.peers import build_address, find_peer
from dicom_node.cli.main import app
from dicom_node.dimse.probe import probe
from dicom_node.dimse.result_sender import DimseSender
from dicom_node.dimse.tls import TlsFiles, TlsServer
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed
from dicom_node.settings import load_settings

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pacs(tool, authority, tmp_path_factory):
    """DCMTK's storescp with TLS, which wants to see a certificate: (port, folder that it stores into)."""
    from ports import take_port

    tool("storescp", "--version")  # skips where DCMTK is missing
    folder = tmp_path_factory.mktemp("pacs")
    own = authority.issue("pacs", rsa_bits=2048)
    port = take_port()
    child = Child(
        [
            "storescp", "+xa", "--enable-tls", str(own.key_file), str(own.certificate_file),
            "--add-cert-file", str(authority.certificate_file), "-od", str(folder), str(port),
        ],
        tmp_path_factory.mktemp("log") / "storescp.log",
    )  # fmt: skip

    def ready():
        return (
            tool(
                "echoscu", "--enable-tls", own.key_file, own.certificate_file,
                "--add-cert-file", authority.certificate_file, "127.0.0.1", port,
            ).returncode
            == 0
        )  # fmt: skip

    child.wait_until(ready, 20)
    yield port, folder
    child.stop()


@pytest.fixture
def configured(tmp_path, client_certificate):
    """A function that gives settings with the peer `pacs`."""

    def make(port, tls=None, **peer):
        return load_settings(
            node={"data_dir": str(tmp_path / "data")},
            dimse={
                "peers": [
                    {
                        "name": "pacs", "ae_title": "PACS", "host": "localhost", "port": port, "timeout_s": 5,
                        "tls": tls, **peer,
                    }
                ]
            },
        )  # fmt: skip

    return make


def shown(certificate, **more):
    return {
        "certificate_file": str(certificate.certificate_file), "key_file": str(certificate.key_file), **more
    }  # fmt: skip


def address(settings):
    return build_address(settings, find_peer(settings, "pacs"))


def test_results_go_to_a_peer_over_tls(pacs, configured, authority):
    port, folder = pacs
    ours = authority.issue("us", rsa_bits=2048)
    settings = configured(port, shown(ours, ca_file=str(authority.certificate_file)))

    sender = DimseSender(Destination("pacs"), address(settings))
    report = sender.send(outgoing(*(part10(make_instance(rows=600)) for _ in range(3))))

    assert report.complete
    assert len(list(folder.iterdir())) == 3
    assert probe(address(settings)).security.startswith("TLSv1.")


def test_what_is_wrong_with_tls_is_said(pacs, configured, authority, stranger, free_port):
    port, _ = pacs
    trusted = {"ca_file": str(authority.certificate_file)}
    ours = authority.issue("us again", rsa_bits=2048)

    for changes, why in (
        ({"ca_file": str(stranger.certificate_file)}, "not trusted"),
        ({**trusted, "server_name": "other.example"}, "Hostname mismatch"),
        ({**trusted, "fingerprint": "ab" * 32}, "another fingerprint"),
        (trusted | shown(stranger.issue("them", rsa_bits=2048)), "does not agree on TLS"),
    ):
        with pytest.raises(DeliveryFailed, match=why):
            probe(address(configured(port, {**shown(ours), **changes})))
    with pytest.raises(DeliveryFailed, match="DICOM port, and whether it wants TLS"):
        probe(address(configured(port)))


def test_a_peer_without_tls_is_told_apart(configured, node, authority):
    with pytest.raises(DeliveryFailed, match=r"does not agree on TLS|ends the connection"):
        probe(address(configured(node.port, {"ca_file": str(authority.certificate_file)}, ae_title="NODE")))


@pytest.mark.parametrize("days", [(-10, -1), (1, 10)], ids=["expired", "not yet valid"])
def test_a_certificate_out_of_its_time_is_not_trusted(configured, start_node, authority, days):
    own = authority.issue("late", days=days)
    tls = TlsServer(TlsFiles(own.certificate_file, own.key_file))
    node = start_node(tls_port=0, tls=tls.secure)

    with pytest.raises(DeliveryFailed, match=r"certificate (has expired|is not yet valid)"):
        probe(address(configured(node.scp.tls_port, {"ca_file": str(authority.certificate_file)})))


def test_a_fingerprint_is_enough_to_trust_a_peer_s_own_certificate(configured, start_node, stranger):
    own = stranger.issue("self", hosts=("elsewhere.example",))
    node = start_node(tls_port=0, tls=TlsServer(TlsFiles(own.certificate_file, own.key_file)).secure)
    fingerprint = ":".join(own.fingerprint[i : i + 2].upper() for i in range(0, 64, 2))

    answer = probe(address(configured(node.scp.tls_port, {"fingerprint": fingerprint})))
    assert answer.security.startswith("TLSv1.3")
    with pytest.raises(DeliveryFailed, match="another fingerprint"):
        probe(address(configured(node.scp.tls_port, {"fingerprint": "0" * 64})))


def test_a_peer_that_accepts_and_says_nothing_is_given_up(configured):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DeliveryFailed, match=r"does not answer the association request within 0.5 s"):
            probe(address(configured(port, timeout_s=0.5)))
        with pytest.raises(DeliveryFailed, match=r"does not answer within 0.5 s"):
            probe(address(configured(port, {}, timeout_s=0.5)))


def test_echo_calls_all_peers_and_says_what_each_answers(node, tmp_path, free_port):
    configuration = tmp_path / "node.yaml"
    passcode = tmp_path / "passcode"
    passcode.write_text("s3cret\n")
    here = {"host": "127.0.0.1", "port": node.port}
    configuration.write_text(
        yaml.safe_dump(
            {
                "dimse": {
                    "timeout_s": 5,
                    "peers": [
                        {"name": "good", "ae_title": "NODE", **here},
                        {
                            "name": "user", "ae_title": "NODE", **here,
                            "user": {"name": "us", "passcode_file": str(passcode), "confirmed": True},
                        },
                        {"name": "nobody", "ae_title": "X", "host": "127.0.0.1", "port": free_port()},
                    ],
                }
            }
        )
    )  # fmt: skip

    done = CliRunner().invoke(app, ["echo", "--config", str(configuration)])
    found = CliRunner().invoke(
        app, ["echo", "good", f"NODE@127.0.0.1:{node.port}", "--json", "--config", str(configuration)]
    )

    assert done.exit_code == 1
    lines = [line for line in done.output.splitlines() if line.startswith(("ok", "failed"))]
    good, user, nobody = lines
    assert good.startswith(f"ok      good: NODE@127.0.0.1:{node.port} answers")
    assert "takes C-STORE" in good
    assert "does not confirm our user identity" in user
    assert "does not answer; check that the peer runs and listens there" in nobody
    assert "s3cret" not in done.output
    assert found.exit_code == 0
    answers = json.loads(found.output[found.output.index("[\n") :])
    assert [entry["answers"] for entry in answers] == [True, True]


def test_echo_names_the_peers_that_there_are(tmp_path):
    done = CliRunner().invoke(app, ["echo", "unknown"])

    assert done.exit_code == 1
    assert "'unknown' is not in dimse.peers (known: none)" in done.output


def test_the_documented_way_to_tls_works(tool, start_node, tmp_path, monkeypatch):
    """docs/connect-your-pacs.md: the certificates, the configuration and the calls of its section TLS."""
    text = (ROOT / "docs" / "connect-your-pacs.md").read_text(encoding="utf-8")
    section = text.partition("\n## TLS\n")[2].partition("\n## ")[0]
    make, configuration, call = re.findall(r"```(?:bash|yaml)\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "node.yaml").write_text(configuration)
    (tmp_path / "image.dcm").write_bytes(part10(make_instance()))

    for line in make.strip().splitlines():
        assert tool(*shlex.split(line)).returncode == 0
    dimse = load_settings(tmp_path / "node.yaml").dimse
    node = start_node(
        tls_port=0, tls=build_tls(dimse).secure, admission=build_admission(dimse), limits=build_limits(dimse)
    )
    for line in call.strip().splitlines():
        done = tool(
            *shlex.split(line.replace("192.0.2.20 2762", f"127.0.0.1 {node.scp.tls_port}")), timeout=20
        )
        assert done.returncode == 0, done.stderr
    assert len(node.stored) == 1
