import pytest

from dicom_node.domain.errors import ConfigurationError
from dicom_node.settings import load_settings


def _load(tmp_path, text):
    path = tmp_path / "node.yaml"
    path.write_text(text)
    return load_settings(path)


def test_defaults_need_no_file():
    settings = load_settings()
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert (settings.dimse.ae_title, settings.dimse.port) == ("DICOMNODE", 11112)
    assert settings.database_url == "sqlite:///data/node.db"
    assert settings.routes[0].models == ("mr-brain-extraction",)


def test_unknown_key_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigurationError, match=r"http\.prot"):
        _load(tmp_path, "http: {prot: 80}")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "node.example"])
def test_no_accounts_on_other_than_loopback_refuses_and_says_why(tmp_path, host):
    with pytest.raises(ConfigurationError, match="loopback only"):
        _load(tmp_path, f"http: {{host: '{host}'}}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_without_accounts_is_fine(tmp_path, host):
    assert _load(tmp_path, f"http: {{host: '{host}'}}").http.host == host


def test_environment_wins_over_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("DICOM_NODE_HTTP__PORT", "8181")
    assert _load(tmp_path, "http: {port: 9000, max_upload_mb: 7}").http.port == 8181
    assert _load(tmp_path, "http: {port: 9000, max_upload_mb: 7}").http.max_upload_mb == 7


def test_contract_example_loads(tmp_path):
    settings = _load(
        tmp_path,
        """
node: {data_dir: ./data}
dimse:
  port: 11112
  peers: [{name: orthanc, ae_title: ORTHANC, host: 127.0.0.1, port: 4242}]
http: {host: 127.0.0.1, port: 8080}
auth: {mode: none}
completion: {quiet_s: 10}
routes:
  - {name: mr-brain, when: {modality: MR, body_part: [BRAIN, HEAD]}, models: [mr-brain-extraction]}
destinations:
  - {name: pacs, kind: dimse, peer: orthanc, identity: original}
retention: {results_days: 30}
""",
    )
    assert settings.routes[0].when.modality == ("MR",)
    assert settings.destinations[0].peer == "orthanc"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("destinations: [{name: p, kind: dimse, peer: nobody}]", "not in dimse.peers"),
        ("destinations: [{name: p, kind: stow}]", "needs `url`"),
        ("destinations: [{name: p, kind: dimse}]", "needs `peer`"),
        ("destinations: [{name: p, kind: stow, url: 'http://x', confirm: commitment}]", "confirm: query"),
        ("destinations: [{name: p, kind: stow, url: 'http://x', transfer_syntax: implicit}]", "explicit"),
        ("- a list", "mapping of sections"),
        ("a: [", "is no YAML"),
    ],
)
def test_wrong_configuration_says_what_to_do(tmp_path, text, says):
    with pytest.raises(ConfigurationError, match=says):
        _load(tmp_path, text)


def test_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "none.yaml")


_HOOK = "name: hooks, url: 'https://hooks.example/', secret_variable: HOOK_SECRET"


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        ("name: a, secret_variable: S", "needs `url`"),
        ("name: a, url: 'https://hooks.example/'", "secret_file or secret_variable"),
        (f"{_HOOK}, secret_file: /s", "secret_file or secret_variable"),
        ("name: a, url: 'https://user:pw@hooks.example/', secret_variable: S", "no user, password or query"),
        ("name: a, url: 'ftp://hooks.example/', secret_variable: S", "http"),
        (f"{_HOOK}, events: []", "events"),
        (f"{_HOOK}, events: [everything]", "events"),
        (f"{_HOOK}, of: nowhere", "not in destinations"),
        ("name: a, kind: availability", "needs `peer`"),
        ("name: a, kind: availability, peer: nobody", "not in dimse.peers"),
        ("name: a, kind: availability, peer: p, events: [study-ended]", "results-available only"),
    ],
)
def test_listener_that_cannot_be_told_is_refused(tmp_path, listener, why):
    with pytest.raises(ConfigurationError, match=why):
        _load(tmp_path, f"notifications: [{{{listener}}}]")


def test_listener_needs_little(tmp_path):
    (listener,) = _load(tmp_path, f"notifications: [{{{_HOOK}}}]").notifications
    assert listener.events == ("results-available",)
    assert (listener.max_age_h, listener.allow_link_local) == (72, False)


def test_listeners_have_names_of_their_own(tmp_path):
    with pytest.raises(ConfigurationError, match="every name may stand once"):
        _load(tmp_path, f"notifications: [{{{_HOOK}}}, {{{_HOOK}}}]")
