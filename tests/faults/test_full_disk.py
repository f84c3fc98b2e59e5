"""A node on a small disk: it says when room gets short, refuses in time, purges, and recovers by itself."""

import io

import pytest
from processes import eventually
from small_disk import SmallDisk

pytestmark = pytest.mark.faults

MIB = 1 << 20
JSON = {"Accept": "application/dicom+json"}


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    mounted = SmallDisk(tmp_path_factory.mktemp("small") / "disk", "size=160m")
    yield mounted
    mounted.close()


@pytest.fixture(scope="module")
def node(module_node, disk):
    return module_node(
        node={"data_dir": str(disk.folder / "data"), "min_free_mb": 40, "warn_free_mb": 80},
        completion={"quiet_s": 600},
    )


@pytest.fixture
def leave(node, disk):
    """A function that leaves so many MiB free."""
    ballast = disk.folder / "ballast"

    def only(mib):
        ballast.unlink(missing_ok=True)
        disk.fill(leave=mib * MIB)
        # The node looks at its disk ten times a second while much is free.
        eventually(lambda: free(node) <= (mib + 1) * MIB, 10, "the node's look at its disk")

    yield only
    ballast.unlink(missing_ok=True)


def metric(node, name):
    (line,) = [
        line
        for line in node.http.get("/metrics").text.splitlines()
        if line.startswith(f'dicom_node_{name}{{disk="data"}}')
    ]
    return float(line.split()[1])


def level(node):
    return metric(node, "disk_level")


def free(node):
    return metric(node, "disk_free_bytes")


def ready(node):
    answer = node.http.get("/health/ready")
    body = answer.json()
    return answer.status_code, body["parts"]["disk"], body["notes"].get("disk")


def stow(node, ds):
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    headers = {"Content-Type": "application/dicom", **JSON}
    return node.http.post("/dicom-web/studies", content=buffer.getvalue(), headers=headers)


def test_low_disk_is_told_and_takes_instances(node, leave, small_t1_series, with_new_uids):
    leave(70)
    status, disk, note = ready(node)
    assert (status, disk) == (200, "ready")
    assert "min_free_mb" in note
    assert level(node) == 1
    assert "free on the data disk" in node.http.get("/").text
    assert node.send(with_new_uids(small_t1_series[:1], "low")) == [0x0000]
    assert node.output.count('"event": "disk.low"') == 1


def test_full_disk_refuses_on_every_way_in_and_recovers_by_itself(
    node, leave, small_t1_series, with_new_uids
):
    one, other = with_new_uids(small_t1_series[:2], "full")
    leave(39)
    (refused,) = node.send([one])
    assert "A700" in str(refused)
    answer = stow(node, one)
    assert answer.status_code in (409, 503)
    status, disk, _ = ready(node)
    assert status == 503
    assert "min_free_mb" in disk
    assert level(node) == 2
    # In the band between going and coming back nothing flaps.
    leave(42)
    assert node.send([one]) != [0x0000]
    assert ready(node)[0] == 503
    leave(50)
    assert node.send([one]) == [0x0000]
    assert stow(node, other).status_code == 200
    assert ready(node)[0] == 200


def test_studies_that_are_held_are_processed_and_purged_on_a_full_disk(
    node, leave, disk, small_t1_series, with_new_uids
):
    series = with_new_uids(small_t1_series, "held")
    for ds in series:
        ds.BodyPartExamined = "KNEE"  # no model fits, so that the end comes soon
    assert set(node.send(series)) == {0x0000}
    leave(30)
    study = node.study(series[0].StudyInstanceUID)
    node.http.post(f"/api/studies/{study['id']}/complete").raise_for_status()
    ended = node.wait_ended(series[0].StudyInstanceUID)
    assert ended["state"] == "rejected"
    assert ended["purged_at"] is not None
    assert not list((disk.folder / "data" / "spool").glob(f"{study['id']}/*/*"))
