"""Rules of `model.yaml` that a schema cannot say."""

from __future__ import annotations

import math
import re
from string import Formatter
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import InvalidModelPackage
from dicom_node.domain.finding import Task
from inference.gates.reference import read_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.contract.package import ModelManifest

#: Values of a manifest, and how deep they may be nested: more is no manifest, or one made to hurt.
MOST_VALUES, DEEPEST = 50_000, 32
LARGEST = 2.0**53
_FORMAT = re.compile(r"[<>^]?[+ ]?\d{0,2},?(\.\d)?[dfgs%]?")


def check_values(raw: Any) -> None:
    """Refuse what no manifest needs and what later steps would stumble over.

    Raises
    ------
    InvalidModelPackage
        For numbers that are not finite or beyond 2**53, and for nesting or size out of all proportion.
    """
    for count, (value, depth) in enumerate(_values(raw, 0)):
        if count > MOST_VALUES or depth > DEEPEST:
            raise InvalidModelPackage("model.yaml holds too many values, or nests them too deep")
        if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= LARGEST):
            raise InvalidModelPackage("model.yaml holds a number that is not finite or too large")


def check_consistency(manifest: ModelManifest) -> None:
    """Refuse a manifest whose parts contradict each other.

    Raises
    ------
    InvalidModelPackage
        The message names the parts.
    """
    _check_weights(manifest)
    _check_adapter(manifest)
    _check_limits(manifest)
    _check_label(manifest.label)
    _check_outputs(manifest)
    _check_samples(manifest)


def _values(raw: Any, depth: int) -> Iterator[tuple[Any, int]]:
    yield raw, depth
    if depth > DEEPEST:
        return
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield key, depth
            yield from _values(value, depth + 1)
    elif isinstance(raw, list | tuple | set):
        for value in raw:
            yield from _values(value, depth + 1)


def _check_weights(manifest: ModelManifest) -> None:
    roles = [weight.role for weight in manifest.weights]
    if len(roles) != len(set(roles)):
        raise InvalidModelPackage("weights: every role may stand once")


def _check_adapter(manifest: ModelManifest) -> None:
    kind, target = manifest.adapter.kind, manifest.adapter.target
    if kind == "python":
        return
    if manifest.task is Task.MEASUREMENT:
        raise InvalidModelPackage(f"adapter.kind {kind}: measurements are made by code (kind python)")
    if not manifest.weights:
        raise InvalidModelPackage(f"weights: adapter.kind {kind} needs a file to load")
    if kind == "monai-bundle" and [weight.path for weight in manifest.weights] != [target]:
        raise InvalidModelPackage("weights: a bundle is one entry, whose path is adapter.target, its folder")


def _check_limits(manifest: ModelManifest) -> None:
    for limit in (*manifest.gates_before, *manifest.gates_after):
        if limit.at_least is not None and limit.at_most is not None and limit.at_least > limit.at_most:
            raise InvalidModelPackage(f"gates, {limit.fact}: at_least is larger than at_most")
    if manifest.reference is not None:
        read_reference(manifest.folder / manifest.reference)
    if manifest.input.min_slices > manifest.input.max_slices:
        raise InvalidModelPackage("input: min_slices is larger than max_slices")
    if manifest.input.spacing_mm[0] > manifest.input.spacing_mm[1]:
        raise InvalidModelPackage("input: spacing_mm is [smallest, largest]")


def _check_label(label: str) -> None:
    try:
        fields = [field for field in Formatter().parse(label) if field[1] is not None]
    except ValueError as exc:
        raise InvalidModelPackage(f"outputs, label: {exc}") from exc
    for _, name, form, conversion in fields:
        if not (name or "").isidentifier():
            raise InvalidModelPackage("outputs, label: only names of facts may stand in braces")
        if conversion or not _FORMAT.fullmatch(form or ""):
            raise InvalidModelPackage(
                f"outputs, label: {name} is written in a way that is not known; try :.1f"
            )


def _check_outputs(manifest: ModelManifest) -> None:
    given = {
        Task.SEGMENTATION: manifest.segments,
        Task.CLASSIFICATION: manifest.classification,
        Task.DETECTION: manifest.detections,
        Task.MEASUREMENT: manifest.measurements or manifest.segments or manifest.maps,
    }
    if not given[manifest.task]:
        raise InvalidModelPackage(f"outputs: nothing is described that a model for {manifest.task} gives")
    if manifest.name in manifest.requires:
        raise InvalidModelPackage("requires: a model cannot be fed with its own result")
    names = [one.name for one in manifest.classification.classes] if manifest.classification else []
    if len(names) != len(set(names)):
        raise InvalidModelPackage("outputs, classification: every class may stand once")


def _check_samples(manifest: ModelManifest) -> None:
    known = {one.name for one in manifest.classification.classes} if manifest.classification else set()
    for sample in manifest.samples:
        if sample.expected_class is not None and sample.expected_class not in known:
            raise InvalidModelPackage(f"sample {sample.path}: there is no class {sample.expected_class}")
        if sample.expected is not None and sample.expected[0] > sample.expected[1]:
            raise InvalidModelPackage(f"sample {sample.path}: expected is [smallest, largest]")
