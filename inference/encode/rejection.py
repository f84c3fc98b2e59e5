"""A run that came to no finding becomes a report that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.result import ResultKind
from inference.encode.context import RunContext
from inference.encode.makers import to_result
from inference.encode.source import read_headers
from inference.encode.text_report import make_rejection_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.result import EncodedResult
    from dicom_node.ports.models import StudyInput


def make_rejection(prediction: Prediction, study: StudyInput, shared: dict[str, Any]) -> EncodedResult:
    """Encode a rejected run; there is no measurement report and no picture.

    No pixel is decoded, and one header read: a series without geometry, or with broken pixels, gets its
    report too.

    Parameters
    ----------
    shared
        Fields of `RunContext` besides the prediction and its header.

    Raises
    ------
    EncodingFailed
        If the study holds no instance of the series that can be read.
    """
    entries = [e for e in study.instances if e.series_instance_uid == prediction.series_instance_uid]
    named = set(prediction.source_sop_instance_uids)
    entries = [e for e in entries if e.sop_instance_uid in named] or entries
    header = _first_header(study, entries)
    context = RunContext(prediction=prediction, header=header, **shared)
    images = [header, *(_reference(e) for e in entries if e.sop_instance_uid != header.SOPInstanceUID)]
    return to_result(ResultKind.SR, make_rejection_report(context, images))


def _first_header(study: StudyInput, entries: Sequence[CatalogEntry]) -> Dataset:
    for entry in entries:
        try:
            (header,) = read_headers(study, [entry.sop_instance_uid])
        except EncodingFailed:
            continue
        return header
    raise EncodingFailed("no instance of a rejected run's series can be read; look at its de-identification")


def _reference(entry: CatalogEntry) -> Dataset:
    ds = Dataset()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = entry.study_instance_uid, entry.series_instance_uid
    ds.SOPClassUID, ds.SOPInstanceUID = entry.sop_class_uid, entry.sop_instance_uid
    return ds
