"""The model process: `python -m inference.runner.worker`. All torch code of the node runs here.

It reads one JSON request a line from standard input and answers each with one line. Arrays lie in files
that the requests name. It ends when its input does, so it never outlives the node; the kernel's
parent-death signal is no choice, because that follows the thread that made the process, not the node.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dicom_node.domain.errors import NodeError
from inference.adapters.build import build_adapter
from inference.manifest import read_manifest
from inference.runner.model_memory import (
    die_first,
    give_back,
    gpu_peak_mb,
    keep_loaded,
    peak_mb,
    start_counting,
)
from inference.runner.model_work import work_on

if TYPE_CHECKING:
    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Adapter


class Worker:
    """The one model of this process, and what is asked of it."""

    def __init__(self, device: str) -> None:
        self._wanted_device = device
        self._model: tuple[ModelManifest, Adapter] | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request says; an error becomes an answer too."""
        try:
            if request["do"] == "load":
                return self._load(request)
            return self._run(request)
        except MemoryError:
            return {"error": "memory"}
        except NodeError as exc:
            # Our own words; they hold nothing of the image.
            return {"error": "said", "text": str(exc)}
        except Exception as exc:  # noqa: BLE001  the edge of the process: the node decides what it means
            if type(exc).__name__ == "OutOfMemoryError" or "not enough memory" in str(exc):
                return {"error": "memory"}
            # No text of the exception: it may hold values of the image.
            frames = traceback.extract_tb(exc.__traceback__)[-3:]
            place = " < ".join(f"{Path(f.filename).stem}:{f.lineno}" for f in reversed(frames))
            return {"error": f"{type(exc).__name__} at {place}"}
        finally:
            give_back()

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        device = _device(self._wanted_device)
        manifest = read_manifest(Path(request["folder"]))
        # A bundle's own modules lie in its folder, whose hash must stay what it is.
        sys.dont_write_bytecode = manifest.adapter.kind == "monai-bundle"
        weights = {role: Path(path) for role, path in request["weights"].items()}
        adapter = build_adapter(manifest, weights, device, trusted=frozenset(request["trusted"]))
        if device != "cpu":
            # A processor gains a tenth of a study from this, and the node starts on it too.
            adapter.warm_up()
        self._model = manifest, adapter
        keep_loaded()
        return {"device": device, "elapsed_s": time.perf_counter() - started, "peak_mb": peak_mb()}

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._model is not None  # noqa: S101  the node loads before it runs
        start_counting()
        answers, elapsed_s = work_on(*self._model, request["inputs"])
        return {
            "answers": answers,
            "elapsed_s": elapsed_s,
            "peak_mb": peak_mb(),
            "gpu_peak_mb": gpu_peak_mb(),
        }


def _device(wanted: str) -> str:
    if wanted == "cpu" or (wanted == "auto" and not _may_have_cuda()):
        return "cpu"
    import torch

    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise RuntimeError("no CUDA device")
    return "cuda" if has_cuda else "cpu"


def _may_have_cuda() -> bool:
    """Spares models that need no torch its import, which takes seconds, where there is no GPU anyway."""
    if sys.platform != "linux":
        return True
    return any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd", "/dev/nvhost-gpu"))


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
    die_first()
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
