"""The model process: `python -m inference.runner.worker`. All torch code of the node runs here.

It reads one JSON request a line from standard input and answers each with one line. Arrays lie in files
that the requests name. It ends when its input does, so it never outlives the node; the kernel's
parent-death signal is no choice, because that follows the thread that made the process, not the node.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from inference.gates.measure import measure_mask
from inference.runner.adapter import ModelInput, ModelOutput
from inference.runner.arrays import pack_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.runner.adapter import Adapter


class Worker:
    """Loaded models, and what is asked of them."""

    def __init__(self, device: str) -> None:
        self._wanted_device = device
        self._models: dict[str, Adapter] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request says; an error becomes an answer too."""
        try:
            if request["do"] == "load":
                return self._load(request)
            return self._run(request)
        except MemoryError:
            return {"error": "memory"}
        except Exception as exc:  # noqa: BLE001  the edge of the process: the node decides what it means
            if type(exc).__name__ == "OutOfMemoryError" or "not enough memory" in str(exc):
                return {"error": "memory"}
            # No text of the exception: it may hold values of the image.
            frames = traceback.extract_tb(exc.__traceback__)[-3:]
            place = " < ".join(f"{Path(f.filename).stem}:{f.lineno}" for f in reversed(frames))
            return {"error": f"{type(exc).__name__} at {place}"}
        finally:
            _give_memory_back()

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        device = _device(self._wanted_device)
        if request["model"] not in self._models:
            module, _, name = request["target"].partition(":")
            adapter: Adapter = getattr(import_module(module), name)(
                {role: Path(path) for role, path in request["weights"].items()}, device
            )
            if device != "cpu":
                # A processor gains a tenth of a study from this, and the node starts on it too.
                adapter.warm_up()
            self._models[request["model"]] = adapter
        return {"device": device, "elapsed_s": time.perf_counter() - started}

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        voxels = np.load(request["voxels"], allow_pickle=False)
        affine = np.array(request["affine"], dtype=np.float64)
        output = self._models[request["model"]].predict(ModelInput(voxels, affine))
        mask, probability = _drawn(output, voxels.shape)
        facts = {**measure_mask(voxels, mask, affine), **output.facts}
        Path(request["arrays"]).write_bytes(pack_arrays(mask, probability))
        return {
            "confidence": float(output.confidence),
            "facts": {name: float(value) for name, value in facts.items()},
            "numbers": [int(n) for n in np.flatnonzero(np.bincount(mask.ravel(), minlength=1)) if n],
            "elapsed_s": time.perf_counter() - started,
        }


def _drawn(output: ModelOutput, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    mask, probability = output.mask, output.probability
    if mask is None or probability is None:
        raise TypeError("the model gave no mask or no probability")
    if mask.shape != shape or mask.dtype != np.uint8 or probability.shape != shape:
        raise TypeError("the model's arrays do not have the shape and type of its input")
    return mask, probability


def _device(wanted: str) -> str:
    if wanted == "cpu":
        return wanted
    import torch

    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise RuntimeError("no CUDA device")
    return "cuda" if has_cuda else "cpu"


def _give_memory_back() -> None:
    gc.collect()
    try:
        # A run needs over a gigabyte for seconds; without this the C library keeps it.
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


def _die_first() -> None:
    """When memory runs out, the kernel shall end this process and not the node."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return


def _requests(stream: BinaryIO) -> queue.SimpleQueue[bytes]:
    """Lines of the input, read beside the work, so that the end of the node ends a run at once."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, name="requests", daemon=True).start()
    return lines


def main() -> None:
    """Serve requests until the input ends."""
    # Ctrl-C in a terminal reaches every process; the node decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_first()
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1] if len(sys.argv) > 1 else "auto")
    requests = _requests(sys.stdin.buffer)
    while True:
        answer = worker.answer(json.loads(requests.get()))
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
