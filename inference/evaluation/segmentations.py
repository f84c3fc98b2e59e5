"""Evaluates a segmenter on DICOM studies with a Segmentation as reference."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.uid import SegmentationStorage

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from inference.evaluation.masks import Rows, add_rows, must_segment, report_of
from inference.evaluation.studies import Account, StudyRuns
from inference.preprocess.frames import read_instance
from inference.runner.arrays import unpack_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.domain.finding import Prediction
    from inference.contract.package import ModelManifest
    from inference.registry import ModelRegistry
    from inference.routing.folder import FolderStudy
    from inference.runner.engine import ProcessEngine


def evaluate_studies(
    registry: ModelRegistry,
    manifest: ModelManifest,
    studies: Sequence[FolderStudy],
    engine: ProcessEngine,
    *,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figures of a segmenter on DICOM studies that hold a Segmentation of the series, gates included.

    The reference's segments are taken in the order of their numbers.

    Parameters
    ----------
    tell
        Is told which Segmentations are left out, and why.

    Raises
    ------
    ConfigurationError
        If the package is no segmenter, or no study holds a Segmentation that can be compared.
    """
    must_segment(manifest)
    entries = [entry for study in studies for entry in study.instances if _is_segmentation(entry)]
    account = Account([entry.sop_instance_uid for entry in entries], tell)
    runs = StudyRuns(registry, manifest, engine, account)
    rows: dict[int, Rows] = {segment.number: [] for segment in manifest.segments}
    with closing(engine):
        place = 0
        for number, study in enumerate(studies, 1):
            references = [entry for entry in study.instances if _is_segmentation(entry)]
            _compare_study(runs, study, list(enumerate(references, place)), rows, account)
            place += len(references)
            if progress is not None:
                progress(number, len(studies))
    told = account.close()
    if not account.used:
        why = "; ".join(f"{count}: {why}" for why, count in told["references"]["left_out"].items())
        raise ConfigurationError(f"no study of the folder holds a DICOM Segmentation to compare with ({why})")
    return report_of(manifest, rows, runs.data_sha256, "mm") | told


def holds_segmentations(studies: Iterable[FolderStudy]) -> bool:
    """Whether there is a Segmentation."""
    return any(_is_segmentation(entry) for study in studies for entry in study.instances)


def _compare_study(
    runs: StudyRuns,
    study: FolderStudy,
    references: Sequence[tuple[int, CatalogEntry]],
    rows: dict[int, Rows],
    account: Account,
) -> None:
    if not references:
        return
    decision, taken = runs.choose(study)
    seen: set[str] = set()
    for place, entry in references:
        try:
            segmentation = _read_segmentation(study.read(entry.sop_instance_uid))
            series = _series_of(segmentation, study, taken, seen)
            prediction = runs.run(study, decision, series)
            seen.add(series)
            if prediction is not None:
                _compare(segmentation, prediction, rows)
        except InferenceFailed as exc:
            account.leave_out(place, str(exc))
        else:
            account.use(place)


def _compare(segmentation: Any, prediction: Prediction, rows: dict[int, Rows]) -> None:
    if prediction.spacing_mm is None:
        raise InferenceFailed("its series does not tell the size of its voxels")
    found = np.asarray(unpack_arrays(prediction.arrays)["mask"], dtype=np.uint8)
    add_rows(rows, found, _mask_of(segmentation, prediction), list(prediction.spacing_mm))


def _is_segmentation(entry: CatalogEntry) -> bool:
    return entry.sop_class_uid == SegmentationStorage


def _series_of(segmentation: Any, study: FolderStudy, taken: Sequence[str], seen: Collection[str]) -> str:
    """The series that a Segmentation is of; of several the one that the package takes best."""
    sources = {str(uid) for _, _, uid in segmentation.get_source_image_uids()}
    named = {entry.series_instance_uid for entry in study.instances if entry.sop_instance_uid in sources}
    if not named:
        raise InferenceFailed("none of the images that it names is in the folder")
    series = next((uid for uid in taken if uid in named), min(named))
    if series in seen:
        raise InferenceFailed("another Segmentation of the same series is used")
    return series


def _read_segmentation(part10: bytes) -> Any:
    import highdicom as hd

    ds = read_instance(part10)
    try:
        return hd.seg.Segmentation.from_dataset(ds)
    except Exception as exc:
        # The library raises whatever it likes, and its text may hold values of the data set.
        raise InferenceFailed(f"it cannot be read as a Segmentation ({type(exc).__name__})") from exc


def _mask_of(segmentation: Any, prediction: Prediction) -> NDArray[np.uint8]:
    """The reference on the slices of a prediction."""
    uids, frames = prediction.source_sop_instance_uids, prediction.source_frames
    how = {"combine_segments": True, "assert_missing_frames_are_empty": True}
    try:
        if frames:
            mask = segmentation.get_pixels_by_source_frame(uids[0], list(frames), **how)
        else:
            mask = segmentation.get_pixels_by_source_instance(list(uids), **how)
    except (ValueError, KeyError, RuntimeError) as exc:
        raise InferenceFailed(f"its frames do not fit the images ({type(exc).__name__})") from exc
    return np.asarray(mask, dtype=np.uint8)
