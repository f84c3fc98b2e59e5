"""`dicom-node pull`: which studies its options name, and what Ctrl-C does."""

import pytest
from typer.testing import CliRunner

from dicom_node.cli import pull as command
from dicom_node.cli.main import app


class Client:
    def __init__(self):
        self.cancelled = []

    def __call__(self, _base_url):
        return self

    def pull(self, **wanted):
        self.wanted = {key: value for key, value in wanted.items() if value is not None}
        return {"id": "p1"}

    def pull_state(self, _pull_id):
        raise KeyboardInterrupt

    def cancel_pull(self, pull_id):
        self.cancelled.append(pull_id)


@pytest.fixture
def client(monkeypatch):
    client = Client()
    monkeypatch.setattr(command, "NodeClient", client)
    return client


def test_ctrl_c_cancels_what_the_node_fetches(client):
    ended = CliRunner().invoke(app, ["pull", "--from", "pacs", "--patient", "P1", "--since", "20260131"])
    assert ended.exit_code != 0
    assert client.wanted == {"source": "pacs", "patient_id": "P1", "since": "2026-01-31"}
    assert client.cancelled == ["p1"]


def test_options_that_name_nothing_are_refused_by_every_command_that_asks_an_archive(client):
    for name in ("pull", "find"):
        ended = CliRunner().invoke(app, [name, "--from", "pacs", "--modality", "MR"])
        assert ended.exit_code == 2
        assert "--accession" in ended.output
