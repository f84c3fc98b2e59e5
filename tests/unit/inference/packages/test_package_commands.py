"""`dicom-node models new`, `list`, `show`, `trust`, `install` on a folder of packages."""

import json

import pytest
from monai_bundles import segmentation_config, write_bundle
from typer.testing import CliRunner

from dicom_node.cli.main import app
from dicom_node.domain.errors import ConfigurationError
from inference.packages.trust import TrustStore


@pytest.fixture
def call(tmp_path):
    (tmp_path / "models").mkdir()
    config = tmp_path / "node.yaml"
    config.write_text(
        f"node: {{data_dir: {tmp_path / 'data'}}}\ninference: {{model_dirs: [{tmp_path / 'models'}]}}\n"
    )

    def run(*words, configured=True, answer=None):
        arguments = ["models", *map(str, words), *(["--config", str(config)] if configured else [])]
        return CliRunner().invoke(app, arguments, input=answer)

    return run


def test_a_bundle_is_put_into_a_package_and_runs_only_after_recorded_trust(call, tmp_path):
    write_bundle(tmp_path / "spleen", segmentation_config())
    written = call(
        "new", tmp_path / "models" / "spleen", "--from-bundle", tmp_path / "spleen", configured=False
    )
    assert written.exit_code == 0, written.output
    name = "spleen-ct-segmentation"
    assert f"{name} 0.5.9  segmentation  monai-bundle" in call("list").output
    row = json.loads(call("list", "--json").output)["models"][name]
    assert row["trusted"] is False
    refused = call("check", name, "--json")
    assert refused.exit_code == 1
    found = json.loads(refused.output)["findings"]
    assert [f["part"] for f in found if f["error"]] == ["trust"]
    assert call("trust", name, answer="n\n").exit_code == 1
    store = TrustStore(tmp_path / "data")
    assert store.digests() == frozenset()
    assert call("trust", name, answer="y\n").exit_code == 0
    assert len(store.digests()) == 1
    assert json.loads(call("show", name, "--json").output)["trusted"] is True
    assert call("trust", name, "--revoke").exit_code == 0
    events = [json.loads(line) for line in (tmp_path / "data" / "audit.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["model.trusted", "model.trust_revoked"]
    assert events[0]["sha256"] == row_hash(call, name)
    assert events[0]["actor"]


def row_hash(call, name):
    return json.loads(call("show", name, "--json").output)["weights"][0]["sha256"]


def test_nothing_is_fetched_before_the_operator_agreed(call, tmp_path):
    listed = call("install")
    assert "lungmask-r231" in listed.output
    asked = call("install", "lungmask-r231", answer="n\n")
    assert asked.exit_code == 1
    assert "https://github.com/JoHof/lungmask/releases" in asked.output
    assert "not run" in asked.output
    assert list((tmp_path / "models").iterdir()) == []


def test_a_public_model_that_comes_with_its_program_is_installed_without_fetching(call, tmp_path):
    done = call("install", "blast-ct", "--accept-licence")
    assert done.exit_code == 0, done.output
    assert "blast-ct 2.0.0  segmentation  python" in call("list").output
    assert call("check", "blast-ct").exit_code == 1, "its program is not here"


def test_a_task_or_kind_that_is_not_known_is_told(call, tmp_path):
    for words, message in (
        (["--task", "guessing"], "--task is one of"),
        (["--kind", "keras"], "--kind is one"),
    ):
        failed = call("new", tmp_path / "x", *words, configured=False)
        assert isinstance(failed.exception, ConfigurationError)
        assert message in str(failed.exception)
