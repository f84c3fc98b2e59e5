"""Read and check the header of an instance: is it DICOM, is it whole, which instance is it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_node.domain.errors import (
    InvalidInstance,
    MissingIdentifier,
    SopClassMismatch,
    TruncatedDataset,
    UnsupportedTransferSyntax,
)
from dicom_node.domain.instance import InstanceHeader
from dicom_node.pipeline.accepted import transfer_syntaxes
from dicom_node.pipeline.element_sources import InflatingSource, PlainSource
from dicom_node.pipeline.element_walk import Encoding, read_file_meta, walk

if TYPE_CHECKING:
    from typing import BinaryIO

    from dicom_node.pipeline.element_sources import ElementSource

_PREAMBLE = 128
_PREFIX = b"DICM"
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+\Z")
_MODALITY = re.compile(r"[A-Z0-9_]{1,16}\Z")

_META_SOP_CLASS, _META_SOP_INSTANCE, _TRANSFER_SYNTAX = 0x00020002, 0x00020003, 0x00020010
_SOP_CLASS, _SOP_INSTANCE, _MODALITY_TAG = 0x00080016, 0x00080018, 0x00080060
_STUDY, _SERIES = 0x0020000D, 0x0020000E
_META_WANTED = frozenset({_META_SOP_CLASS, _META_SOP_INSTANCE, _TRANSFER_SYNTAX})
_WANTED = frozenset({_SOP_CLASS, _SOP_INSTANCE, _MODALITY_TAG, _STUDY, _SERIES})
_NAMES = {
    _TRANSFER_SYNTAX: "Transfer Syntax UID (0002,0010)",
    _SOP_CLASS: "SOP Class UID (0008,0016)",
    _SOP_INSTANCE: "SOP Instance UID (0008,0018)",
    _STUDY: "Study Instance UID (0020,000D)",
    _SERIES: "Series Instance UID (0020,000E)",
}


@dataclass(frozen=True, slots=True)
class ScannedInstance:
    """An instance that was read through.

    Attributes
    ----------
    dataset_offset
        Bytes before the data set: preamble, prefix and File Meta.
    size
        Bytes in all.
    """

    header: InstanceHeader
    dataset_offset: int
    size: int


def read_header(stream: BinaryIO) -> InstanceHeader:
    """Read the identifiers of a Part 10 stream and check that it is whole; see `scan`."""
    return scan(stream).header


def scan(stream: BinaryIO) -> ScannedInstance:
    """Read a Part 10 stream through and check that every length in it holds.

    Values are not decoded, pixel data is not read. Memory is bounded, for deflated data sets too.

    Parameters
    ----------
    stream
        Seekable; read from position 0. Its position is undefined afterwards.

    Raises
    ------
    InvalidInstance
        If it is no DICOM file, or not encoded as its transfer syntax says.
    MissingIdentifier
        If a UID is absent, malformed or longer than 64 characters.
    TruncatedDataset
        If a length points past the end.
    SopClassMismatch
        If File Meta and data set name different SOP Classes or Instances.
    UnsupportedTransferSyntax
        If the node does not know its transfer syntax.

    References
    ----------
    PS3.10 §7.1, PS3.5 §7 and §9.
    """
    found = _Found()
    _read(stream, found)
    return ScannedInstance(found.header(), found.offset, found.size)


def scan_beginning(beginning: bytes) -> ScannedInstance | None:
    """Read the identifiers from the beginning of an instance; `None` where they do not all stand in it.

    Whether the rest is whole, and names no other identifiers, `scan` will say.

    Returns
    -------
    ScannedInstance or None
        Its `size` is that of the beginning.

    Raises
    ------
    InvalidInstance, MissingIdentifier, SopClassMismatch, UnsupportedTransferSyntax
    """
    found = _Found()
    try:
        _read(io.BytesIO(beginning), found)
    except TruncatedDataset:
        # The last of them by tag; a data set is in the order of tags.
        if not _WANTED - {_MODALITY_TAG} <= found.values.keys():
            return None
    return ScannedInstance(found.header(), found.offset, found.size)


def _read(stream: BinaryIO, found: _Found) -> None:
    stream.seek(0)
    source = PlainSource(stream)
    found.size = source.end
    if source.end < _PREAMBLE + len(_PREFIX) or source.take(_PREAMBLE + 4)[_PREAMBLE:] != _PREFIX:
        raise InvalidInstance("the bytes are no DICOM file: no DICM prefix; send DICOM instances")
    found.meta, meta_size = read_file_meta(source, _META_WANTED)
    transfer_syntax = _uid(found.meta, _TRANSFER_SYNTAX)
    if transfer_syntax not in transfer_syntaxes():
        raise UnsupportedTransferSyntax("the transfer syntax is not supported; send a standard one")
    found.offset = _PREAMBLE + len(_PREFIX) + meta_size
    walk(_dataset(stream, found.offset, transfer_syntax), _encoding(transfer_syntax), _WANTED, found.values)


class _Found:
    """What was read of an instance, so far."""

    def __init__(self) -> None:
        self.meta: dict[int, bytes] = {}
        self.values: dict[int, bytes] = {}
        self.offset = 0
        self.size = 0

    def header(self) -> InstanceHeader:
        """The identifiers, checked."""
        header = InstanceHeader(
            study_instance_uid=_uid(self.values, _STUDY),
            series_instance_uid=_uid(self.values, _SERIES),
            sop_instance_uid=_uid(self.values, _SOP_INSTANCE),
            sop_class_uid=_uid(self.values, _SOP_CLASS),
            transfer_syntax_uid=_uid(self.meta, _TRANSFER_SYNTAX),
            modality=_modality(self.values.get(_MODALITY_TAG)),
        )
        for tag, value in (
            (_META_SOP_CLASS, header.sop_class_uid),
            (_META_SOP_INSTANCE, header.sop_instance_uid),
        ):
            if self.meta.get(tag) and _text(self.meta[tag]) != value:
                raise SopClassMismatch("File Meta and data set name different instances; repair the file")
        return header


def _dataset(stream: BinaryIO, offset: int, transfer_syntax: str) -> ElementSource:
    stream.seek(offset)
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        return InflatingSource(stream)
    return PlainSource(stream)


def _encoding(transfer_syntax: str) -> Encoding:
    return Encoding(
        implicit_vr=transfer_syntax == ImplicitVRLittleEndian,
        big_endian=transfer_syntax == ExplicitVRBigEndian,
    )


def _text(value: bytes) -> str | None:
    try:
        # A space instead of the null is a common, harmless fault of senders.
        return value.rstrip(b"\0 ").decode("ascii")
    except UnicodeDecodeError:
        return None


def _uid(values: dict[int, bytes], tag: int) -> str:
    raw = values.get(tag)
    if not raw:
        raise MissingIdentifier(f"{_NAMES[tag]} is missing; send it again from its source")
    text = _text(raw)
    if text is None or len(text) > 64 or not _UID.match(text):
        raise MissingIdentifier(f"{_NAMES[tag]} is malformed; repair the instance")
    return text


def _modality(value: bytes | None) -> str | None:
    text = _text(value) if value else None
    return text if text is not None and _MODALITY.match(text) else None
