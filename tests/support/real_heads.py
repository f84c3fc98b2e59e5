"""A real head and its own brain mask, cut along any direction, for tests of the removal of faces."""

import io
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from model_series import DIRECTIONS, mr_slices

_TEMPLATES = Path("/usr/share/mricron/templates")


@dataclass(frozen=True)
class Head:
    """Voxels, brain and affine to LPS; the axes run right, anterior, superior."""

    voxels: np.ndarray
    brain: np.ndarray
    affine: np.ndarray

    def at(self, what, affine, shape):
        """What (`voxels` or `brain`) lies at the voxels of another grid, nearest neighbour, 0 outside."""
        array = getattr(self, what)
        points = np.indices(shape).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
        inverse = np.linalg.inv(self.affine)
        places = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
        inside = ((places >= 0) & (places < array.shape)).all(axis=1)
        out = np.zeros(len(points), dtype=array.dtype)
        out[inside] = array[tuple(places[inside].T)]
        return out.reshape(shape)

    def brain_mask(self, voxels, affine):
        """The `BrainMask` of this head, wherever its slices lie."""
        return self.at("brain", affine, voxels.shape)

    def series(self, directions="axial", spacing=(3.0, 2.0, 2.0), kind=np.uint16, **attributes):
        """MR instances that cover the head, and the array (slices, rows, columns) they were made of."""
        cosines = np.array(DIRECTIONS[directions], dtype=float)
        steps = np.array([np.cross(cosines[:3], cosines[3:]), cosines[3:], cosines[:3]])
        ends = np.array(np.meshgrid(*[(0, size - 1) for size in self.voxels.shape])).reshape(3, -1).T
        reach = (ends @ self.affine[:3, :3].T + self.affine[:3, 3]) @ steps.T
        shape = tuple(int(n) + 1 for n in np.ceil(np.ptp(reach, axis=0) / spacing))
        affine = np.eye(4)
        affine[:3, :3] = steps.T * spacing
        affine[:3, 3] = steps.T @ reach.min(axis=0)
        array = self.at("voxels", affine, shape).astype(kind)
        # As the instances hold them, so that the reference lies on the same points to the last digit.
        return mr_slices(array, directions, spacing=spacing, origin=affine[:3, 3], **attributes), array


@pytest.fixture(scope="session")
def real_head():
    """Colin27 at 2 mm, with its own brain mask."""
    if not (_TEMPLATES / "ch2bet.nii.gz").is_file():
        pytest.skip("needs mricron-data")
    image, brain = (nibabel.load(_TEMPLATES / name) for name in ("ch2.nii.gz", "ch2bet.nii.gz"))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    thin = np.s_[::2, ::2, ::2]
    return Head(np.asarray(image.dataobj)[thin], np.asarray(brain.dataobj)[thin] > 0, affine)


def as_part10(series):
    """The bytes of data sets."""
    written = []
    for ds in series:
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        written.append(buffer.getvalue())
    return written
