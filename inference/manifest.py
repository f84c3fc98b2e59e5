"""Reads `model.yaml` into a `ModelManifest`, checked against `model.schema.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from dicom_node.domain.errors import InvalidModelPackage
from dicom_node.domain.finding import Code, ModelIdentity, Task
from inference import manifest_sections as sections
from inference.contract.card import WeightFile
from inference.contract.package import ModelManifest
from inference.manifest_rules import check_consistency, check_values

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
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        # The library lets errors of its own constructors through (a date of month 13, an empty number).
        raise InvalidModelPackage(f"{FILE_NAME} is no YAML: {' '.join(str(exc).split())[:200]}") from exc
    check_values(raw)
    error = best_match(Draft202012Validator(_schema()).iter_errors(raw))
    if error is not None:
        raise InvalidModelPackage(f"{FILE_NAME}, {error.json_path}: {error.message[:200]}")
    manifest = _manifest(raw, folder)
    check_consistency(manifest)
    return manifest


def _schema() -> Any:
    return json.loads(_SCHEMA.read_text(encoding="utf-8"))


def _manifest(raw: dict[str, Any], folder: Path) -> ModelManifest:
    outputs = raw["outputs"]
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
        task=Task(raw["task"]),
        licence=raw["licence"],
        card=sections.read_card(raw["card"]),
        weights=tuple(
            WeightFile(w["role"], w.get("distribution"), w["path"], w["sha256"]) for w in raw["weights"]
        ),
        input=sections.read_input(raw["input"]),
        gates_before=sections.read_limits(raw["gates"]["before"]),
        gates_after=sections.read_limits(raw["gates"]["after"]),
        label=outputs["label"],
        segments=tuple(sections.read_segment(n, s) for n, s in enumerate(outputs.get("segments", ()), 1)),
        min_confidence=float(raw["thresholds"]["confidence"]),
        memory_mb=raw["memory_mb"],
        adapter=sections.read_adapter(raw["adapter"]),
        samples=sections.read_samples(raw),
        folder=folder,
        measurements=sections.read_measurements(outputs.get("measurements", [])),
        classification=sections.read_classification(outputs.get("classification")),
        detections=tuple(sections.read_detection(d) for d in outputs.get("detections", ())),
        maps=tuple(sections.read_map(m) for m in outputs.get("maps", ())),
        explanation=sections.read_explanation(outputs.get("explanation")),
        region=sections.read_code(outputs.get("region")),
        requires=tuple(raw.get("requires", ())),
        validator=sections.read_validator(raw["gates"].get("validator")),
        reference=raw["gates"].get("reference"),
        time_limit_s=raw.get("time_limit_s"),
        half_precision=raw.get("half_precision", False),
    )
