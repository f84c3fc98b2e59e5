"""The node's own rules over results that come one by one, of which little is kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.domain.result import ResultKind
from inference.encode.checks.baseline import parse
from inference.encode.checks.content_tree import check_report
from inference.encode.checks.drawings import check_key_objects, check_presentation_state, check_structure_set
from inference.encode.checks.elements import encoded_elements
from inference.encode.checks.header import check_header, check_part
from inference.encode.checks.images import (
    check_capture,
    check_own_part,
    check_segmentation,
    check_stack,
    place_of,
)
from inference.encode.checks.likeness import Likeness
from inference.encode.checks.maps import check_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydicom.dataset import Dataset

    from dicom_node.ports.models import UncheckedResult
    from inference.encode.checks.baseline import Baseline
    from inference.encode.checks.images import Place
    from inference.encode.checks.likeness import OwnPart


#: Rules besides those of the header, which are the same for all kinds.
_OF_KIND: Mapping[ResultKind, Callable[[Dataset, Baseline], Iterator[str]]] = {
    ResultKind.SR: check_report,
    ResultKind.SEG: check_segmentation,
    ResultKind.SC: check_capture,
    ResultKind.PMAP: check_map,
    ResultKind.RTSTRUCT: check_structure_set,
    ResultKind.PR: check_presentation_state,
    ResultKind.KOS: lambda ds, _: check_key_objects(ds),
}
_WRONG_NAME = "the object's identifiers are not those of its entry"
_OTHER_META = "File Meta and data set name different objects"


@dataclass(frozen=True, slots=True)
class _First:
    """The first instance of a series of pictures, without its pixels, and what is wrong with all like it."""

    ds: Dataset
    likeness: Likeness
    shared_problems: tuple[str, ...] = ()


class Examination:
    """Holds results against the study and each other.

    Of each object its problems are kept, and of a picture where it lies; nothing else.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._problems: dict[str, list[str]] = {}
        self._stacks: dict[str, list[Place]] = defaultdict(list)
        self._first: dict[str, _First] = {}
        self._pictures_only = True

    def look_at(self, result: UncheckedResult, part10: bytes) -> None:
        """Check one object by itself."""
        self._pictures_only &= result.kind is ResultKind.SC
        found = self._of_picture(result, part10) if result.kind is ResultKind.SC else None
        if found is None:
            ds = _read(part10)
            found = ["the object cannot be read as DICOM"] if ds is None else self._whole(result, ds, part10)
        self._problems[result.sop_instance_uid] = list(dict.fromkeys(found))

    def problems(self) -> dict[str, list[str]]:
        """The problems of all objects by SOP Instance UID, those of a series as a whole included."""
        for stack in self._stacks.values():
            of_stack = check_stack(stack)
            for place in stack:
                self._problems[place.sop_instance_uid] += of_stack
        if self._pictures_only:
            for found in self._problems.values():
                found.append("a Secondary Capture is the sole kind of result")
        return self._problems

    def _of_picture(self, result: UncheckedResult, part10: bytes) -> list[str] | None:
        """The problems of a picture that is like the first one of its series; `None` where it is not."""
        first = self._first.get(result.series_instance_uid)
        elements = encoded_elements(part10) if first is not None else None
        own = first.likeness.own_part(elements) if first is not None and elements is not None else None
        if first is None or own is None:
            return None
        self._keep_place(result, place_of(own.ds, first.ds))
        return [*first.shared_problems, *_check_own(result, own, first.ds, self._baseline)]

    def _whole(self, result: UncheckedResult, ds: Dataset, part10: bytes) -> list[str]:
        try:
            found = list(_check_one(result, ds, self._baseline))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
            # A rule looked for what the object does not have, or not as the standard has it.
            return [f"the object lacks what its kind of object has ({type(exc).__name__})"]
        if result.kind is ResultKind.SC:
            self._keep_place(result, place_of(ds))
            self._remember(result, ds, part10, found)
        return found

    def _keep_place(self, result: UncheckedResult, place: Place) -> None:
        # By the name that it is known by: what it calls itself may be wrong.
        self._stacks[result.series_instance_uid].append(
            replace(place, sop_instance_uid=result.sop_instance_uid)
        )

    def _remember(self, result: UncheckedResult, ds: Dataset, part10: bytes, found: list[str]) -> None:
        elements = encoded_elements(part10)
        if result.series_instance_uid in self._first or elements is None:
            return
        likeness = Likeness(elements)
        own = likeness.own_part(elements)
        if own is None:
            return
        of_its_own = set(_check_own(result, own, ds, self._baseline))
        ds.pop("PixelData", None)
        self._first[result.series_instance_uid] = _First(
            ds, likeness, tuple(problem for problem in found if problem not in of_its_own)
        )


def _read(part10: bytes) -> Dataset | None:
    try:
        ds = parse(part10)
    except (InvalidDicomError, EOFError, ValueError, KeyError, NotImplementedError):
        return None
    # Else it keeps all that it was read from beside what it holds.
    ds.buffer = None
    return ds


def _check_one(result: UncheckedResult, ds: Dataset, baseline: Baseline) -> Iterator[str]:
    claimed = (result.sop_class_uid, result.series_instance_uid, result.sop_instance_uid)
    if claimed != (ds.get("SOPClassUID"), ds.get("SeriesInstanceUID"), ds.get("SOPInstanceUID")):
        yield _WRONG_NAME
    meta = ds.file_meta
    if (meta.get("MediaStorageSOPClassUID"), meta.get("MediaStorageSOPInstanceUID")) != (
        result.sop_class_uid,
        result.sop_instance_uid,
    ):
        yield _OTHER_META
    if meta.get("TransferSyntaxUID") != ExplicitVRLittleEndian:
        yield "the transfer syntax is not Explicit VR Little Endian"
    yield from check_header(ds, baseline)
    of_kind = _OF_KIND.get(result.kind)
    if of_kind is not None:
        yield from of_kind(ds, baseline)


def _check_own(result: UncheckedResult, own: OwnPart, like: Dataset, baseline: Baseline) -> Iterator[str]:
    """Check what differs from the first instance of a heatmap series, which was checked as a whole."""
    if (result.sop_class_uid, result.sop_instance_uid) != (like.SOPClassUID, own.ds.SOPInstanceUID):
        yield _WRONG_NAME
    if own.media_uid != result.sop_instance_uid:
        yield _OTHER_META
    yield from check_part(own.ds, baseline)
    yield from check_own_part(own.ds, own.pixel_bytes, like)
