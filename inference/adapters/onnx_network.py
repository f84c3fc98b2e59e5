"""Networks of ONNX, run by ONNX Runtime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.outputs import by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest


class OnnxNetwork:
    """`LoadedNetwork` over an ONNX Runtime session."""

    def __init__(self, session: onnxruntime.InferenceSession, outputs: tuple[str, ...] = ()) -> None:
        self._session = session
        (self._input,) = session.get_inputs()
        self._names = outputs or _names(session)

    @property
    def module(self) -> None:
        """No torch module: gradients cannot be taken."""

    def __call__(self, batch: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Outputs by name for a batch (n, channels, ...)."""
        kind = np.float16 if self._input.type == "tensor(float16)" else np.float32
        given = self._session.run(None, {self._input.name: np.ascontiguousarray(batch, dtype=kind)})
        return by_name(given, self._names, lambda array: np.asarray(array, dtype=np.float32))


def load_onnx(manifest: ModelManifest, weights: Mapping[str, Path], device: str) -> OnnxNetwork:
    """A package's ONNX file as a session on the CPU, or on CUDA where ONNX Runtime has it.

    Raises
    ------
    InvalidModelPackage
        If the file cannot be loaded, or takes more than one input.
    """
    path = weights.get("network") or next(iter(weights.values()))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    providers = ["CPUExecutionProvider"]
    if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, "CUDAExecutionProvider")
    try:
        session = onnxruntime.InferenceSession(_model(path), options, providers=providers)
    except Exception as exc:  # the runtime's own errors share no base but this
        raise InvalidModelPackage(f"{path.name} cannot be loaded as ONNX ({type(exc).__name__})") from exc
    if len(session.get_inputs()) != 1:
        raise InvalidModelPackage(f"{path.name} takes {len(session.get_inputs())} inputs; one is needed")
    return OnnxNetwork(session, tuple(manifest.adapter.parameters.get("outputs", ())))


def _model(path: Path) -> str | bytes:
    """A folder holds a model and its external data; a file is given as bytes and can refer to no other."""
    if not path.is_dir():
        return path.read_bytes()
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        raise InvalidModelPackage(f"{path.name} holds {len(found)} files *.onnx; one is needed")
    return str(found[0])


def _names(session: onnxruntime.InferenceSession) -> tuple[str, ...]:
    names = tuple(output.name for output in session.get_outputs())
    return ("output",) if len(names) == 1 else names
