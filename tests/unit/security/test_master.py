"""The master key: where it comes from, and that it stays inside."""

import copy
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.domain.errors import ConfigurationError, StorageFailure
from dicom_node.security.master import KEY_FILE_VARIABLE, MasterKey, load_master_key


def test_first_start_makes_a_key_that_later_starts_read(tmp_path):
    first = load_master_key(tmp_path, {})
    path = tmp_path / "keys" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_master_key(tmp_path, {}).derive("x") == first.derive("x")
    assert [p.name for p in path.parent.iterdir()] == ["master.key"]


def test_two_nodes_have_different_keys(tmp_path):
    assert load_master_key(tmp_path / "a", {}).derive("x") != load_master_key(tmp_path / "b", {}).derive("x")


def test_starts_that_come_at_once_get_one_key(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: load_master_key(tmp_path, {}).derive("x"), range(8)))
    assert len(made) == 1


@pytest.mark.parametrize("content", [b"k" * 32, b"6b" * 32, b"6B" * 32 + b"\r\n"])
def test_named_file_holds_bytes_or_hexadecimal_digits(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o400)
    key = load_master_key(tmp_path / "data", {KEY_FILE_VARIABLE: str(path)})
    assert key.derive("x") == MasterKey(b"k" * 32).derive("x")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_file_that_others_may_read_is_refused(tmp_path, mode):
    load_master_key(tmp_path, {})
    (tmp_path / "keys" / "master.key").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_master_key(tmp_path, {})


@pytest.mark.parametrize(
    "content", [b"", b"k" * 31, b"k" * 33, b"6b" * 31, b"zz" * 32, b"\xff" * 64, b"6b" * 33]
)
def test_file_of_another_length_is_refused_without_being_shown(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="32 bytes") as caught:
        load_master_key(tmp_path, {KEY_FILE_VARIABLE: str(path)})
    assert "kkkk" not in str(caught.value)
    assert "6b6b" not in str(caught.value)


def test_named_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_master_key(tmp_path, {KEY_FILE_VARIABLE: str(tmp_path / "none")})


def test_lost_key_is_not_replaced_while_keys_hang_on_it(tmp_path):
    load_master_key(tmp_path, {})
    (tmp_path / "keys" / "slots").mkdir()
    (tmp_path / "keys" / "slots" / "s.0.key").write_bytes(b"wrapped")
    (tmp_path / "keys" / "master.key").unlink()
    with pytest.raises(ConfigurationError, match="backup"):
        load_master_key(tmp_path, {})


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "keys").write_bytes(b"a file")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        load_master_key(tmp_path, {})


def test_purposes_have_keys_of_their_own():
    key = MasterKey(b"k" * 32)
    assert len(key.derive("vault")) == 32
    assert len({key.derive("vault"), key.derive("pseudonyms"), b"k" * 32}) == 3


def test_wrapped_key_opens_in_its_context_only():
    key = MasterKey(b"k" * 32)
    wrapped = key.wrap(b"data key", "slot:a/0")
    assert key.unwrap(wrapped, "slot:a/0") == b"data key"
    assert key.wrap(b"data key", "slot:a/0") != wrapped
    for master, context, value in (
        (key, "slot:a/1", wrapped),
        (MasterKey(b"o" * 32), "slot:a/0", wrapped),
        (key, "slot:a/0", wrapped[:-1]),
        (key, "slot:a/0", b""),
    ):
        with pytest.raises(StorageFailure, match="master key"):
            master.unwrap(value, context)


def test_key_is_never_printed_copied_or_pickled():
    key = MasterKey(b"SECRETSECRETSECRETSECRETSECRET!!")
    assert "SECRET" not in f"{key!r} {key} {[key]}"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(key)


def test_key_of_another_length_is_refused():
    with pytest.raises(ConfigurationError):
        MasterKey(b"short")
