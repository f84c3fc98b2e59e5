"""Studies from archives into a real node, by API and command: real Orthanc, and one that stalls."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import dicomweb_node
import pytest
from fastapi import Response
from misbehaving_archive import MisbehavingArchive
from processes import eventually
from real_orthanc import RealOrthanc, require_orthanc

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
ENDED = {"done", "failed", "cancelled"}


def slices(study: str, count: int = 3) -> list[Any]:
    return [
        dicomweb_node.slice_dataset(n, study=study, series=f"{study}.1", AccessionNumber=f"ACC{study[-3:]}")
        for n in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    require_orthanc()
    running = RealOrthanc(tmp_path_factory.mktemp("orthanc"), {})
    running.upload([ds for study in ("2.25.6001", "2.25.6002", "2.25.6003") for ds in slices(study)])
    yield running
    running.discard()


@pytest.fixture(scope="module")
def pulling(module_node: Any, orthanc: Any) -> Iterator[Any]:
    """A node that knows Orthanc and an archive that misbehaves on demand."""
    pacs = MisbehavingArchive(slices("2.25.7001"))
    with dicomweb_node.Served(pacs.app) as server:
        sources = [
            {"name": "pacs", "url": server.url},
            {"name": "orthanc", "url": orthanc.dicomweb_url},
        ]
        yield module_node(dicomweb={"sources": sources}, completion={"quiet_s": 3600}), pacs


def pulled(node: Any, **wanted: str) -> dict[str, Any]:
    answer = node.http.post("/api/pulls", json=wanted)
    assert answer.status_code == 202, answer.text
    where = answer.headers["location"]
    return eventually(
        lambda: found if (found := node.http.get(where).json())["state"] in ENDED else None,
        60,
        "the pull's end",
    )


def left_receiving(node: Any, study_id: str) -> Any:
    """The study once it has gone on to the pipeline."""
    return eventually(
        lambda: (
            s if (s := node.http.get(f"/api/studies/{study_id}").json())["state"] != "receiving" else None
        ),
        60,
        "the study's completion",
    )


def test_studies_come_from_orthanc_and_are_complete_at_once(pulling: Any, orthanc: Any) -> None:
    node, _ = pulling
    pull = pulled(node, source="orthanc", study_instance_uid="2.25.6001")
    assert (pull["state"], pull["expected"], pull["received"]) == ("done", 3, 3)
    (study_id,) = pull["studies"]
    assert left_receiving(node, study_id)["received"]["instances"] == 3

    pull = pulled(node, source="orthanc", accession_number="ACC002")
    assert (pull["state"], pull["received"]) == ("done", 3)

    command = [sys.executable, "-m", "dicom_node.cli", "pull", "--json", "--node", node.url]
    done = subprocess.run(
        [*command, "--from", orthanc.dicomweb_url, "--study", "2.25.6003"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"state": "done", "expected": 3, "received": 3, "reason": None}
    done = subprocess.run(
        [*command, "--from", "orthanc", "--patient", "P-1", "--since", "2024-01-01"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["expected"] == 9

    missing = pulled(node, source="orthanc", study_instance_uid="2.25.6999")
    assert (missing["state"], missing["reason"]) == (
        "failed",
        "the archive holds no study that was asked for",
    )
    assert node.http.get("/api/pulls").json()["sources"] == ["pacs", "orthanc"]
    for text in ("2.25.600", "2.25.6999", "ACC00", "P-1"):
        assert text not in node.output
        assert text not in (node.data_dir / "audit.jsonl").read_text()
        assert text not in node.http.get("/api/pulls").text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"source": "nowhere", "study_instance_uid": "1.2"}, 404),
        ({"source": "pacs"}, 400),
        ({"source": "pacs", "study_instance_uid": "../x"}, 400),
        ({"source": "pacs", "patient_id": "*"}, 400),
        ({"source": "pacs", "since": "yesterday"}, 400),
        ({"source": "pacs", "url": "http://127.0.0.1/"}, 400),
        ([], 400),
    ],
)
def test_request_that_cannot_be_met_is_refused_without_repeating_it(
    pulling: Any, body: Any, status: int
) -> None:
    node, _ = pulling
    answer = node.http.post("/api/pulls", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "../x" not in answer.text


def test_pull_survives_a_kill_and_fetches_only_what_is_missing(pulling: Any) -> None:
    node, pacs = pulling
    stalled = threading.Event()

    class Stalls(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            part = (
                b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + pacs.bytes["2.25.7001.1.1"] + b"\r\n"
            )
            kind = b'multipart/related; type="application/dicom"; boundary=edge'
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
            await send({"type": "http.response.body", "body": part + b"--edge\r\n", "more_body": True})
            stalled.set()
            while (await receive())["type"] != "http.disconnect":
                continue

    pacs.faults["studies/2.25.7001"] = [Stalls()]
    where = node.http.post("/api/pulls", json={"source": "pacs", "study_instance_uid": "2.25.7001"}).headers[
        "location"
    ]
    assert stalled.wait(60)
    eventually(lambda: node.http.get(where).json()["received"] == 1, 60, "the first instance")
    node.kill()
    node.restart()
    pull = eventually(
        lambda: found if (found := node.http.get(where).json())["state"] in ENDED else None,
        60,
        "the pull's end",
    )
    assert (pull["state"], pull["expected"], pull["received"]) == ("done", 3, 3)
    assert left_receiving(node, pull["studies"][0])["received"]["instances"] == 3
