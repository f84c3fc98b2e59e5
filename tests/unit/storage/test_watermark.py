"""The disk watermark."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from dicom_node.domain.errors import OutOfResources, StorageFailure
from dicom_node.storage import watermark as module
from dicom_node.storage.reserved_room import ReservedRoom
from dicom_node.storage.watermark import DiskLimits, DiskWatermark, Level

MIB = 1 << 20
LIMITS = DiskLimits(100 * MIB, 400 * MIB, 1000)


class Disks:
    """File systems that say of themselves what a test wants."""

    def __init__(self):
        self.free = {}
        self.files = {}

    def statvfs(self, folder):
        name = os.path.basename(folder)  # noqa: PTH119
        return SimpleNamespace(
            f_bavail=self.free.get(name, 1000) * 256,
            f_frsize=4096,
            f_files=1_000_000 if name in self.files else 0,
            f_favail=self.files.get(name, 0),
        )

    def stat(self, folder):
        return SimpleNamespace(st_dev=hash(folder))


@pytest.fixture
def disks(monkeypatch):
    found = Disks()
    monkeypatch.setattr(module, "os", found)
    monkeypatch.setattr(module, "_CACHE_S", 0)
    return found


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_check_passes_while_enough_is_free(tmp_path):
    DiskWatermark(tmp_path, 1).check()


def test_check_raises_below_the_watermark(tmp_path):
    with pytest.raises(OutOfResources, match="min_free_mb"):
        DiskWatermark(tmp_path, 2**62).check()


def test_zero_switches_it_off(tmp_path):
    DiskWatermark(tmp_path, 0).check()


def test_disk_that_does_not_answer_is_a_storage_failure(tmp_path):
    with pytest.raises(StorageFailure):
        DiskWatermark(tmp_path / "gone", 1).check()


def test_answer_is_kept_for_a_moment_where_much_is_free(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    watermark = DiskWatermark(folder, 1)
    watermark.check()
    folder.rmdir()
    watermark.check()


def test_recovers_only_when_a_tenth_more_is_free(disks, data):
    watermark = DiskWatermark(data, LIMITS)
    levels = []
    for free in (500, 99, 105, 109, 110, 105, 99, 500):
        disks.free["data"] = free
        levels.append(watermark.look()["data"].level)
    full, low, good = Level.FULL, Level.LOW, Level.GOOD
    assert levels == [good, full, full, full, low, low, full, good]


def test_each_change_is_told_once(disks, data):
    watermark = DiskWatermark(data, LIMITS)
    with capture_logs() as said:
        for free in (500, 399, 399, 405, 90, 90, 105, 390, 500, 500):
            disks.free["data"] = free
            watermark.look()
    assert [entry["event"] for entry in said] == ["disk.low", "disk.full", "disk.low", "disk.good"]


def test_another_process_tells_nothing_again_and_refuses_in_the_same_band(disks, data):
    one = DiskWatermark(data, LIMITS, room=ReservedRoom(data / "room"))
    other = DiskWatermark(data, LIMITS, room=ReservedRoom(data / "room"))
    disks.free["data"] = 99
    one.look()
    disks.free["data"] = 105
    with capture_logs() as said, pytest.raises(OutOfResources):
        other.check()
    assert said == []


def test_few_inodes_refuse_as_few_bytes_do(disks, data):
    watermark = DiskWatermark(data, LIMITS)
    disks.files["data"] = 999
    with pytest.raises(OutOfResources, match="min_free_files"):
        watermark.check()
    disks.files["data"] = 1099
    with pytest.raises(OutOfResources, match="min_free_files"):
        watermark.check()
    disks.files["data"] = 1100
    watermark.check()


def test_full_disk_of_the_database_refuses_too(disks, data, tmp_path):
    watermark = DiskWatermark(data, LIMITS, beside={"database": tmp_path / "db"})
    (tmp_path / "db").mkdir()
    disks.free["db"] = 50
    with pytest.raises(OutOfResources, match="database disk"):
        watermark.check()
    assert "database disk" in watermark.note()


def test_folder_on_the_same_disk_counts_once(tmp_path):
    (tmp_path / "inside").mkdir()
    watermark = DiskWatermark(tmp_path, 1, beside={"inside": tmp_path / "inside"})
    assert list(watermark.look()) == ["data"]


def test_what_is_being_received_counts_as_taken(disks, data):
    watermark = DiskWatermark(data, LIMITS)
    disks.free["data"] = 200
    with watermark.reserve(60 * MIB):
        with pytest.raises(OutOfResources, match="being received"), watermark.reserve(60 * MIB):
            pass
        with watermark.reserve(40 * MIB):
            pass
    with watermark.reserve(60 * MIB):
        pass


def test_instance_that_would_not_fit_leaves_room_for_those_that_do(disks, data):
    watermark = DiskWatermark(data, LIMITS)
    disks.free["data"] = 200
    with pytest.raises(OutOfResources), watermark.reserve(101 * MIB):
        pass
    watermark.check()
    assert watermark.look()["data"].level is Level.LOW


def test_what_another_process_receives_counts_too(disks, data):
    disks.free["data"] = 200
    one = DiskWatermark(data, LIMITS, room=ReservedRoom(data / "room"))
    other = DiskWatermark(data, LIMITS, room=ReservedRoom(data / "room"))
    with one.reserve(60 * MIB), pytest.raises(OutOfResources), other.reserve(60 * MIB):
        pass
    with other.reserve(60 * MIB):
        pass


def test_what_a_killed_process_had_reserved_is_free_again(tmp_path):
    script = (
        "import sys, time; from pathlib import Path;"
        "from dicom_node.storage.reserved_room import ReservedRoom;"
        "room = ReservedRoom(Path(sys.argv[1])); room.add(1000); print(flush=True); time.sleep(60)"
    )
    room = ReservedRoom(tmp_path / "room")
    room.add(1)
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "room"], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert room.total() == 1001
        process.kill()
    assert room.total() == 1


def test_note_says_what_is_low_and_nothing_else(disks, data):
    watermark = DiskWatermark(data, LIMITS)
    assert watermark.note() is None
    disks.free["data"] = 300
    assert watermark.note().startswith("300 MiB are free on the data disk")
    watermark.check()
