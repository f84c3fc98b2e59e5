"""Blobs as files: read in any order, a chunk at a time, verified."""

import io
import os
import random

import pytest

from dicom_node.domain.errors import NotFound, StorageFailure
from dicom_node.domain.study import Slot
from dicom_node.security.master import MasterKey
from dicom_node.storage.blobs import BlobRouter, EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore

SLOT = Slot("0123abcd", 0)
MB = 2**20


@pytest.fixture
def keys(tmp_path):
    return KeyStore(tmp_path / "keys", MasterKey(b"m" * 32))


@pytest.fixture
def sealed(tmp_path, keys):
    return EncryptedBlobs(tmp_path / "work", "work", keys)


@pytest.fixture(params=["encrypted", "plain"])
def blobs(request, tmp_path, sealed):
    return sealed if request.param == "encrypted" else PlainBlobs(tmp_path / "work", "work")


def write(blobs, data, name="a.dcm"):
    return blobs.write(SLOT, name, io.BytesIO(data))


@pytest.mark.parametrize("size", [0, 1, MB - 1, MB, MB + 1, 3 * MB])
def test_the_file_holds_the_bytes_that_were_written(blobs, size):
    data = os.urandom(size)
    with blobs.open(write(blobs, data)) as file:
        assert file.seek(0, io.SEEK_END) == size
        assert file.read() == b""
        file.seek(0)
        assert file.read() == data


def test_any_part_can_be_read_in_any_order(blobs):
    data = os.urandom(3 * MB + 12345)
    draw = random.Random(1)
    with blobs.open(write(blobs, data)) as file:
        for _ in range(100):
            start, length = draw.randrange(len(data)), draw.choice([1, 100, 9000, MB, 2 * MB])
            file.seek(start)
            assert file.read(length) == data[start : start + length]
            assert file.tell() == min(len(data), start + length)
        assert file.seek(-5, io.SEEK_END) == len(data) - 5
        assert file.read(3) == data[-5:-2]
        file.seek(-1, io.SEEK_CUR)
        assert file.read() == data[-3:]


def test_an_open_file_is_read_to_its_end_though_the_study_is_purged(blobs, keys):
    data = os.urandom(2 * MB)
    with blobs.open(write(blobs, data)) as file:
        assert file.read(10) == data[:10]
        keys.destroy(SLOT)
        blobs.delete_slot(SLOT)
        assert file.read() == data[10:]


def test_what_was_purged_or_never_written_opens_no_more(blobs, keys):
    ref = write(blobs, b"x")
    keys.destroy(SLOT)
    blobs.delete_slot(SLOT)
    with pytest.raises(NotFound):
        blobs.open(ref)


def test_a_destroyed_key_keeps_a_file_that_stayed_closed(sealed, keys):
    ref = write(sealed, b"x")
    keys.destroy(SLOT)
    with pytest.raises(NotFound):
        sealed.open(ref)


def test_a_damaged_chunk_is_told_when_it_is_read(sealed, tmp_path):
    ref = write(sealed, os.urandom(3 * MB))
    path = tmp_path / "work" / "0123abcd" / "0" / "a.dcm"
    data = bytearray(path.read_bytes())
    data[MB + 1000] ^= 1
    path.write_bytes(data)
    with sealed.open(ref) as file:
        assert len(file.read(1000)) == 1000
        file.seek(MB)
        with pytest.raises(StorageFailure, match="damaged"):
            file.read(1000)


@pytest.mark.parametrize("kept", [0, 10, 24, 30])
def test_a_file_that_is_cut_off_at_its_start_does_not_open(sealed, tmp_path, kept):
    ref = write(sealed, b"content")
    path = tmp_path / "work" / "0123abcd" / "0" / "a.dcm"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StorageFailure, match="damaged"):
        sealed.open(ref)


def test_a_file_that_lost_its_last_chunk_is_told(sealed, tmp_path):
    ref = write(sealed, os.urandom(2 * MB))
    path = tmp_path / "work" / "0123abcd" / "0" / "a.dcm"
    path.write_bytes(path.read_bytes()[: 24 + MB + 16])
    with sealed.open(ref) as file, pytest.raises(StorageFailure, match="damaged"):
        file.read()


def test_the_router_opens_from_the_store_that_the_ref_names(sealed):
    router = BlobRouter({"work": sealed})
    with router.open(write(sealed, b"bytes")) as file:
        assert file.read() == b"bytes"
    with pytest.raises(NotFound):
        router.open("other:0123abcd/0/a.dcm")
