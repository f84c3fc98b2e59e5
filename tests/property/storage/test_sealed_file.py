from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from dicom_node.storage.sealed_file import SealedFile

if TYPE_CHECKING:
    from pathlib import Path


@given(
    st.lists(st.binary(max_size=100), max_size=20),
    st.lists(st.tuples(st.integers(0, 2100), st.integers(0, 300)), max_size=10),
)
def test_any_stretch_of_what_was_added_is_read(pieces: list[bytes], reads: list[tuple[int, int]]) -> None:
    whole = b"".join(pieces)
    file = SealedFile()
    for piece in pieces:
        file.append(piece)
    assert file.size == len(whole)
    for offset, count in reads:
        assert file.read_at(offset, count) == whole[offset : offset + count]
    file.close()


def test_nothing_that_was_added_lies_in_the_folder_or_on_the_disk(tmp_path: Path) -> None:
    file = SealedFile(tmp_path)
    secret = b"DOE^JANE" * 1000
    file.append(secret)
    assert list(tmp_path.iterdir()) == []
    file._file.seek(0)
    assert b"DOE" not in file._file.read()
    file.close()


def test_two_files_of_the_same_bytes_differ_on_disk(tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        file = SealedFile(tmp_path)
        file.append(bytes(64))
        file._file.seek(0)
        seen.add(file._file.read())
        file.close()
    assert len(seen) == 2


def test_threads_read_at_the_same_time(tmp_path: Path) -> None:
    file = SealedFile(tmp_path)
    whole = bytes(range(256)) * 4000
    file.append(whole)
    with ThreadPoolExecutor(8) as pool:
        stretches = pool.map(
            lambda at: file.read_at(at, 5000) == whole[at : at + 5000], range(0, 10**6, 4999)
        )
        assert all(stretches)
    file.close()
