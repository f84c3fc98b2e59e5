"""Reads `model.yaml` into a `ModelManifest`, checked against `model.schema.json`."""

from __future__ import annotations

import json
from pathlib import Path
from string import Formatter
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from dicom_node.domain.errors import InvalidModelPackage
from dicom_node.domain.finding import Code, ModelIdentity
from inference.contract import (
    GateLimit,
    InputRequirements,
    ModelCard,
    ModelManifest,
    OutputMeasurement,
    OutputSegment,
    Sample,
    WeightFile,
)

FILE_NAME = "model.yaml"
_SCHEMA = Path(__file__).with_name("model.schema.json")


def read_manifest(folder: Path) -> ModelManifest:
    """Read the package in `folder`.

    Raises
    ------
    InvalidModelPackage
        If the file is missing, is no YAML, or breaks the contract; the message names the key.
    """
    path = folder / FILE_NAME
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InvalidModelPackage(f"{FILE_NAME} cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise InvalidModelPackage(f"{FILE_NAME} is no YAML: {' '.join(str(exc).split())}") from exc
    error = best_match(Draft202012Validator(_schema()).iter_errors(raw))
    if error is not None:
        raise InvalidModelPackage(f"{FILE_NAME}, {error.json_path}: {error.message[:200]}")
    manifest = _manifest(raw, folder)
    _check_consistency(manifest)
    return manifest


def _schema() -> Any:
    return json.loads(_SCHEMA.read_text(encoding="utf-8"))


def _check_consistency(manifest: ModelManifest) -> None:
    roles = [weight.role for weight in manifest.weights]
    if len(roles) != len(set(roles)):
        raise InvalidModelPackage("weights: every role may stand once")
    for limit in (*manifest.gates_before, *manifest.gates_after):
        if limit.at_least is not None and limit.at_most is not None and limit.at_least > limit.at_most:
            raise InvalidModelPackage(f"gates, {limit.fact}: at_least is larger than at_most")
    try:
        placeholders = [name for _, name, _, _ in Formatter().parse(manifest.label) if name is not None]
    except ValueError as exc:
        raise InvalidModelPackage(f"outputs, label: {exc}") from exc
    if not all(name.isidentifier() for name in placeholders):
        raise InvalidModelPackage("outputs, label: only names of facts may stand in braces")
    if manifest.input.min_slices > manifest.input.max_slices:
        raise InvalidModelPackage("input: min_slices is larger than max_slices")
    if manifest.input.spacing_mm[0] > manifest.input.spacing_mm[1]:
        raise InvalidModelPackage("input: spacing_mm is [smallest, largest]")


def _manifest(raw: dict[str, Any], folder: Path) -> ModelManifest:
    sample = raw.get("sample")
    return ModelManifest(
        identity=ModelIdentity(
            name=raw["name"],
            version=raw["version"],
            title=raw["title"],
            manufacturer=raw["manufacturer"],
            device_uid=raw["device_uid"],
            family=Code(*raw["family"]),
            is_ai=raw.get("ai", True),
        ),
        task=raw["task"],
        licence=raw["licence"],
        card=_card(raw["card"]),
        weights=tuple(
            WeightFile(w["role"], w.get("distribution"), w["path"], w["sha256"]) for w in raw["weights"]
        ),
        input=_input(raw["input"]),
        gates_before=_limits(raw["gates"]["before"]),
        gates_after=_limits(raw["gates"]["after"]),
        label=raw["outputs"]["label"],
        segments=tuple(_segment(n, s) for n, s in enumerate(raw["outputs"]["segments"], start=1)),
        min_confidence=float(raw["thresholds"]["confidence"]),
        memory_mb=raw["memory_mb"],
        adapter=raw["adapter"]["target"],
        sample=_sample(sample) if sample else None,
        folder=folder,
    )


def _card(raw: dict[str, Any]) -> ModelCard:
    return ModelCard(
        intended_use=raw["intended_use"],
        training=raw["training"],
        confidence=raw["confidence"],
        limits=tuple(raw["limits"]),
        notices=tuple(raw.get("notices", ())),
        references=tuple(raw.get("references", ())),
    )


def _input(raw: dict[str, Any]) -> InputRequirements:
    return InputRequirements(
        modalities=tuple(raw["modalities"]),
        sop_classes=tuple(raw["sop_classes"]),
        body_parts=tuple(raw.get("body_parts", ())),
        contrast=raw.get("contrast"),
        min_slices=raw["min_slices"],
        max_slices=raw.get("max_slices", 2048),
        max_voxels=raw.get("max_voxels", 2**28),
        spacing_mm=_pair(raw["spacing_mm"]),
        min_coverage_mm=float(raw.get("min_coverage_mm", 0)),
        min_age_years=raw.get("min_age_years"),
    )


def _limits(raw: list[dict[str, Any]]) -> tuple[GateLimit, ...]:
    return tuple(GateLimit(x["fact"], x["text"], x.get("at_least"), x.get("at_most")) for x in raw)


def _segment(number: int, raw: dict[str, Any]) -> OutputSegment:
    region = raw.get("anatomic_region")
    lightness, a, b = raw["cielab"]
    return OutputSegment(
        number=number,
        label=raw["label"],
        category=Code(*raw["category"]),
        type=Code(*raw["type"]),
        anatomic_region=Code(*region) if region else None,
        cielab=(float(lightness), float(a), float(b)),
        measurements=tuple(
            OutputMeasurement(m["fact"], Code(*m["name"]), Code(*m["unit"]), m.get("digits", 1))
            for m in raw.get("measurements", ())
        ),
    )


def _sample(raw: dict[str, Any]) -> Sample:
    return Sample(raw["distribution"], raw["path"], raw["sha256"], raw["fact"], _pair(raw["expected"]))


def _pair(raw: list[float]) -> tuple[float, float]:
    low, high = raw
    return float(low), float(high)
