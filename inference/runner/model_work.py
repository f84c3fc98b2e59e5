"""Lets an adapter work on the inputs of a request, and says what came out. In the model process."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.runner.adapter import ModelInput, outputs_of
from inference.runner.arrays import arrays_of, pack_arrays, unpack_arrays
from inference.runner.contract_check import check_output
from inference.runner.facts import output_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Adapter, ModelOutput


def work_on(
    manifest: ModelManifest, adapter: Adapter, requests: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], float]:
    """An answer for each input, and the seconds that the model worked on all of them.

    Inputs are read when the adapter asks for them and let go when their output is written.

    Raises
    ------
    InferenceFailed
        If an output is not what the manifest promises, or one is missing.
    """
    begun: deque[ModelInput] = deque()

    def inputs() -> Iterator[ModelInput]:
        for request in requests:
            begun.append(_model_input(request))
            yield begun[-1]

    answers: list[dict[str, Any]] = []
    elapsed_s = 0.0
    outputs = outputs_of(adapter, inputs())
    for request in requests:
        started = time.perf_counter()
        output = next(outputs, None)
        elapsed_s += time.perf_counter() - started
        if output is None or not begun:
            raise InferenceFailed("the model does not give one output for each input, in their order")
        answers.append(_answer(manifest, request, begun.popleft(), output))
        del output
    return answers, elapsed_s


def _model_input(request: Mapping[str, Any]) -> ModelInput:
    affine = request["affine"]
    feeds = request["feeds"]
    return ModelInput(
        np.load(request["voxels"], allow_pickle=False),
        None if affine is None else np.array(affine, dtype=np.float64),
        unpack_arrays(Path(feeds).read_bytes()) if feeds else {},
    )


def _answer(
    manifest: ModelManifest, request: Mapping[str, Any], given: ModelInput, output: ModelOutput
) -> dict[str, Any]:
    check_output(manifest, given, output)
    kept = request["kept"]
    arrays = arrays_of(output, None if kept is None else tuple(kept))
    # Both take a good part of a second of a whole volume, and neither holds the interpreter's lock for long.
    with ThreadPoolExecutor(1) as beside:
        packed = beside.submit(pack_arrays, arrays) if arrays else None
        facts = output_facts(manifest, given, output)
        Path(request["arrays"]).write_bytes(packed.result() if packed else b"")
    return {
        "confidence": float(output.confidence),
        "facts": facts,
        "classes": {name: float(p) for name, p in output.classes.items()},
        "detections": _boxes(output, kept),
        "heat": [output.heat.method, output.heat.target] if "heat" in arrays and output.heat else None,
    }


def _boxes(output: ModelOutput, kept: list[int] | None) -> list[dict[str, Any]]:
    """Boxes, the surest first; their slices are counted without those that were filled in."""
    made = []
    for box in sorted(output.detections, key=lambda box: -box.score):
        edges = [float(edge) for edge in box.box]
        if kept is not None:
            first = int(np.searchsorted(kept, np.floor(edges[0])))
            last = max(first + 1, int(np.searchsorted(kept, np.ceil(edges[3]))))
            edges[0], edges[3] = float(min(first, len(kept) - 1)), float(min(last, len(kept)))
        made.append({"name": box.name, "score": float(box.score), "box": edges})
    return made
