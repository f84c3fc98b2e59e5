"""Reads the series of an assignment as a model of its kind takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.contract.inputs import InputKind
from inference.preprocess.images import read_images
from inference.preprocess.series import read_volume
from inference.preprocess.spacing import SpacingMeaning
from inference.runner.prediction import RunSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dicom_node.ports.models import StudyInput
    from inference.contract.package import ModelManifest
    from inference.preprocess.spacing import PixelSize
    from inference.preprocess.volume import Volume


@dataclass(frozen=True, slots=True)
class RunInput:
    """What a model is given, and what the gates look at.

    Attributes
    ----------
    voxels
        float32 (slices, rows, columns) or, in colour, (slices, rows, columns, 3).
    volume
        The same in the patient; `None` where the images have no place there.
    source
        What the prediction names.
    notes
        What was left out, chosen or filled in.
    """

    voxels: NDArray[np.float32]
    volume: Volume | None
    source: RunSource
    notes: tuple[str, ...] = ()

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """(slice, row, column, 1) to LPS, mm."""
        return None if self.volume is None else self.volume.affine

    @property
    def kept(self) -> tuple[int, ...] | None:
        """The slices that are in the source, where others were filled in."""
        return None if self.volume is None else self.volume.kept


def read_input(manifest: ModelManifest, sop_instance_uids: Sequence[str], study: StudyInput) -> RunInput:
    """Decode the instances of a series.

    Raises
    ------
    VolumeRefused
        If they are not what the manifest's kind of input is made of.
    """
    needs = manifest.input
    if needs.kind is InputKind.IMAGE:
        images = read_images(
            sop_instance_uids,
            study.read,
            max_voxels=needs.max_voxels,
            colour=needs.colour,
            max_images=min(needs.max_slices, needs.selection.count),
            views=needs.views,
            lateralities=needs.lateralities,
        )
        source = RunSource(images.sop_instance_uids, images.source_frames, _in_patient(images.pixel_size))
        return RunInput(images.pixels, None, source, images.notes)
    volume = read_volume(
        sop_instance_uids,
        study.read,
        max_voxels=needs.max_voxels,
        max_missing_slices=needs.max_missing_slices,
        unit=needs.unit,
        sequences=needs.sequences,
    )
    return input_of(volume)


def input_of(volume: Volume) -> RunInput:
    """A volume as a model is given it."""
    source = RunSource(volume.sop_instance_uids, volume.source_frames, volume.spacing_mm)
    return RunInput(volume.voxels, volume, source, volume.notes)


def input_of_picture(picture: NDArray[np.generic], spacing_mm: tuple[float, float] | None = None) -> RunInput:
    """One image, (rows, columns) or (rows, columns, 3), as a model is given it.

    Parameters
    ----------
    spacing_mm
        Between rows and between columns.
    """
    voxels = np.ascontiguousarray(picture, dtype=np.float32)[np.newaxis]
    spacing = None if spacing_mm is None else (1.0, *spacing_mm)
    return RunInput(voxels, None, RunSource(spacing_mm=spacing))


def _in_patient(size: PixelSize) -> tuple[float, float, float] | None:
    """Spacing along images, rows and columns where distances in the image are distances in the patient."""
    if size.meaning not in (SpacingMeaning.PATIENT, SpacingMeaning.CALIBRATED):
        return None
    return 1.0, size.rows_mm, size.columns_mm
