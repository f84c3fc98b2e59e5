"""Instances that were opened, kept for a while: viewers ask for one frame a request.

A small file is kept whole, so that each frame costs no more than cutting it out. Of a large one only its
layout is kept; its bytes are read where they lie.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import deepcopy
from functools import cached_property, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom.filereader import read_dataset as read_elements
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_node.domain.errors import NotFound
from dicomweb.byte_source import FileSource, MemorySource, open_source
from dicomweb.element_scan import PIXEL_KEYWORDS, PixelElement, scan
from dicomweb.part10 import READ_ERRORS, read_dataset, read_header, transfer_syntax_of
from dicomweb.wado.frames import FrameReader
from dicomweb.wado.image_layout import layout_of, layout_of_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pydicom.dataset import FileDataset

    from dicomweb.byte_source import ByteSource
    from dicomweb.wado.image_layout import ImageLayout

DEFAULT_BYTES = 256 * 1024 * 1024
#: A larger file is never held in memory as a whole.
WHOLE_BYTES = 32 * 1024 * 1024
_SCANNED_BYTES = 1024 * 1024
#: What the layout of a large file is taken to cost.
_LAYOUT_BYTES = 256 * 1024


class ParsedInstance:
    """A Part 10 file whose pixel data has been found. Callers must not change `dataset`.

    Attributes
    ----------
    source
        The file's bytes.
    pixel_source
        Where the offsets of `pixels` lie; another source for a deflated file.
    pixels
        Where the pixel data lies; `None` without any.
    image
        How the pixels lie in a frame.
    held
        Bytes that it keeps in memory.

    Raises
    ------
    InvalidInstance
        If the bytes are no DICOM file.
    StorageFailure, NotFound
    """

    image: ImageLayout

    def __init__(self, source: bytes | MemorySource | FileSource) -> None:
        if isinstance(source, bytes):
            source = MemorySource(source)
        self.source = source
        self.pixel_source: ByteSource = source
        self.pixels: PixelElement | None = None
        self.held = source.size if isinstance(source, MemorySource) else _LAYOUT_BYTES
        self._dataset: FileDataset | None = None
        found = scan(source.read(0, source.size if isinstance(source, MemorySource) else _SCANNED_BYTES))
        self._scanned = found is not None and (found.pixels is not None or isinstance(source, MemorySource))
        if found is not None and self._scanned:
            self.transfer_syntax_uid = found.transfer_syntax_uid
            self.pixels = found.pixels
            self.image = layout_of_bytes(found.image, self._keyword)
        elif isinstance(source, MemorySource):
            self._read(source)
        else:
            self._read_header(source)

    @property
    def dataset(self) -> FileDataset:
        """The data set without its pixel data."""
        if self._dataset is None:
            self._dataset = self._with_trailer()
        return self._dataset

    @cached_property
    def frames(self) -> FrameReader:
        """The frames; offsets are found once.

        Raises
        ------
        NotFound
            If the instance has no pixel data.
        """
        if self.pixels is None:
            raise NotFound("the instance has no pixel data, so it has no frames")
        return FrameReader(self.pixel_source, self.pixels, self.image, self.transfer_syntax_uid)

    @property
    def pixel_key(self) -> str:
        """The tag of the pixel data as 8 hexadecimal digits; "" without any."""
        found = (tag for tag, name in PIXEL_KEYWORDS.items() if self.pixels and name == self.pixels.keyword)
        return next((f"{tag:08X}" for tag in found), "")

    @property
    def pixel_vr(self) -> str:
        """The VR of the pixel data, settled where the encoding leaves it open."""
        if self.pixels is None:
            return "UN"
        return {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}.get(
            self.pixels.keyword, self.pixels.vr if self.pixels.vr in {"OB", "OW"} else "OW"
        )

    def read_header(self) -> FileDataset:
        """`dataset` as a copy that may be changed.

        Raises
        ------
        InvalidInstance, StorageFailure, NotFound
        """
        return self._with_trailer() if self._scanned else deepcopy(self.dataset)

    @property
    def _keyword(self) -> str:
        return self.pixels.keyword if self.pixels is not None else "PixelData"

    def _read(self, source: MemorySource) -> None:
        """What cannot be scanned is read as a whole."""
        ds = read_dataset(BytesIO(source.data))
        self.transfer_syntax_uid = transfer_syntax_of(ds)
        for tag, keyword in PIXEL_KEYWORDS.items():
            element: Any = ds.get_item(tag)
            if element is None:
                continue
            if self.pixels is None:
                value = element.value if isinstance(element.value, bytes) else b""
                self.pixel_source = MemorySource(value)
                length = None if element.length == 0xFFFFFFFF else len(value)
                self.pixels = PixelElement(keyword, str(element.VR or "OW"), 0, 0, length)
            del ds[tag]
        self._dataset = ds
        self.image = layout_of(ds, self._keyword)

    def _read_header(self, source: FileSource) -> None:
        """A large file whose header cannot be scanned is read up to its pixel data."""
        with source.open() as file:
            ds, self.pixels = read_header(file)
        self.transfer_syntax_uid = transfer_syntax_of(ds)
        if self.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            self._read(MemorySource(source.read(0, source.size)))  # there is no seeking in what is deflated
            return
        self._dataset = ds
        self.image = layout_of(ds, self._keyword)

    def _with_trailer(self) -> FileDataset:
        """The header, and the few elements that may stand behind the pixel data."""
        if self.pixels is None:
            return read_dataset(BytesIO(self.source.read(0, self.source.size)))
        ds = read_dataset(BytesIO(self.source.read(0, self.pixels.tag_at)))
        try:
            end = self.frames.end
        except NotFound:
            return ds  # broken pixel data: what stands behind it cannot be found
        if end < self.source.size:
            try:
                stream = BytesIO(self.source.read(end, self.source.size - end))
                trailer = read_elements(stream, is_implicit_VR=False, is_little_endian=True)
                for tag in trailer.keys():  # noqa: SIM118 (iterating converts the elements)
                    if tag > 0x7FE00010 and tag.group != 0xFFFE:
                        ds[tag] = trailer.get_item(tag)
            except READ_ERRORS:
                return ds  # padding or rubbish behind the pixels: nobody's attributes
        return ds


class InstanceCache:
    """The instances that were opened last, least recently used out first.

    Parameters
    ----------
    open_blob
        Opens the Part 10 bytes of a ref.
    max_bytes
        Bytes that are kept altogether; an instance that needs more is opened for each call.
    whole_bytes
        A larger file is read where it lies.
    """

    def __init__(
        self,
        open_blob: Callable[[str], BinaryIO],
        max_bytes: int = DEFAULT_BYTES,
        whole_bytes: int = WHOLE_BYTES,
    ) -> None:
        self._open_blob = open_blob
        self._max_bytes = max_bytes
        self._whole_bytes = whole_bytes
        self._kept: OrderedDict[str, ParsedInstance] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    def get(self, ref: str) -> ParsedInstance:
        """The instance; concurrent callers of one ref share one read.

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
                instance = self.open(ref)
            finally:
                with self._lock:
                    self._loading.pop(ref, None)
            with self._lock:
                self._keep(ref, instance)
            return instance

    def open(self, ref: str) -> ParsedInstance:
        """The instance, opened anew and not kept.

        Raises
        ------
        NotFound, StorageFailure, InvalidInstance
        """
        return ParsedInstance(self.source(ref))

    def source(self, ref: str) -> MemorySource | FileSource:
        """The bytes of a ref.

        Raises
        ------
        NotFound, StorageFailure
        """
        return open_source(partial(self._open_blob, ref), self._whole_bytes)

    def _recall(self, ref: str) -> ParsedInstance | None:
        instance = self._kept.get(ref)
        if instance is not None:
            self._kept.move_to_end(ref)
        return instance

    def _keep(self, ref: str, instance: ParsedInstance) -> None:
        if instance.held > self._max_bytes or ref in self._kept:
            return
        self._kept[ref] = instance
        self._bytes += instance.held
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.held
