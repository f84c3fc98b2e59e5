"""Another system orders an analysis by a work item and follows it to its results (IHE AIW-I)."""

import json
import re
import subprocess
from pathlib import Path

import dicomweb_node
import httpx
import pytest
from processes import eventually
from toy_package import quick_model
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from workitem_samples import code, model, order

from dicom_node.cli.main import app
from dicom_node.domain.errors import NodeError

__all__ = ["quick_model"]

pytestmark = pytest.mark.integration

JSON = {"Content-Type": "application/dicom+json"}
ROOT = Path(__file__).parents[3]


def value(attributes, tag):
    return (attributes.get(tag, {}).get("Value") or [None])[0]


def input_of(series):
    references = [
        model(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=ds.SOPInstanceUID)
        for ds in series
    ]
    return model(
        TypeOfInstances="DICOM",
        StudyInstanceUID=series[0].StudyInstanceUID,
        SeriesInstanceUID=series[0].SeriesInstanceUID,
        ReferencedSOPSequence=references,
    )


class Orderer:
    """A system that orders from a node and listens."""

    ae_title = "ORDERER"

    def __init__(self, node):
        self.node = node
        self.root = f"{node.url}/dicom-web"

    def order(self, uid, series, **changes):
        body = order(
            InputInformationSequence=input_of(series),
            StudyInstanceUID=series[0].StudyInstanceUID,
            PatientName={"Alphabetic": str(series[0].PatientName)},
            PatientID=series[0].PatientID,
            **changes,
        )
        answer = self.node.http.post(f"/dicom-web/workitems?{uid}", json=body, headers=JSON)
        assert answer.status_code == 201, answer.text

    def subscribe(self, uid):
        answer = self.node.http.post(
            f"/dicom-web/workitems/{uid}/subscribers/{self.ae_title}?deletionlock=true"
        )
        assert answer.status_code == 201, answer.text
        return answer.headers["Content-Location"]

    def get(self, uid):
        answer = self.node.http.get(f"/dicom-web/workitems/{uid}")
        assert answer.status_code == 200, answer.text
        (attributes,) = answer.json()
        return attributes

    def state(self, uid):
        return value(self.get(uid), "00741000")


@pytest.fixture(scope="module")
def archive():
    """A DICOMweb archive with one study of a knee."""
    archived = dicomweb_node.Node()
    for number in range(1, 4):
        archived.publish(
            dicomweb_node.slice_dataset(
                number, study="1.2.826.7", series="1.2.826.7.1", BodyPartExamined="KNEE"
            )
        )
    with dicomweb_node.Served(archived.app) as served:
        yield served.url


@pytest.fixture(scope="module")
def quiet_node(module_node, archive, quick_model):
    """A node whose studies are complete by orders only."""
    return module_node(
        completion={"quiet_s": 600},
        dicomweb={"sources": [{"name": "archive", "url": archive}]},
        inference={"model_dirs": [str(quick_model)]},
        routes=[
            {"name": "head", "when": {"modality": "MR", "body_part": ["HEAD", "BRAIN"]}, "models": ["toy"]}
        ],
    )


@pytest.fixture
def orderer(quiet_node):
    return Orderer(quiet_node)


def follow(channel, until):
    """Event reports until one tells of a state."""
    told = []
    with connect(channel, proxy=None) as connection:
        while True:
            told.append(json.loads(connection.recv(timeout=120)))
            if value(told[-1], "00741000") == until:
                return told


def test_analysis_is_ordered_followed_and_read(orderer, small_t1_series):
    uid, node = "2.25.1001", orderer.node
    orderer.order(uid, small_t1_series)
    channel = orderer.subscribe(uid)
    assert channel == f"ws://127.0.0.1:{node.url.rpartition(':')[2]}/dicom-web/subscribers/ORDERER"
    assert set(node.send(small_t1_series)) == {0x0000}

    told = follow(channel, "COMPLETED")
    assert {value(event, "00001000") for event in told} == {uid}
    states = [value(event, "00741000") for event in told if value(event, "00001002") == 1]
    assert states == ["SCHEDULED", "IN PROGRESS", "COMPLETED"]
    steps = [value(value(e, "00741002"), "00741004") for e in told if value(e, "00001002") == 3]
    assert steps
    assert steps == sorted(steps)

    (performed,) = orderer.get(uid)["00741216"]["Value"]
    assert value(performed, "00404028")["00080100"]["Value"] == ["DICOMNODE"]
    assert value(performed, "00404019")["00080100"]["Value"] == ["110004"]
    study = node.study(small_t1_series[0].StudyInstanceUID)
    outputs = performed["00404033"]["Value"]
    named = set()
    for output in outputs:
        assert value(output, "0020000D") == study["study_instance_uid"]
        url = value(value(output, "0040E025"), "00081190")
        found = node.http.get(f"{url}/instances").json()
        references = {value(item, "00081155") for item in output["00081199"]["Value"]}
        assert {value(row, "00080018") for row in found} == references
        named |= references
    assert named == {result["sop_instance_uid"] for result in study["results"]}

    log = node.output + (node.data_dir / "audit.jsonl").read_text()
    for secret in (
        str(small_t1_series[0].PatientName),
        small_t1_series[0].PatientID,
        small_t1_series[0].StudyInstanceUID,
    ):
        assert secret not in log
        for path in node.data_dir.glob("*.db*"):
            assert secret.encode() not in path.read_bytes()


def test_study_that_no_model_fits_cancels_the_work_item_with_the_reason(
    orderer, small_t1_series, with_new_uids
):
    uid, series = "2.25.1002", with_new_uids(small_t1_series[:4], "no-model")
    for ds in series:
        ds.Modality = "MR"
        ds.BodyPartExamined = "KNEE"
    orderer.order(uid, series)
    assert set(orderer.node.send(series)) == {0x0000}
    eventually(lambda: orderer.state(uid) == "CANCELED", 60, "the end of the work item")
    progress = value(orderer.get(uid), "00741002")
    assert value(value(progress, "0074100E"), "00080100") == "110522"
    assert value(progress, "00741238").startswith("no route")


def test_study_that_is_not_here_is_fetched_from_the_archive_that_the_order_names(orderer, archive):
    uid = "2.25.1005"
    retrieval = model(RetrieveURL=f"{archive}/studies/1.2.826.7")
    named = model(StudyInstanceUID="1.2.826.7", WADORSRetrievalSequence=retrieval)
    body = order(StudyInstanceUID="1.2.826.7", InputInformationSequence=named)
    assert orderer.node.http.post(f"/dicom-web/workitems?{uid}", json=body, headers=JSON).status_code == 201
    eventually(lambda: orderer.state(uid) == "CANCELED", 60, "the end of the work item")
    assert orderer.node.study("1.2.826.7")["received"]["instances"] == 3
    progress = value(orderer.get(uid), "00741002")
    assert value(value(progress, "0074100E"), "00080100") == "110522"


@pytest.fixture
def closed_clients(monkeypatch):
    """Commands leave their connections to the end of the process; here that is the test's."""
    opened, kind = [], httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: opened.append(kind(**options)) or opened[-1])
    yield
    for client in opened:
        client.close()


def test_analysis_is_ordered_and_watched_from_the_command_line(orderer, closed_clients):
    def run(*arguments):
        done = CliRunner().invoke(app, ["worklist", *arguments, "--config", str(orderer.node.configuration)])
        assert done.exit_code == 0, done.output
        return done.output

    uid = run("order", "1.2.3.4.5", "--patient-id", "CANARY-ID", "--priority", "HIGH").strip()
    assert value(orderer.get(uid), "00741200") == "HIGH"
    listed = run("list", "--state", "SCHEDULED")
    assert "HIGH" in listed
    assert "CANARY" not in listed
    run("cancel", uid, "--reason", "no longer needed")
    shown = run("show", uid)
    assert "CANCELED" in shown
    assert "no longer needed" in shown
    assert "CANARY" not in shown
    missing = CliRunner().invoke(app, ["worklist", "show", "2.25.404", "--url", orderer.node.url])
    assert isinstance(missing.exception, NodeError)
    assert "404" in str(missing.exception)


def test_another_system_claims_what_is_not_the_nodes(orderer, small_t1_series):
    uid = "2.25.1004"
    orderer.order(uid, small_t1_series[:1], ScheduledStationNameCodeSequence=code("OTHER"))
    claim = [model(ProcedureStepState="IN PROGRESS", TransactionUID="2.25.5")]
    answer = orderer.node.http.put(f"/dicom-web/workitems/{uid}/state/OTHER", json=claim, headers=JSON)
    assert answer.status_code == 200
    assert orderer.state(uid) == "IN PROGRESS"


def test_page_of_another_site_opens_no_channel(orderer):
    with pytest.raises((ConnectionClosed, Exception)) as caught:
        connect(
            f"{orderer.root.replace('http', 'ws')}/subscribers/X", origin="http://evil.example", proxy=None
        )
    assert "403" in str(caught.value)


def test_documented_commands_work(orderer, tmp_path):
    text = (ROOT / "docs" / "order-an-analysis.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = blocks[0].replace("http://127.0.0.1:8080", orderer.node.url).splitlines()
    # The stream ends when nobody reads it any longer.
    script = "\n".join(f"timeout 1 {line} || true" if " -N " in line else line for line in lines)
    claim = blocks[1]
    done = subprocess.run(
        [
            "bash",
            "-e",
            "-c",
            script.replace("curl ", "curl -sS --fail-with-body ")
            + "\n"
            + claim.replace("curl ", "curl -sS --fail-with-body "),
        ],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"Doe^Jane"' in done.stdout
    assert "data: {" in done.stdout
