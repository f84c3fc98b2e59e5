"""The brain that the removal of faces must spare, outlined by the built-in model."""

from __future__ import annotations

import atexit
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from anonymizer.errors import CannotVouch
from anonymizer.faces.cleaner import FaceCleaner
from anonymizer.faces.ct import cranial_cavity
from dicom_node.app.models import build_engine
from dicom_node.domain.errors import NodeError
from dicom_node.domain.run import Assignment, RunStatus
from inference.preprocess.volume import Volume
from inference.registry import ModelRegistry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicom_node.settings import Settings
    from inference.runner.engine import ProcessEngine

MODEL: Final = "mr-brain-extraction"
_RULE: Final = "face-not-removed"


def build_face_cleaner(settings: Settings, models: ProcessEngine | None = None) -> FaceCleaner:
    """What takes faces off, with the model process of the node or one of its own."""
    if models is None:
        models = build_engine(settings, ModelRegistry.load(settings.inference.model_dirs))
        atexit.register(models.close)
    experiment = settings.deidentification.ct_faces == "experimental"
    return FaceCleaner(
        BrainOutline(models, settings.node.data_dir / "scratch"),
        experimental_ct_mask=cranial_cavity if experiment else None,
    )


class BrainOutline:
    """`anonymizer.faces.cleaner.BrainMask` by `mr-brain-extraction`, with all gates of that model.

    Parameters
    ----------
    engine
        Starts the model process when the first head comes.
    scratch
        Folder for arrays on their way to the model process; they are deleted after each head.
    """

    def __init__(self, engine: ProcessEngine, scratch: Path) -> None:
        self._engine = engine
        self._scratch = scratch

    def __call__(self, voxels: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Outline the brain of a T1-weighted MR head.

        Raises
        ------
        CannotVouch
            If the model is not there, fails, or one of its gates refuses the image.
        """
        assignment = Assignment(MODEL, "", "", "outline of the brain, for the removal of the face")
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            try:
                found = self._engine.run_volume(assignment, Volume(voxels, affine, ()), Path(folder))
            except NodeError as exc:
                raise CannotVouch(_RULE, f"the brain could not be outlined: {exc}") from exc
        if found.status is not RunStatus.DONE:
            raise CannotVouch(_RULE, f"the brain could not be outlined: {found.reason}")
        with np.load(io.BytesIO(found.arrays)) as arrays:
            return np.asarray(arrays["mask"] > 0)
