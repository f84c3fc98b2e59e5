"""Data keys of slots."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.domain.errors import NotFound, OutOfResources, SlotExpired, StorageFailure
from dicom_node.domain.study import Slot
from dicom_node.security.master import MasterKey
from dicom_node.storage import keys as keys_module
from dicom_node.storage.keys import KeyStore

SLOT = Slot("0123abcd", 0)
MASTER = MasterKey(b"m" * 32)


@pytest.fixture
def keys(tmp_path):
    return KeyStore(tmp_path, MASTER)


def test_every_slot_has_a_key_of_its_own_that_survives_a_restart(keys, tmp_path):
    key = keys.key_for(SLOT, create=True)
    assert len(key) == 32
    assert keys.key_for(SLOT, create=True) == key
    assert keys.key_for(Slot(SLOT.study_id, 1), create=True) != key
    assert KeyStore(tmp_path, MASTER).key_for(SLOT, create=False) == key


def test_key_that_is_not_there_is_not_found(keys):
    with pytest.raises(NotFound):
        keys.key_for(SLOT, create=False)


def test_key_is_wrapped_and_readable_for_the_node_alone(keys, tmp_path):
    key = keys.key_for(SLOT, create=True)
    (file,) = tmp_path.iterdir()
    assert key not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600


def test_destroyed_key_is_gone_for_good(keys, tmp_path):
    keys.key_for(SLOT, create=True)
    assert [keys.destroy(SLOT), keys.destroy(SLOT)] == [True, False]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFound):
        keys.key_for(SLOT, create=False)
    with pytest.raises(SlotExpired):
        keys.key_for(SLOT, create=True)


def test_key_that_another_process_destroyed_is_not_used_from_memory(keys, tmp_path):
    keys.key_for(SLOT, create=True)
    KeyStore(tmp_path, MASTER).destroy(SLOT)
    with pytest.raises(SlotExpired):
        keys.key_for(SLOT, create=True)


def test_crash_in_the_middle_of_a_destruction_leaves_no_key(keys, tmp_path):
    keys.key_for(SLOT, create=True)
    (file,) = tmp_path.iterdir()
    file.write_bytes(bytes(file.stat().st_size))
    restarted = KeyStore(tmp_path, MASTER)
    with pytest.raises(NotFound):
        restarted.key_for(SLOT, create=False)
    with pytest.raises(SlotExpired):
        restarted.key_for(SLOT, create=True)
    assert restarted.destroy(SLOT)


def test_key_file_of_another_slot_does_not_open(keys, tmp_path):
    keys.key_for(SLOT, create=True)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / "0123abcd.1.key")
    with pytest.raises(StorageFailure):
        keys.key_for(Slot("0123abcd", 1), create=False)


def test_threads_and_stores_that_come_at_once_get_one_key(tmp_path):
    stores = [KeyStore(tmp_path, MASTER) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda store: store.key_for(SLOT, create=True), stores))
    assert len(found) == 1


def test_leftover_of_an_interrupted_creation_is_swept_once_it_is_old(tmp_path):
    young, old = tmp_path / ".1.young", tmp_path / ".1.old"
    for file in (young, old):
        file.write_bytes(b"x")
    os.utime(old, (0, 0))
    KeyStore(tmp_path, MASTER)
    assert list(tmp_path.iterdir()) == [young]


def test_more_slots_than_memory_holds_keep_their_keys(tmp_path, keys, monkeypatch):
    monkeypatch.setattr("dicom_node.storage.keys._CACHE_SIZE", 3)
    made = {n: keys.key_for(Slot(f"s{n}", 0), create=True) for n in range(10)}
    assert {n: keys.key_for(Slot(f"s{n}", 0), create=False) for n in range(10)} == made
    assert len(keys._keys) <= 3


def test_key_that_the_disk_took_in_part_is_no_key(tmp_path, monkeypatch):
    store = KeyStore(tmp_path / "keys", MASTER)
    write = os.write
    monkeypatch.setattr(keys_module.os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    with pytest.raises(OutOfResources):
        store.key_for(SLOT, create=True)
    monkeypatch.undo()
    assert list((tmp_path / "keys").iterdir()) == []
