"""What results are held against: the source instances and the other results."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydicom

from inference.encode.checks.elements import encoded_elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydicom.dataset import Dataset

    from dicom_node.domain.result import ResultEntry
    from dicom_node.ports.models import StudyInput, UncheckedResult


# `None` where an element is not decoded yet and its encoding names no VR.
_WITH_UIDS = ("SQ", "UI", None)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Facts about a study and the results that are checked together.

    Attributes
    ----------
    header
        A source instance without pixel data: all results carry its patient and study attributes.
    sop_classes
        SOP Instance UID to SOP Class UID, of all source instances and results.
    source_series
        Series Instance UIDs of the sources.
    names
        All values of VR PN in that source instance.
    series_sizes
        Series Instance UID to the number of its instances, sources and results.
    """

    study_instance_uid: str
    header: Dataset
    sop_classes: Mapping[str, str]
    source_series: frozenset[str]
    names: frozenset[str]
    series_sizes: Mapping[str, int]


def read_baseline(
    results: Sequence[UncheckedResult], study: StudyInput, earlier: Sequence[ResultEntry] = ()
) -> Baseline:
    """Collect the facts; reads one source instance.

    Parameters
    ----------
    earlier
        Results of earlier versions of the study, which reports name as their predecessors.
    """
    sources = study.instances
    series = Counter(source.series_instance_uid for source in sources)
    series.update(result.series_instance_uid for result in results)
    series.update(entry.series_instance_uid for entry in earlier)
    classes = {source.sop_instance_uid: source.sop_class_uid for source in sources}
    classes.update((result.sop_instance_uid, result.sop_class_uid) for result in results)
    classes.update((entry.sop_instance_uid, entry.sop_class_uid) for entry in earlier)
    header = parse(study.read(sources[0].sop_instance_uid), pixels=False)
    return Baseline(
        study_instance_uid=study.study_instance_uid,
        header=header,
        sop_classes=classes,
        source_series=frozenset(instance.series_instance_uid for instance in sources),
        names=frozenset(_names_of(header)),
        series_sizes=series,
    )


def parse(part10: bytes, *, pixels: bool = True) -> Dataset:
    """Read a data set, with its pixel data or up to it."""
    return pydicom.dcmread(io.BytesIO(part10), stop_before_pixels=not pixels)


def uids_of_result(part10: bytes) -> frozenset[str]:
    """All values of VR UI in a result, at any nesting."""
    elements = encoded_elements(part10)
    found = elements.uids() if elements is not None else None
    return frozenset(uids_of(parse(part10, pixels=False))) if found is None else found


def uids_of(ds: Dataset) -> Iterator[str]:
    """All values of VR UI, at any nesting."""
    for tag in ds.keys():  # noqa: SIM118 - iterating over the data set itself would decode every value
        if ds.get_item(tag).VR not in _WITH_UIDS:
            continue
        element = ds[tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from uids_of(item)
        elif element.VR == "UI" and element.value:
            yield from [element.value] if isinstance(element.value, str) else map(str, element.value)


def uids_of_json(attributes: Mapping[str, Any]) -> Iterator[str]:
    """All values of VR UI in DICOM JSON (PS3.18 Annex F), at any nesting."""
    for element in attributes.values():
        if element.get("vr") == "SQ":
            for item in element.get("Value", ()):
                yield from uids_of_json(item or {})
        elif element.get("vr") == "UI":
            yield from element.get("Value", ())


def _names_of(ds: Dataset) -> Iterator[str]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _names_of(item)
        elif element.VR == "PN":
            yield str(element.value)


def is_registered(uid: str) -> bool:
    """Whether a UID is the standard's: it lies under the root of DICOM (PS3.5 §9, PS3.6 Annex A)."""
    return uid.startswith("1.2.840.10008.")
