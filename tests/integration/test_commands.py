"""The commands of docs/commands.md against a running node."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DICOM_NODE = Path(sys.executable).with_name("dicom-node")


@pytest.fixture(scope="module")
def node(module_node):
    return module_node(completion={"quiet_s": 600})  # the study comes in two pieces


@pytest.fixture(scope="module")
def files(small_t1_series, with_new_uids, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    # A foot: no rule fits, so that the pipeline ends soon.
    for number, ds in enumerate(with_new_uids(small_t1_series[:6], "commands")):
        ds.BodyPartExamined, ds.ProtocolName = "FOOT", "foot"
        ds.SeriesDescription = ds.StudyDescription = "foot"
        ds.RequestAttributesSequence[0].RequestedProcedureDescription = "foot"
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def run(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")

    def call(*arguments, expect=0):
        done = subprocess.run(
            [DICOM_NODE, *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call


@pytest.fixture(scope="module")
def configured(node):
    return ("--config", node.configuration)


@pytest.fixture(scope="module")
def study(run, node, files):
    """The id of a study that was sent by both ways, and has ended."""
    peer = f"DICOMNODE@127.0.0.1:{node.dimse_port}"
    assert "6 of 6 sent" in run("send", files, "--to", peer)
    assert "6 of 6 sent" in run("send", files, "--to", node.dicomweb_url)
    uid = str(dcmread(next(files.iterdir())).StudyInstanceUID)
    node.complete(uid, 6)
    return node.wait_ended(uid)["id"]


def test_studies_lists_and_shows(run, configured, study):
    listed = json.loads(run("studies", "--json", *configured))
    assert [row["id"] for row in listed] == [study]
    assert listed[0]["received"]["instances"] == 6
    assert "rejected" in run("studies", study, *configured)
    assert run("studies", "--state", "done", "--json", *configured).strip() == "[]"


def test_routes_explain_says_why_nothing_fitted(run, configured, study):
    assert "mr-brain" in run("routes", "list", *configured)
    told = run("routes", "explain", study, *configured)
    assert "body" in told.lower()
    assert json.loads(run("routes", "explain", study, "--json", *configured))["assignments"] == []


def test_audit_log_is_whole_and_can_be_exported(run, configured, study, tmp_path):
    assert "whole" in run("audit", "verify", *configured)
    run("audit", "export", tmp_path / "audit.json", *configured)
    events = [json.loads(line)["event"] for line in (tmp_path / "audit.json").read_text().splitlines()]
    assert "study.purged" in events


def test_anonymize_gives_the_nodes_own_uids(run, configured, node, files, study, tmp_path):
    run("anonymize", files, tmp_path / "out", *configured)
    written = [dcmread(path) for path in sorted((tmp_path / "out").rglob("*.dcm"))]
    assert len(written) == 6
    known = node.http.get(f"/api/studies/{study}").json()["study_instance_uid"]
    assert {str(ds.StudyInstanceUID) for ds in written} == {known}
    assert {str(ds.PatientName) for ds in written}.isdisjoint({"Muster^Erika"})


def test_purging_a_purged_study_does_no_harm(run, configured, study):
    run("purge", study, "--yes", *configured)


def test_checks_and_lists_end_well(run, configured):
    run("db", "check", *configured)
    run("db", "upgrade", *configured)
    run("doctor", *configured)
    assert "mr-brain-extraction" in run("models", "list", *configured)


def test_wrong_use_is_told_from_failure(run, files):
    assert "AE@host:port" in run("send", files, "--to", "nonsense", expect=1)
    run("send", files, expect=2)
    run("no-such-command", expect=2)


def test_study_that_is_not_there_is_said(run, configured, study):
    assert "no such study" in run("studies", "0" * 32, *configured, expect=1)


def test_models_are_shown_and_unknown_ones_told(run):
    assert "deepbet" in run("models", "show", "mr-brain-extraction")
    assert "nobody" in run("models", "show", "nobody", expect=1)


def test_model_is_shown_checked_and_run(run, small_t1_series, tmp_path):
    assert "MIT" in run("models", "show", "mr-brain-extraction")
    assert "as the package says" in run("models", "check", "mr-brain-extraction")
    for number, ds in enumerate(small_t1_series):
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    answer = json.loads(run("models", "run", "mr-brain-extraction", tmp_path, "--json"))
    assert answer["status"] in {"done", "rejected"}
    assert answer["gates"]
    run("models", "show", "no-such-model", expect=1)
