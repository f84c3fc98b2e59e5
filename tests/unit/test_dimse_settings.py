"""What the DIMSE side refuses to be configured as, and what it warns of."""

import datetime as dt

import pytest

from dicom_node.app.admission import build_admission, build_limits, check_dimse, listening_ports
from dicom_node.app.exposure import exposures
from dicom_node.domain.errors import ConfigurationError
from dicom_node.settings import load_settings

NOW = dt.datetime.now(dt.UTC)
OWN = {"certificate_file": "own.pem"}


def configured(**dimse):
    return load_settings(dimse=dimse).dimse


def peer(name="ct", **options):
    return {"name": name, "ae_title": "CT", "host": "192.0.2.1", "port": 104, **options}


@pytest.mark.parametrize(
    ("dimse", "named"),
    [
        ({"port": None}, "listen nowhere"),
        ({"tls": {}}, "certificate_file"),
        ({"tls": {**OWN, "client_certificates": "required"}}, "needs ca_file"),
        ({"tls": {**OWN, "crl_file": "crl.pem"}}, "needs ca_file"),
        ({"tls": {**OWN, "profile": "sslv3"}}, "bcp195"),
        ({"peers": [peer(tls={"caller_name": "ct.example"})]}, "client_certificates"),
        ({"peers": [peer(tls={"fingerprint": "12:34"})]}, "64 hexadecimal digits"),
        ({"peers": [peer(tls={"key_file": "ct.key"})]}, "needs certificate_file"),
        ({"peers": [peer(hosts=["192.0.2.0/33"])]}, "192.0.2.0/33"),
        ({"peers": [peer(hosts=[" ct"])]}, "hosts"),
        ({"peers": [peer(services=["everything"])]}, "services"),
        ({"users": [{"name": "a", "passcode_file": "f", "passcode_variable": "v"}]}, "not both"),
        ({"private_sop_classes": ["no uid"]}, "digits and dots"),
        ({"private_sop_classes": ["1.2.840.10008.5.1.4.1.1.2"]}, "the standard's"),
        ({"host": "0.0.0.0", "other_services": ["store", "query"]}, "allow_list"),
    ],
)
def test_what_cannot_be_or_should_not_be_is_refused_with_a_reason(dimse, named):
    with pytest.raises(ConfigurationError, match=named):
        configured(**dimse)


@pytest.mark.parametrize(
    "safe",
    [
        {"host": "127.0.0.1"},
        {"allow_list": True},
        {"users": [{"name": "anna"}]},
        {"port": None, "tls": {**OWN, "ca_file": "ca.pem", "client_certificates": "required"}},
    ],
)
def test_others_may_read_where_it_is_known_who_they_are(safe):
    assert configured(**{"host": "0.0.0.0", "other_services": ["query"], **safe})


def test_a_fingerprint_is_taken_as_openssl_prints_it():
    printed = "sha256 Fingerprint=" + ":".join(["AB"] * 32)

    assert configured(peers=[peer(tls={"fingerprint": printed})]).peers[0].tls.fingerprint == "ab" * 32


def test_ports_are_those_that_are_configured():
    assert listening_ports(configured(port=0)) == {"plain": 0}
    assert listening_ports(configured(port=104, tls=OWN)) == {"plain": 104, "tls": 2762}
    assert listening_ports(configured(port=None, tls={**OWN, "port": 0})) == {"tls": 0}


def test_limits_and_hosts_come_from_the_configuration():
    dimse = configured(
        peers=[peer(max_associations=1, instances_per_second=5, hosts=["192.0.2.0/24"])], max_associations=3
    )
    limits, caller = build_limits(dimse), ("192.0.2.1", 1)

    assert limits.connect(caller)
    assert limits.admit(caller, "ct") is None
    assert limits.admit(("192.0.2.1", 2), "ct") == "peer"
    assert limits.is_paced("ct")
    assert build_admission(dimse)


def test_unreadable_secrets_and_certificates_stop_the_start(tmp_path, monkeypatch, authority):
    own = authority.issue("checked")
    right = {"certificate_file": str(own.certificate_file), "key_file": str(own.key_file)}
    secret = tmp_path / "passcode"
    secret.write_text("two\nlines\n")
    monkeypatch.setenv("EMPTY", "")

    check_dimse(load_settings(dimse={"tls": right, "peers": [peer(tls=right)]}))
    for dimse, named in (
        ({"tls": {"certificate_file": str(tmp_path / "none.pem")}}, "none.pem"),
        ({"users": [{"name": "a", "passcode_file": str(secret)}]}, "more than one line"),
        ({"peers": [peer(users=[{"name": "a", "passcode_variable": "EMPTY"}])]}, "peer ct"),
        ({"peers": [peer(user={"name": "a", "passcode_file": str(tmp_path / "no")})]}, "peer ct"),
        ({"peers": [peer(tls={"ca_file": str(secret)})]}, "passcode"),
    ):
        with pytest.raises(ConfigurationError, match=named):
            check_dimse(load_settings(dimse=dimse))


def told(**dimse):
    return " ".join(exposures(configured(**dimse), NOW))


def test_loopback_needs_no_warning():
    assert told() == ""


def test_what_is_open_further_than_it_looks_is_told():
    everywhere = {"host": "0.0.0.0"}

    assert "any caller that reaches 0.0.0.0 may store" in told(**everywhere)
    assert "unencrypted" in told(**everywhere)
    assert "AE title is enough to call as ct" in told(**everywhere, allow_list=True, peers=[peer()])
    bound = told(**everywhere, allow_list=True, peers=[peer(hosts=["192.0.2.1"])], tls=OWN)
    assert bound == ""


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (10.5, "ends in 10 days"), (90, "")])
def test_certificates_that_end_soon_are_told(authority, days, said):
    own = authority.issue("ending", days=(-100, days))

    text = told(tls={"certificate_file": str(own.certificate_file)})

    assert said in text
    assert bool(text) == bool(said)
