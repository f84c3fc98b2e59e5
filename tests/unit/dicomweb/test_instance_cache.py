from __future__ import annotations

import io
import threading
from typing import Any

import pytest

from dicom_node.domain.errors import NotFound
from dicomweb.instance_cache import InstanceCache


@pytest.fixture
def blobs(support: Any) -> dict[str, bytes]:
    return {f"r{n}": support.to_bytes(support.slice_dataset(n)) for n in range(4)}


def counting(blobs: dict[str, bytes]) -> tuple[list[str], Any]:
    reads: list[str] = []

    def read(ref: str) -> io.BytesIO:
        reads.append(ref)
        if ref not in blobs:
            raise NotFound("gone")
        return io.BytesIO(blobs[ref])

    return reads, read


def test_least_recently_used_goes_first(blobs: dict[str, bytes]) -> None:
    reads, read = counting(blobs)
    cache = InstanceCache(read, max_bytes=2 * len(blobs["r0"]) + 10)
    for ref in ("r0", "r1", "r0", "r2", "r0", "r1"):
        cache.get(ref)
    assert reads == ["r0", "r1", "r2", "r1"]


def test_instance_larger_than_the_cache_is_read_each_time(blobs: dict[str, bytes]) -> None:
    reads, read = counting(blobs)
    cache = InstanceCache(read, max_bytes=10)
    cache.get("r0"), cache.get("r0")
    assert reads == ["r0", "r0"]


def test_failed_read_is_tried_again(blobs: dict[str, bytes]) -> None:
    reads, read = counting(blobs)
    cache = InstanceCache(read)
    for _ in range(2):
        with pytest.raises(NotFound):
            cache.get("nothing")
    assert reads == ["nothing", "nothing"]


def test_concurrent_readers_of_one_instance_share_one_read(blobs: dict[str, bytes]) -> None:
    reads: list[str] = []
    start = threading.Barrier(8)

    def slow(ref: str) -> io.BytesIO:
        reads.append(ref)
        threading.Event().wait(0.05)
        return io.BytesIO(blobs[ref])

    cache = InstanceCache(slow)

    def get() -> None:
        start.wait()
        cache.get("r0")

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == ["r0"]
