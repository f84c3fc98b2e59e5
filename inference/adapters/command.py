"""Runs a segmenter that is a program of its own: a NIfTI file in, a NIfTI file of labels out.

For models that come with a command of theirs (TotalSegmentator, lungmask, HD-BET, BLAST-CT). The program must
be installed; it gets no address to download from.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.runner.adapter import ModelOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from inference.runner.adapter import ModelInput

#: Nothing listens there: a program that would download its weights, or report its use, fails at once.
NOWHERE = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PR_SET_PDEATHSIG = 1
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSED = np.eye(4)[:, [2, 1, 0, 3]]


class CommandAdapter:
    """`inference.runner.adapter.Adapter` over a command line.

    Parameters
    ----------
    command
        Its words; `{input}`, `{output}`, `{device}` and `{device_index}` (cpu or 0) are filled in, and
        `{<role>}` with the path of a weight.
    result
        Name of the file that it writes beside `{input}`, where it is not `{output}`.
    labels
        For each segment of the manifest the value that the program writes; without it 1, 2, 3 and so on.
    environment
        Variables for the program; filled in like the command.

    Raises
    ------
    InvalidModelPackage
        If the program is not installed.
    """

    def __init__(
        self,
        weights: Mapping[str, Path],
        device: str,
        *,
        command: Sequence[str],
        result: str = "output.nii.gz",
        labels: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._names = {role: str(path) for role, path in weights.items()} | {
            "device": device,
            "device_index": "cpu" if device == "cpu" else "0",
        }
        self._result = result
        self._command = tuple(command)
        self._labels = tuple(labels)
        self._environment = dict(environment or {})
        found = shutil.which(self._command[0]) if self._command else None
        if found is None:
            raise InvalidModelPackage(
                f"the program {' '.join(self._command[:1])} is not installed where the node runs;"
                " install what the package's source names"
            )
        self._program = found

    def warm_up(self) -> None:
        """Nothing: each run is a program that starts anew."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Outline one volume. The confidence is 1: such programs give none."""
        if volume.affine is None or volume.voxels.ndim != 3:
            raise InferenceFailed("the program takes volumes with geometry")
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, "input.nii.gz"), Path(folder, "output.nii.gz")
            _write(given, volume.voxels, volume.affine)
            self._run({**self._names, "input": str(given), "output": str(made)}, folder)
            labels = _read(Path(folder, self._result), volume.voxels.shape)
        wanted = self._labels or tuple(range(1, int(labels.max(initial=0)) + 1))
        mask = np.zeros(volume.voxels.shape, dtype=np.uint8)
        for number, label in enumerate(wanted, 1):
            mask[labels == label] = number
        return ModelOutput(confidence=1.0, mask=mask)

    def _run(self, names: Mapping[str, str], folder: str) -> None:
        words = [self._program, *(_filled(word, names) for word in self._command[1:])]
        environment = {**os.environ, **dict.fromkeys(PROXIES, NOWHERE)}
        environment |= {name: _filled(value, names) for name, value in self._environment.items()}
        done = subprocess.run(  # noqa: S603  the operator installed the package and the program
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            # What it says may hold values of the image.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            preexec_fn=_end_with_the_model,
        )
        if done.returncode:
            raise InferenceFailed(
                f"the program {Path(self._program).name} ended with exit status {done.returncode}"
            )


def _end_with_the_model() -> None:
    """A model process that is ended for its time or memory takes the program with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _write(path: Path, voxels: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    to_ras = _LPS_TO_RAS @ affine @ _REVERSED
    nibabel.save(nibabel.nifti1.Nifti1Image(np.ascontiguousarray(voxels.transpose(2, 1, 0)), to_ras), path)


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.int64]:
    if not path.is_file():
        raise InferenceFailed("the program wrote no result")
    labels = np.asarray(np.rint(nibabel.load(path).get_fdata(dtype=np.float32)), dtype=np.int64)
    if labels.ndim != 3 or labels.shape[::-1] != shape:
        raise InferenceFailed("the program's result does not lie on the grid of its input")
    return np.ascontiguousarray(labels.transpose(2, 1, 0))
