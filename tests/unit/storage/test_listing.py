"""What a store says that it holds, and how one blob is taken away."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dicom_node.domain.study import Slot
from dicom_node.storage import listing
from dicom_node.storage.blobs import EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore

SLOT, OTHER = Slot("study1", 0), Slot("study2", 3)


class Wrapper:
    def wrap(self, key, context):
        return key

    def unwrap(self, wrapped, context):
        return wrapped


@pytest.fixture
def keys(tmp_path):
    return KeyStore(tmp_path / "keys", Wrapper())


@pytest.fixture(params=["sealed", "plain"])
def store(request, tmp_path, keys):
    root = tmp_path / "blobs"
    return EncryptedBlobs(root, "spool", keys) if request.param == "sealed" else PlainBlobs(root, "spool")


def write(store, slot, name, data=b"bytes"):
    return store.write(slot, name, io.BytesIO(data))


def path_of(tmp_path, slot, name):
    return tmp_path / "blobs" / slot.study_id / str(slot.epoch) / name


def test_slots_and_their_blobs_are_listed(store):
    refs = [write(store, SLOT, "b.dcm"), write(store, SLOT, "a.dcm"), write(store, OTHER, "c.dcm")]
    assert set(store.slots()) == {SLOT, OTHER}
    found = store.listing(SLOT)
    assert [blob.ref for blob in found] == [refs[1], refs[0]]
    assert all(blob.size >= 5 for blob in found)
    assert all(abs(datetime.now(UTC) - blob.modified_at) < timedelta(minutes=1) for blob in found)
    assert store.listing(Slot("nobody", 0)) == []


def test_what_is_none_of_ours_is_not_listed(store, tmp_path):
    write(store, SLOT, "a.dcm")
    (tmp_path / "blobs" / "study1" / "notes").mkdir()
    (tmp_path / "blobs" / "lost+found" / "0").mkdir(parents=True)
    (tmp_path / "blobs" / "README").write_text("")
    path_of(tmp_path, SLOT, "odd name.dcm").write_text("")
    path_of(tmp_path, SLOT, ".hidden").write_text("")
    assert list(store.slots()) == [SLOT]
    assert len(store.listing(SLOT)) == 1


def test_blob_is_taken_away_as_it_was_listed(store):
    write(store, SLOT, "a.dcm")
    (blob,) = store.listing(SLOT)
    assert store.take_away(blob)
    assert store.listing(SLOT) == []
    assert store.take_away(blob)


def test_blob_that_was_written_again_stays(store):
    ref = write(store, SLOT, "a.dcm")
    (blob,) = store.listing(SLOT)
    write(store, SLOT, "a.dcm")
    assert not store.take_away(blob)
    assert store.read(ref) == b"bytes"
    assert len(store.listing(SLOT)) == 1


def test_write_between_the_move_and_the_look_stays(store, monkeypatch):
    """The file is looked at once it is aside: what a sender writes meanwhile has the name again."""
    ref = write(store, SLOT, "a.dcm")
    (blob,) = store.listing(SLOT)
    write(store, SLOT, "a.dcm", b"newer")
    real = listing._mark
    monkeypatch.setattr(
        listing, "_mark", lambda facts: (write(store, SLOT, "a.dcm", b"newest"), real(facts))[1]
    )
    assert not store.take_away(blob)
    assert store.read(ref) == b"newest"


def test_what_a_crash_left_aside_is_put_back(store, tmp_path):
    ref = write(store, SLOT, "a.dcm")
    path = path_of(tmp_path, SLOT, "a.dcm")
    path.rename(path.with_name(".aside-a.dcm"))
    assert [blob.ref for blob in store.listing(SLOT)] == [ref]
    assert store.read(ref) == b"bytes"
    assert list(path.parent.iterdir()) == [path]


def test_keys_tell_their_slots(keys, tmp_path):
    keys.key_for(SLOT, create=True)
    keys.key_for(OTHER, create=True)
    Path(tmp_path / "keys" / "notes.key").write_text("")
    Path(tmp_path / "keys" / ".tmp").write_text("")
    assert {slot for slot, _ in keys.slots()} == {SLOT, OTHER}
    keys.destroy(SLOT)
    ((slot, since),) = keys.slots()
    assert slot == OTHER
    assert abs(datetime.now(UTC) - since) < timedelta(minutes=1)
