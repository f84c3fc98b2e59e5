"""Removes the face from the instances of one series, or refuses the series.

References
----------
PS3.15 §E.3.2 (Clean Recognizable Visual Features Option).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage, MRImageStorage

from anonymizer.errors import CannotVouch
from anonymizer.faces.exposure import may_show_face
from anonymizer.faces.quality import FaceMeasures, check_mask, check_whole, measure
from anonymizer.faces.rewrite import rewrite
from anonymizer.faces.shear import BUFFER_MM, ShearPlane, plan_shear
from anonymizer.faces.surface import Grid, find_face, front_of, head_of
from anonymizer.faces.volume import read_dataset, read_volume, refuse
from anonymizer.part10 import Part10, standard_dictionary
from anonymizer.table import load_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from anonymizer.faces.volume import Volume
    from anonymizer.report import InstanceReport

#: Outlines the brain: float32 (slices, rows, columns) and the affine (voxel index to LPS, mm) to a mask of
#: the same shape. Raises `CannotVouch` where it cannot.
BrainMask = Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.bool_]]

_IMAGE_CLASSES: Final = frozenset({str(MRImageStorage), str(CTImageStorage)})
#: From this echo time on an MR image is not T1-weighted, ms.
_LONG_ECHO_MS: Final = 30.0
#: Stored values below this share of the voxels are background.
_BACKGROUND_PERCENT: Final = 1.0


@dataclass(frozen=True, slots=True)
class FaceOutcome:
    """A series that may be passed on.

    Attributes
    ----------
    instances
        Part 10 bytes, in the order of the input.
    state
        `removed`, or `not-needed` where the series can show no face: then the bytes are those of the input.
    """

    instances: tuple[bytes, ...] = field(repr=False)
    state: Literal["removed", "not-needed"]
    measures: FaceMeasures | None = None
    plane: ShearPlane | None = None

    def reported(self, report: InstanceReport) -> InstanceReport:
        """The report of one of the instances, with what became of the face."""
        if self.state != "removed":
            return report
        actions = report.actions + Counter({("PixelData", "face-removed"): 1})
        risks = tuple(risk for risk in report.risks if risk != "faces-not-removed")
        return replace(report, actions=actions, risks=risks)


class FaceCleaner:
    """Carries out the option on series that are de-identified already. Thread-safe if the masks are.

    Supported are regular stacks of single-frame T1-weighted MR images of a whole head. What may show a face
    and is none of these is refused, never passed on as it is.

    Parameters
    ----------
    brain_mask
        Outlines the brain in a T1-weighted MR head.
    experimental_ct_mask
        The same for CT heads, tried on a single head; without it they are refused.
    buffer_mm
        Distance between the brain and what is removed.
    """

    def __init__(
        self,
        brain_mask: BrainMask,
        *,
        experimental_ct_mask: BrainMask | None = None,
        buffer_mm: float = BUFFER_MM,
    ) -> None:
        self._masks = {"MR": brain_mask}
        if experimental_ct_mask is not None:
            self._masks["CT"] = experimental_ct_mask
        self._buffer_mm = buffer_mm
        self._files = Part10(standard_dictionary(load_table()))

    def clean(self, instances: Sequence[bytes]) -> FaceOutcome:
        """Set everything on the side of the face to background, and check that it helped.

        Only a series that passes the check gets the code 113102 and Recognizable Visual Features NO.

        Parameters
        ----------
        instances
            All instances of one series, in any order.

        Raises
        ------
        CannotVouch
            Rule `face-not-removed`, with the reason: the series must not be passed on.
        """
        headers = [read_dataset(data, pixels=False) for data in instances]
        if not any(may_show_face(header) for header in headers):
            return FaceOutcome(tuple(instances), "not-needed")
        modality = _supported(headers)
        mask = self._masks.get(modality)
        if mask is None:
            raise refuse(f"faces are not removed from {modality} images in this version", "Modality")
        volume = read_volume(instances)
        brain = _outlined(mask, volume)
        return self._cut(instances, volume, brain, t1=modality == "MR")

    def _cut(
        self, instances: Sequence[bytes], volume: Volume, brain: NDArray[np.bool_], *, t1: bool
    ) -> FaceOutcome:
        check_whole(brain)
        grid = Grid.over(volume.voxels.shape, volume.affine)
        sampled = grid.sample(volume.voxels)
        brain_sampled = grid.sample(brain)
        head = head_of(sampled)
        check_mask(brain_sampled, sampled, head, grid, t1=t1)
        face = find_face(brain_sampled, grid)
        plane = plan_shear(brain, volume.affine, front_of(head, grid), grid, face, buffer_mm=self._buffer_mm)
        beyond = plane.beyond(brain.shape, volume.affine)
        cut = np.where(beyond, _background(volume), volume.stored)
        written: list[bytes] = [b""] * len(instances)
        for place, index in enumerate(volume.order):
            changed = bool((cut[place] != volume.stored[place]).any())
            written[index] = rewrite(instances[index], cut[place] if changed else None, self._files)
        after = read_volume(written)
        if after.order != volume.order or not np.array_equal(after.affine, volume.affine):
            raise refuse("the output would lie elsewhere than the input")
        measures = measure(volume.voxels, after.voxels, brain, beyond, grid, face)
        measures.check()
        return FaceOutcome(tuple(written), "removed", measures, plane)


def _supported(headers: Sequence[Dataset]) -> str:
    """The modality of a series of images that a face can be removed from, as far as headers tell."""
    modalities = {str(header.get("Modality", "")) for header in headers}
    if len(modalities) != 1:
        raise refuse("the instances of the series have different modalities", "Modality")
    for header in headers:
        if str(header.get("SOPClassUID", "")) not in _IMAGE_CLASSES:
            raise refuse("only single-frame MR images of a head are supported", "SOPClassUID")
        echo = header.get("EchoTime")
        if "DiffusionBValue" in header or (echo is not None and float(echo) >= _LONG_ECHO_MS):
            raise refuse("the image is not T1-weighted; only such heads are supported", "EchoTime")
    return modalities.pop()


def _outlined(mask: BrainMask, volume: Volume) -> NDArray[np.bool_]:
    try:
        brain = np.asarray(mask(volume.voxels, volume.affine))
    except CannotVouch:
        raise
    except Exception as exc:  # noqa: BLE001  the mask is a guest; whatever goes wrong, the face stays in
        raise refuse(f"the brain could not be outlined ({type(exc).__name__})") from None
    if brain.shape != volume.voxels.shape:
        raise refuse("the brain mask does not fit the image")
    return brain.astype(bool)


def _background(volume: Volume) -> np.integer:
    """A stored value of the air around the head."""
    if volume.padding is not None:
        return volume.stored.dtype.type(volume.padding)
    percent = 100 - _BACKGROUND_PERCENT if volume.inverted else _BACKGROUND_PERCENT
    value: np.integer = np.percentile(volume.stored, percent, method="nearest")
    return value
