"""Evaluates a segmenter on images with masks, or on DICOM studies with a Segmentation as reference."""

from __future__ import annotations

import hashlib
import io
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.uid import SegmentationStorage

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from dicom_node.domain.finding import Task
from dicom_node.domain.run import RunStatus
from inference.evaluation.loaded import LoadedModel
from inference.evaluation.overlap import compare, summarise
from inference.routing.folder import FolderStudy, explain_folder, read_studies
from inference.routing.rule import Route
from inference.runner.arrays import unpack_arrays
from inference.runner.offline import run_decided
from inference.training.pairs import pairs_sha256, read_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.registry import ModelRegistry
    from inference.runner.engine import ProcessEngine

_Rows = list[dict[str, float | None]]


def evaluate_masks(
    manifest: ModelManifest,
    data: Path,
    *,
    device: str = "cpu",
    trusted: Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figures of a segmenter on `images/` and `masks/` of a folder (PNG or NIfTI), without gates.

    Raises
    ------
    ConfigurationError
        If the package is no segmenter, or the folder does not hold pairs.
    """
    _must_segment(manifest)
    pairs = read_pairs(data)
    model = LoadedModel(manifest, device, trusted)
    rows: dict[int, _Rows] = {segment.number: [] for segment in manifest.segments}
    for number, pair in enumerate(pairs, 1):
        if pair.affine is None:
            found, spacing = model.see_picture(pair.image * np.float32(255)).mask, [1.0, 1.0]
            found = None if found is None else found[0]
        else:
            found = model.see_volume(pair.image, pair.affine).mask
            spacing = np.linalg.norm(pair.affine[:3, :3], axis=0).tolist()
        _add(rows, found, pair.mask, spacing)
        if progress is not None:
            progress(number, len(pairs))
    return _report(manifest, rows, pairs_sha256(pairs), "mm" if pairs[0].affine is not None else "pixels")


def evaluate_studies(
    registry: ModelRegistry,
    manifest: ModelManifest,
    data: Path,
    engine: ProcessEngine,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figures of a segmenter on DICOM studies that hold a Segmentation of the series, gates included.

    The reference's segments are taken in the order of their numbers.

    Raises
    ------
    ConfigurationError
        If the package is no segmenter, or no study holds a Segmentation.
    """
    _must_segment(manifest)
    studies = [(study, _references(study)) for study in read_studies(data)]
    studies = [(study, references) for study, references in studies if references]
    if not studies:
        raise ConfigurationError("no study of the folder holds a DICOM Segmentation to compare with")
    rows: dict[int, _Rows] = {segment.number: [] for segment in manifest.segments}
    digest, refused = hashlib.sha256(), 0
    with closing(engine):
        for number, (study, references) in enumerate(studies, 1):
            digest.update("".join(sorted(entry.sop_instance_uid for entry in study.instances)).encode())
            if not _compare_study(registry, manifest, engine, study, references, rows, data):
                refused += 1
            if progress is not None:
                progress(number, len(studies))
    report = _report(manifest, rows, digest.hexdigest(), "mm")
    return report | {"behind_gates": {"answered": len(studies) - refused, "of": len(studies)}}


def is_pairs(data: Path) -> bool:
    """Whether a folder holds images and masks."""
    return (data / "images").is_dir() and (data / "masks").is_dir()


def _compare_study(
    registry: ModelRegistry,
    manifest: ModelManifest,
    engine: ProcessEngine,
    study: FolderStudy,
    references: list[pydicom.Dataset],
    rows: dict[int, _Rows],
    data: Path,
) -> bool:
    decision = explain_folder(registry, (Route("evaluate", (manifest.name,)),), data, study)
    if manifest.name not in {assignment.model for assignment in decision.assignments}:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        prediction = run_decided(engine, decision, manifest.name, study, Path(scratch))
    if prediction.status is not RunStatus.DONE:
        return False
    uids = prediction.source_sop_instance_uids
    reference = _mask_of(references, uids)
    found = np.asarray(unpack_arrays(prediction.arrays)["mask"], dtype=np.uint8)
    if prediction.spacing_mm is None:
        raise InferenceFailed("the series does not tell the size of its voxels")
    _add(rows, found, reference, list(prediction.spacing_mm))
    return True


def _references(study: FolderStudy) -> list[pydicom.Dataset]:
    return [
        pydicom.dcmread(io.BytesIO(study.read(entry.sop_instance_uid)))
        for entry in study.instances
        if entry.sop_class_uid == SegmentationStorage
    ]


def _mask_of(references: list[pydicom.Dataset], uids: tuple[str, ...]) -> NDArray[np.uint8]:
    import highdicom as hd

    for ds in references:
        segmentation = hd.seg.Segmentation.from_dataset(ds)
        named = {uid for _, _, uid in segmentation.get_source_image_uids()}
        if named & set(uids):
            mask = segmentation.get_pixels_by_source_instance(
                list(uids), combine_segments=True, assert_missing_frames_are_empty=True
            )
            return np.asarray(mask, dtype=np.uint8)
    raise InferenceFailed("no Segmentation of the study refers to the series that the model was run on")


def _add(
    rows: dict[int, _Rows],
    found: NDArray[np.uint8] | None,
    reference: NDArray[np.uint8],
    spacing: list[float],
) -> None:
    if found is None:
        raise InferenceFailed("the model gave no mask")
    for number, of_segment in rows.items():
        of_segment.append(compare(found == number, reference == number, spacing))


def _must_segment(manifest: ModelManifest) -> None:
    if manifest.task is not Task.SEGMENTATION:
        raise ConfigurationError(f"{manifest.name} is no segmenter: give pictures by class")


def _report(manifest: ModelManifest, rows: dict[int, _Rows], sha256: str, unit: str) -> dict[str, Any]:
    return {
        "task": "segmentation",
        "data_sha256": sha256,
        "distance_unit": unit,
        "figures": {
            segment.label: summarise(rows[segment.number]) | {"each": rows[segment.number]}
            for segment in manifest.segments
        },
    }
