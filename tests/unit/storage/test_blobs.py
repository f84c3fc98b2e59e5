"""Blob stores: durable, atomic, sealed by slot."""

import errno
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.domain.errors import NotFound, OutOfResources, SlotExpired, StorageFailure
from dicom_node.domain.study import Slot
from dicom_node.security.master import MasterKey
from dicom_node.storage.blobs import BlobRouter, EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.watermark import DiskWatermark

SLOT = Slot("0123abcd", 0)
CANARY = b"CANARY^PATIENT " * 100


@pytest.fixture
def keys(tmp_path):
    return KeyStore(tmp_path / "keys", MasterKey(b"m" * 32))


@pytest.fixture
def spool(tmp_path, keys):
    return EncryptedBlobs(tmp_path / "spool", "spool", keys)


@pytest.fixture(params=["encrypted", "plain"])
def blobs(request, tmp_path, keys):
    if request.param == "encrypted":
        return EncryptedBlobs(tmp_path / "spool", "spool", keys)
    return PlainBlobs(tmp_path / "spool", "spool")


def write(blobs, data, name="a.dcm", slot=SLOT):
    return blobs.write(slot, name, io.BytesIO(data))


def files_below(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_bytes_come_back_as_written(blobs, size):
    data = os.urandom(size)
    ref = write(blobs, data)
    assert ref == "spool:0123abcd/0/a.dcm"
    assert blobs.read(ref) == data


def test_stream_is_read_from_its_position_to_its_end(blobs):
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    assert blobs.read(blobs.write(SLOT, "a", stream)) == b"456789"


def test_stream_that_gives_little_at_a_time_is_read_whole(blobs):
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1000))

    data = os.urandom(2**20 + 12345)
    assert blobs.read(blobs.write(SLOT, "a", Trickle(data))) == data


def test_second_write_replaces_the_first(blobs):
    ref = write(blobs, b"first, and longer")
    assert write(blobs, b"second") == ref
    assert blobs.read(ref) == b"second"


def test_failed_write_keeps_the_first_copy_and_leaves_no_file(blobs, tmp_path):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 0:
                raise OSError(errno.ENOSPC, "full")
            return super().read(size)

    ref = write(blobs, b"first")
    before = files_below(tmp_path / "spool")
    with pytest.raises(OutOfResources):
        blobs.write(SLOT, "a.dcm", Broken(os.urandom(2**20 + 1)))
    assert blobs.read(ref) == b"first"
    assert files_below(tmp_path / "spool") == before


@pytest.mark.parametrize(
    ("number", "meaning"),
    [(errno.ENOSPC, OutOfResources), (errno.EDQUOT, OutOfResources), (errno.EIO, StorageFailure)],
)
def test_error_of_the_system_gets_its_meaning(blobs, number, meaning):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError(number, "x", "/secret/path")

    with pytest.raises(meaning) as caught:
        blobs.write(SLOT, "a", Broken())
    assert "secret" not in str(caught.value)


def test_unknown_blob_is_not_found(blobs):
    with pytest.raises(NotFound):
        blobs.read("spool:0123abcd/0/a.dcm")
    write(blobs, b"x")
    for ref in ("spool:0123abcd/0/b.dcm", "spool:0123abcd/1/a.dcm", "work:0123abcd/0/a.dcm"):
        with pytest.raises(NotFound):
            blobs.read(ref)


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "spool",
        "spool:0123abcd/0/../a",
        "spool:../0/a",
        "spool:0123abcd/0/..",
        "spool:0123abcd/0/.hidden",
        "spool:0123abcd/0/a/b",
        "spool:0123abcd/00/a",
        "spool:0123abcd/-1/a",
        "spool:/etc/passwd",
        "spool:0123abcd/0/a\n",
        "spool:0123abcd/0/a\0",
    ],
)
def test_malformed_ref_names_nothing(blobs, ref):
    write(blobs, b"x", "a")
    for call in (blobs.read, blobs.delete):
        with pytest.raises(NotFound):
            call(ref)


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", ".a", "a\0", "a b", "é", "x" * 201, "a\n"])
def test_malformed_name_is_refused(blobs, name):
    with pytest.raises(StorageFailure):
        write(blobs, b"x", name)


@pytest.mark.parametrize("slot", [Slot("..", 0), Slot("a/b", 0), Slot("", 0), Slot("a", -1), Slot("a.b", 0)])
def test_malformed_slot_is_refused(blobs, slot):
    for call in (lambda: write(blobs, b"x", slot=slot), lambda: blobs.delete_slot(slot)):
        with pytest.raises(StorageFailure):
            call()


def test_delete_removes_one_blob_and_may_run_again(blobs):
    ref, other = write(blobs, b"x"), write(blobs, b"y", "b")
    for _ in range(2):
        blobs.delete(ref)
        with pytest.raises(NotFound):
            blobs.read(ref)
    assert blobs.read(other) == b"y"


def test_delete_slot_removes_its_blobs_only_and_leaves_no_folder(blobs, tmp_path):
    for name in "abc":
        write(blobs, b"x", name)
    other = write(blobs, b"y", slot=Slot("other", 0))
    later = write(blobs, b"z", slot=Slot(SLOT.study_id, 1))
    assert [blobs.delete_slot(SLOT), blobs.delete_slot(SLOT)] == [3, 0]
    assert (blobs.read(other), blobs.read(later)) == (b"y", b"z")
    assert blobs.delete_slot(Slot(SLOT.study_id, 1)) == 1
    assert not (tmp_path / "spool" / SLOT.study_id).exists()
    assert blobs.read(write(blobs, b"again", slot=Slot(SLOT.study_id, 2))) == b"again"


def test_eight_threads_write_and_read_at_once(blobs):
    data = [os.urandom(100_000 + n) for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        refs = list(threads.map(lambda n: write(blobs, data[n], f"n{n}", Slot(f"s{n % 3}", 0)), range(40)))
        assert list(threads.map(blobs.read, refs)) == data


def test_readers_see_one_whole_copy_while_it_is_replaced(blobs):
    copies = [bytes([n]) * 300_000 for n in range(2)]
    ref = write(blobs, copies[0])
    stop = threading.Event()

    def replace():
        n = 0
        while not stop.is_set():
            n += 1
            write(blobs, copies[n % 2])

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        assert all(blobs.read(ref) in copies for _ in range(50))
    finally:
        stop.set()
        writer.join()


def test_leftovers_of_interrupted_writes_are_swept_once_they_are_old(blobs, tmp_path):
    ref = write(blobs, b"x")
    leftover = tmp_path / "spool" / ".tmp" / ".1-dead-0"
    leftover.write_bytes(b"half")
    assert blobs.sweep() == 0
    os.utime(leftover, (0, 0))
    assert blobs.sweep() == 1
    assert not leftover.exists()
    assert blobs.read(ref) == b"x"


def test_nothing_is_written_below_the_watermark(tmp_path, keys):
    blobs = EncryptedBlobs(tmp_path / "s", "spool", keys, DiskWatermark(tmp_path, 2**62))
    with pytest.raises(OutOfResources, match="min_free_mb"):
        write(blobs, b"x")
    assert files_below(tmp_path / "s") == []


def test_encrypted_files_show_nothing(spool, tmp_path):
    write(spool, CANARY)
    for file in files_below(tmp_path):
        assert b"CANARY" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


def test_blob_does_not_open_under_another_name_or_slot(spool, tmp_path):
    write(spool, CANARY)
    write(spool, CANARY, slot=Slot(SLOT.study_id, 1))
    folder = tmp_path / "spool" / SLOT.study_id
    (folder / "0" / "b.dcm").write_bytes((folder / "0" / "a.dcm").read_bytes())
    (folder / "1" / "a.dcm").write_bytes((folder / "0" / "a.dcm").read_bytes())
    for ref in ("spool:0123abcd/0/b.dcm", "spool:0123abcd/1/a.dcm"):
        with pytest.raises(StorageFailure, match="damaged"):
            spool.read(ref)


def test_blob_of_a_destroyed_key_is_gone_even_if_its_file_stays(spool, keys, tmp_path):
    ref = write(spool, CANARY)
    assert keys.destroy(SLOT)
    with pytest.raises(NotFound):
        spool.read(ref)
    with pytest.raises(SlotExpired):
        write(spool, b"late")
    restarted = EncryptedBlobs(tmp_path / "spool", "spool", KeyStore(tmp_path / "keys", MasterKey(b"m" * 32)))
    with pytest.raises(NotFound):
        restarted.read(ref)


def test_write_that_a_purge_overtakes_expires_and_leaves_nothing(spool, keys, tmp_path):
    class PurgedMeanwhile(io.BytesIO):
        def read(self, size=-1):
            if keys.destroy(SLOT):
                spool.delete_slot(SLOT)
            return super().read(size)

    write(spool, b"first")
    with pytest.raises(SlotExpired):
        spool.write(SLOT, "late", PurgedMeanwhile(b"late"))
    assert files_below(tmp_path / "spool") == []


def test_other_master_key_opens_nothing(spool, tmp_path):
    ref = write(spool, CANARY)
    other = EncryptedBlobs(tmp_path / "spool", "spool", KeyStore(tmp_path / "keys", MasterKey(b"o" * 32)))
    with pytest.raises(StorageFailure, match="master key"):
        other.read(ref)


def test_router_reads_from_the_store_that_the_ref_names(spool, tmp_path):
    results = PlainBlobs(tmp_path / "results", "results")
    router = BlobRouter({"spool": spool, "results": results})
    assert router.read(write(spool, b"s")) == b"s"
    assert router.read(write(results, b"r")) == b"r"
    for ref in ("work:0123abcd/0/a", "nonsense"):
        with pytest.raises(NotFound):
            router.read(ref)
