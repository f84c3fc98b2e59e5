"""Blobs that are written while they arrive, under names of their own."""

import errno
import os

import pytest

from dicom_node.domain.errors import OutOfResources, SlotExpired
from dicom_node.domain.study import Slot
from dicom_node.security.master import MasterKey
from dicom_node.storage import file_systems, files
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.sealing import CHUNK_BYTES
from dicom_node.storage.spool import Spool

SLOT = Slot("study1", 0)


@pytest.fixture
def keys(tmp_path):
    return KeyStore(tmp_path / "keys", MasterKey(b"m" * 32))


@pytest.fixture
def spool(tmp_path, keys):
    return Spool(tmp_path / "spool", "spool", keys)


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "spool").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2_500_000]
)
@pytest.mark.parametrize("part", [70_000, CHUNK_BYTES, 1 << 30])
def test_parts_of_any_size_come_back_as_written(spool, size, part):
    data = os.urandom(size)
    blob = spool.create(SLOT, "one.dcm")
    pieces = [data[start : start + part] for start in range(0, size, part)]
    for piece in pieces[:-1]:
        blob.write(piece)
    ref = blob.commit(memoryview(pieces[-1] if pieces else b""))

    assert ref == "spool:study1/0/one.dcm"
    assert spool.read(ref) == data
    with spool.open(ref) as stream:
        stream.seek(size // 2)
        assert stream.read() == data[size // 2 :]


def test_what_is_all_written_before_the_commit_comes_back(spool):
    blob = spool.create(SLOT, "one.dcm")
    blob.write(bytes(CHUNK_BYTES))
    assert spool.read(blob.commit()) == bytes(CHUNK_BYTES)


def test_a_name_that_is_taken_stays_what_it_was(spool):
    first = spool.create(SLOT, "one.dcm")
    second = spool.create(SLOT, "one.dcm")
    refs = [first.commit(b"first"), second.commit(b"second")]

    assert refs[0] == "spool:study1/0/one.dcm"
    assert refs[1].startswith("spool:study1/0/one-")
    assert refs[1].endswith(".dcm")
    assert [spool.read(ref) for ref in refs] == [b"first", b"second"]


def test_nothing_is_left_of_what_is_abandoned(spool, tmp_path):
    blob = spool.create(SLOT, "one.dcm")
    blob.write(bytes(3 * CHUNK_BYTES))
    blob.abandon()
    blob.abandon()
    assert kept(tmp_path) == []


def test_abandoning_what_is_committed_changes_nothing(spool):
    blob = spool.create(SLOT, "one.dcm")
    ref = blob.commit(b"durable")
    blob.abandon()
    assert spool.read(ref) == b"durable"


def test_a_sync_that_fails_leaves_no_file(spool, tmp_path, monkeypatch):
    blob = spool.create(SLOT, "one.dcm")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutOfResources):
        blob.commit(b"lost")
    blob.abandon()
    assert kept(tmp_path) == []


def test_files_show_nothing_of_what_is_in_them(spool, tmp_path):
    blob = spool.create(SLOT, "one.dcm")
    blob.write(b"CANARY" * 1000)
    blob.commit(b"CANARY")
    assert b"CANARY" not in (tmp_path / "spool" / "study1" / "0" / "one.dcm").read_bytes()


def test_nothing_goes_to_a_slot_that_is_purged(spool, keys):
    spool.create(SLOT, "one.dcm").commit(b"first")
    keys.destroy(SLOT)
    spool.delete_slot(SLOT)
    with pytest.raises(SlotExpired):
        spool.create(SLOT, "two.dcm")


def test_a_folder_that_a_purge_of_nothing_removed_is_made_again(spool, tmp_path):
    ref = spool.create(SLOT, "one.dcm").commit(b"first")
    spool.delete(ref)
    (tmp_path / "spool" / "study1" / "0").rmdir()
    assert spool.read(spool.create(SLOT, "two.dcm").commit(b"second")) == b"second"


@pytest.mark.parametrize(
    ("kind", "ordered"),
    [("ext4", True), ("xfs", True), ("tmpfs", False), ("nfs4", False), ("overlay", False)],
)
def test_only_file_systems_that_are_known_to_keep_names_in_order_count(tmp_path, monkeypatch, kind, ordered):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:5 / /proc rw - proc proc rw\n"
        f"30 1 {os.major(device)}:{os.minor(device)} / / rw shared:1 - {kind} /dev/x rw\n"
    )
    monkeypatch.setattr(file_systems, "_MOUNTS", mounts)
    assert file_systems.names_are_ordered(tmp_path) is ordered


def test_where_the_kernel_does_not_say_names_are_not_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "none")
    assert not file_systems.names_are_ordered(tmp_path)


def test_the_folder_is_synced_where_names_are_not_in_order(tmp_path, keys, monkeypatch):
    monkeypatch.setattr(files, "names_are_ordered", lambda _folder: False)
    synced = []
    spool = Spool(tmp_path / "spool", "spool", keys)
    blob = spool.create(SLOT, "one.dcm")
    monkeypatch.setattr(files, "fsync_folder", synced.append)
    blob.commit(b"data")
    assert synced == [str(tmp_path / "spool" / "study1" / "0")]
