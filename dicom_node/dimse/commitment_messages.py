"""Data sets of storage commitment: requests and reports.

References
----------
PS3.4 Tables J.3-1 (action information) and J.3-2 (event information).
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.dsutils import decode, encode
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicom_node.domain.commitment import CommitmentReport, FailureReason, ObjectReference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pynetdicom.presentation import PresentationContext

#: Storage Commitment Push Model SOP Instance: the same everywhere (PS3.6 Table A-1).
WELL_KNOWN_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
SOP_CLASS: Final = str(StorageCommitmentPushModel)
TRANSFER_SYNTAXES: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
REQUEST: Final = 1
ALL_COMMITTED, SOME_FAILED = 1, 2
#: Instances of one transaction.
MOST_OBJECTS: Final = 100_000

_TRANSACTION_UID, _REFERENCED, _FAILED = 0x00081195, 0x00081199, 0x00081198
_SOP_CLASS, _SOP_INSTANCE, _REASON = 0x00081150, 0x00081155, 0x00081197
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+")


class MalformedCommitment(ValueError):
    """A data set of storage commitment lacks something; the message says what, without a value."""


def proposed_context() -> PresentationContext:
    """The context that is proposed, and accepted."""
    return build_context(SOP_CLASS, list(TRANSFER_SYNTAXES))


def request_data_set(transaction_uid: str, objects: Iterable[ObjectReference]) -> Dataset:
    """Action information."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = [_item(one) for one in objects]
    return ds


def report_data_set(report: CommitmentReport) -> Dataset:
    """Event information; a sequence without items is left out."""
    ds = Dataset()
    ds.TransactionUID = report.transaction_uid
    if report.committed:
        ds.ReferencedSOPSequence = [_item(one) for one in report.committed]
    if report.failures:
        ds.FailedSOPSequence = [_item(one, reason) for one, reason in report.failures.items()]
    return ds


def event_type(report: CommitmentReport) -> int:
    """Event Type ID of a report."""
    return SOME_FAILED if report.failures else ALL_COMMITTED


def encoded(ds: Dataset, encoding: tuple[bool, bool, bool]) -> BytesIO:
    """A data set in a transfer syntax."""
    return BytesIO(encode(ds, *encoding) or b"")


def read_request(information: bytes, encoding: tuple[bool, bool, bool]) -> tuple[str, list[ObjectReference]]:
    """(transaction UID, instances) of a request.

    Raises
    ------
    MalformedCommitment
    """
    ds = _decoded(information, encoding)
    objects = [_reference(item) for item in _items(ds, _REFERENCED)]
    if not objects:
        raise MalformedCommitment("the Referenced SOP Sequence is missing or empty")
    return _uid(ds, _TRANSACTION_UID), objects


def read_report(information: bytes, encoding: tuple[bool, bool, bool]) -> CommitmentReport:
    """Read event information.

    Raises
    ------
    MalformedCommitment
    """
    ds = _decoded(information, encoding)
    failures = {_reference(item): _reason(item) for item in _items(ds, _FAILED)}
    committed = tuple(_reference(item) for item in _items(ds, _REFERENCED))
    return CommitmentReport(_uid(ds, _TRANSACTION_UID), committed, failures)


def _decoded(information: bytes, encoding: tuple[bool, bool, bool]) -> Dataset:
    try:
        ds: Dataset = decode(BytesIO(information), *encoding)
    except Exception as exc:  # the library raises anything for odd bytes, and quotes them
        raise MalformedCommitment("the data set cannot be read in its transfer syntax") from exc
    return ds


def _items(ds: Dataset, tag: int) -> list[Dataset]:
    try:
        items = list(ds[tag].value or ()) if tag in ds else []
    except Exception as exc:
        raise MalformedCommitment("a sequence of the data set cannot be read") from exc
    if not all(isinstance(item, Dataset) for item in items):
        raise MalformedCommitment("a sequence of the data set has another value representation")
    if len(items) > MOST_OBJECTS:
        raise MalformedCommitment(f"more than {MOST_OBJECTS} instances; ask in several transactions")
    return items


def _reference(item: Dataset) -> ObjectReference:
    return ObjectReference(_uid(item, _SOP_CLASS), _uid(item, _SOP_INSTANCE))


def _uid(ds: Dataset, tag: int) -> str:
    value = _raw(ds, tag)
    text = value.decode("ascii", "replace").rstrip("\0 ") if isinstance(value, bytes) else str(value or "")
    if len(text) > 64 or not _UID.fullmatch(text):
        raise MalformedCommitment(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is missing or no UID")
    return text


def _reason(item: Dataset) -> int:
    try:
        return int(item[_REASON].value)
    except Exception:  # noqa: BLE001 - absent, empty or of another kind: it failed all the same
        return int(FailureReason.PROCESSING_FAILURE)


def _raw(ds: Dataset, tag: int) -> Any:
    return ds.get_item(tag).value if tag in ds else None


def _item(one: ObjectReference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = one.sop_class_uid
    item.ReferencedSOPInstanceUID = one.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item
