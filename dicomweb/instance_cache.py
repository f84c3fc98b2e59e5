"""Parsed instances, kept for a while: viewers ask for one frame a request.

Without it every frame request would decrypt and parse the whole file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING

from dicomweb.attributes import transfer_syntax_of
from dicomweb.part10 import read_dataset
from dicomweb.wado.frames import FrameReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import FileDataset

DEFAULT_BYTES = 256 * 1024 * 1024


class ParsedInstance:
    """A Part 10 file, parsed. Callers must not change `dataset`.

    Attributes
    ----------
    dataset
        With its pixel data.
    size
        Bytes of the file.
    """

    def __init__(self, part10: bytes) -> None:
        self.dataset: FileDataset = read_dataset(BytesIO(part10))
        self.size = len(part10)

    @property
    def transfer_syntax_uid(self) -> str:
        """As stored."""
        return transfer_syntax_of(self.dataset)

    @cached_property
    def frames(self) -> FrameReader:
        """The frames; offsets are found once.

        Raises
        ------
        NotFound
            If the instance has no pixel data.
        """
        return FrameReader(self.dataset)


class InstanceCache:
    """The most recently read instances, least recently used out first.

    Parameters
    ----------
    read_blob
        Reads the Part 10 bytes of a ref.
    max_bytes
        Sum of the file sizes that are kept; an instance larger than that is parsed for each call.
    """

    def __init__(self, read_blob: Callable[[str], bytes], max_bytes: int = DEFAULT_BYTES) -> None:
        self._read_blob = read_blob
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, ParsedInstance] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    def get(self, ref: str) -> ParsedInstance:
        """The parsed instance; concurrent callers of one ref share one read.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        with self._lock:
            found = self._recall(ref)
            if found is not None:
                return found
            loading = self._loading.setdefault(ref, threading.Lock())
        with loading:
            with self._lock:
                found = self._recall(ref)
            if found is not None:
                return found
            try:
                instance = ParsedInstance(self._read_blob(ref))
            finally:
                with self._lock:
                    self._loading.pop(ref, None)
            with self._lock:
                self._keep(ref, instance)
            return instance

    def _recall(self, ref: str) -> ParsedInstance | None:
        instance = self._kept.get(ref)
        if instance is not None:
            self._kept.move_to_end(ref)
        return instance

    def _keep(self, ref: str, instance: ParsedInstance) -> None:
        if instance.size > self._max_bytes or ref in self._kept:
            return
        self._kept[ref] = instance
        self._bytes += instance.size
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.size
