"""Studies from DIMSE archives into a real node: by C-GET and C-MOVE, killed, cancelled, counted."""

import threading
import time

import pytest
from archive_bench import study
from ports import take_port
from processes import eventually
from query_archives import StrangeArchive
from real_orthanc import RealOrthanc, require_orthanc

pytestmark = pytest.mark.integration
ENDED = {"done", "failed", "cancelled"}


class Mover(StrangeArchive):
    ae_title = "MOVER"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    require_orthanc()
    running = RealOrthanc(tmp_path_factory.mktemp("orthanc"), {})
    running.upload(study(11))
    yield running
    running.discard()


@pytest.fixture(scope="module")
def world(module_node, orthanc):
    """(node, an archive for C-GET that the node asks for counts, one for C-MOVE)."""
    port = take_port()
    getter = StrangeArchive(study(21) + study(22, series=1, instances=30))
    mover = Mover(study(31), move_to=port)
    peers = [
        {"name": "orthanc", "ae_title": "ORTHANC", "port": orthanc.dimse_port, "retrieve": "get"},
        {"name": "getter", "ae_title": "STRANGE", "port": getter.port, "retrieve": "get", "count": True},
        {"name": "mover", "ae_title": "MOVER", "port": mover.port, "retrieve": "move"},
    ]
    node = module_node(
        dimse={"port": port, "peers": [{"host": "127.0.0.1", **peer} for peer in peers]},
        completion={"quiet_s": 3600, "max_wait_s": 7200},
    )
    yield node, getter, mover
    getter.stop()
    mover.stop()


def ask(node, **wanted):
    answer = node.http.post("/api/pulls", json=wanted)
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def ended(node, where):
    return eventually(
        lambda: found if (found := node.http.get(where).json())["state"] in ENDED else None,
        60,
        "the pull's end",
    )


def completed(node, study_id):
    """The study once it has gone on to the pipeline."""
    return eventually(
        lambda: (
            s if (s := node.http.get(f"/api/studies/{study_id}").json())["state"] != "receiving" else None
        ),
        60,
        "the study's completion",
    )


def test_study_comes_from_orthanc_by_get_and_is_complete_at_once(world):
    node, *_ = world
    pull = ended(node, ask(node, source="orthanc", accession_number="ACC11"))
    assert (pull["state"], pull["expected"], pull["received"]) == ("done", 6, 6)
    whole = completed(node, pull["studies"][0])
    assert (whole["received"]["instances"], whole["completed_by"]) == (6, "pull")
    assert node.http.get("/api/pulls").json()["sources"] == ["orthanc", "getter", "mover"]
    for text in ("ACC11", "2.25.11", "CANARY"):
        assert text not in node.output
        assert text not in (node.data_dir / "audit.jsonl").read_text()
        assert text not in node.http.get("/api/pulls").text


def test_study_that_is_moved_arrives_at_the_receivers_and_counts_for_the_pull(world):
    node, _, mover = world
    pull = ended(node, ask(node, source="mover", study_instance_uid="2.25.31"))
    assert (pull["state"], pull["expected"], pull["received"]) == ("done", 6, 6)
    assert completed(node, pull["studies"][0])["completed_by"] == "pull"
    assert mover.asked["MOVE STUDY"] == 1


def test_study_is_complete_once_all_that_its_sender_counts_has_come(world):
    node, getter, _ = world
    series = study(21)
    assert node.send(series[:4], calling="STRANGE") == [0] * 4
    held = eventually(lambda: node.study("2.25.21"), 60, "the study")
    assert held["state"] == "receiving"
    eventually(lambda: getter.asked["STUDY"], 60, "the node's question")
    assert node.send(series[4:], calling="STRANGE") == [0] * 2
    whole = completed(node, held["id"])
    assert (whole["received"]["instances"], whole["completed_by"]) == (6, "count")


def test_pull_survives_a_kill_and_fetches_only_what_is_missing(world):
    node, getter, _ = world
    stalled, go_on = threading.Event(), threading.Event()

    def stall(number, _event):
        if number == 20 and not stalled.is_set():
            stalled.set()
            go_on.wait(60)

    getter.before_send = stall
    where = ask(node, source="getter", study_instance_uid="2.25.22")
    assert stalled.wait(60)
    eventually(lambda: node.http.get(where).json()["received"] == 19, 60, "the first instances")
    node.kill()
    go_on.set()
    getter.asked.clear()
    node.restart()
    pull = ended(node, where)
    assert (pull["state"], pull["expected"], pull["received"]) == ("done", 30, 30)
    assert getter.asked["GET STUDY"] == 0
    assert getter.asked["GET IMAGE"] == 1
    assert completed(node, pull["studies"][0])["received"]["instances"] == 30


def test_cancelled_pull_is_cancelled_at_the_archive(world):
    node, getter, _ = world
    for ds in study(23, series=1, instances=100):
        getter.series[ds.SOPInstanceUID] = ds
    getter.before_send = lambda _number, _event: time.sleep(0.05)
    where = ask(node, source="getter", study_instance_uid="2.25.23")
    eventually(lambda: node.http.get(where).json()["received"] > 2, 60, "the first instances")
    before = getter.cancelled
    assert node.http.post(f"{where}/cancel").status_code == 200
    pull = ended(node, where)
    assert pull["state"] == "cancelled"
    assert 2 < pull["received"] < 100
    assert getter.cancelled == before + 1


def test_archive_that_is_away_fails_the_pull_with_the_reason(world):
    node, _, mover = world
    mover.stop()
    pull = ended(node, ask(node, source="mover", study_instance_uid="2.25.31"))
    assert pull["state"] == "failed"
    assert "mover: MOVER@127.0.0.1" in pull["reason"]
    assert "2.25.31" not in pull["reason"]
