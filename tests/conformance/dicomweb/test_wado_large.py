"""Large instances go out in bounded memory, and what breaks on the way is told (PS3.18 §10.4.3)."""

from __future__ import annotations

import io
import struct
import tracemalloc
from typing import Any

import httpx
import pytest

from dicom_node.domain.errors import StorageFailure
from dicomweb.instance_cache import InstanceCache
from dicomweb.media_types import Offer
from dicomweb.wado.service import RetrieveService

MB = 2**20
FRAMES = 512
FRAME = MB // 2
NATIVE = "1.2.840.10008.1.2.1"
I1 = "/dicom-web/studies/2.25.10/series/2.25.20/instances/2.25.20.1"

pytestmark = pytest.mark.clause("10.4.3")


class LargeFile(io.RawIOBase):
    """A header, and then frames whose bytes are their number; nothing of it lies in memory."""

    def __init__(self, head: bytes, frames: int = FRAMES, fails_at: int | None = None) -> None:
        self._head, self._size, self._at = head, len(head) + frames * FRAME, 0
        self._fails_at = fails_at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        count = left if size < 0 else min(size, left)
        assert count <= 4 * MB, "nobody reads so much at once"
        if self._fails_at is not None and self._at + count > self._fails_at:
            raise StorageFailure("the disk failed")
        start, self._at = self._at, self._at + count
        head = self._head[start : start + count]
        first = max(0, start - len(self._head))
        left = count - len(head)
        body = b""
        if left:
            numbers = range(first // FRAME, (first + left - 1) // FRAME + 1)
            body = b"".join(bytes([number % 251]) * FRAME for number in numbers)
            body = body[first % FRAME : first % FRAME + left]
        return head + body


@pytest.fixture
def head(support: Any) -> bytes:
    """The file up to the pixels of 512 frames of 512 by 512."""
    ds = support.slice_dataset(1, rows=512, columns=512)
    ds.NumberOfFrames, ds.PixelData = FRAMES, b""
    return support.to_bytes(ds)[:-4] + struct.pack("<I", FRAMES * FRAME)


@pytest.fixture
def large(node: Any, support: Any, head: bytes) -> Any:
    ds = support.slice_dataset(1, rows=512, columns=512)
    ds.NumberOfFrames, ds.PixelData = FRAMES, b""
    return node.publish(ds)


def service(node: Any, head: bytes) -> RetrieveService:
    return RetrieveService(node.catalog, InstanceCache(lambda _ref: LargeFile(head)))


def test_a_native_instance_of_256_mb_needs_a_few_mb(node: Any, large: Any, head: bytes) -> None:
    retrieve = service(node, head)
    tracemalloc.start()
    try:
        content, syntax = retrieve.instance(large, "*")
        total = sum(len(piece) for piece in content.chunks())
        (part,) = retrieve.frames(large, [FRAMES], Offer("application/octet-stream", False, NATIVE), "")
        frame = b"".join(part.content.chunks())
        (pixels,) = retrieve.pixel_parts(large, Offer("application/octet-stream", False, NATIVE), "", "")
        tail = b"".join(pixels.content.chunks(FRAMES * FRAME - 5, FRAMES * FRAME))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (total, syntax) == (len(head) + FRAMES * FRAME, NATIVE)
    assert frame == bytes([(FRAMES - 1) % 251]) * FRAME
    assert tail == bytes([(FRAMES - 1) % 251]) * 5
    assert peak < 16 * MB


def test_an_instance_that_breaks_off_leaves_an_incomplete_message(
    node: Any, support: Any, large: Any, head: bytes
) -> None:
    """RFC 9112 §8: the connection is closed before the body's end."""

    class Broken(support.Node):  # type: ignore[misc]
        def open_blob(self, _ref: str) -> LargeFile:
            return LargeFile(head, fails_at=40 * MB)

    with support.Served(Broken(catalog=node.catalog).app) as served:
        url = served.url.removesuffix("/dicom-web") + I1
        with pytest.raises(httpx.RemoteProtocolError), httpx.Client(trust_env=False) as http:
            http.get(url, headers={"Accept": "application/dicom"})
        with httpx.Client(trust_env=False) as http:
            answer = http.get(f"{url}/frames/2", headers={"Accept": "application/octet-stream"})
    assert answer.content == bytes([1]) * FRAME
