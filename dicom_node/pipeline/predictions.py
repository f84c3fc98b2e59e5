"""Predictions at rest in the work area, between the steps that make and encode them."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from dicom_node.domain.finding import (
    ClassFinding,
    Code,
    Detection,
    Explanation,
    Measurement,
    ModelIdentity,
    ParametricMap,
    Prediction,
    Segment,
    Task,
)
from dicom_node.domain.run import Reason, RejectionKind, RunStatus

if TYPE_CHECKING:
    from dicom_node.domain.study import Slot
    from dicom_node.ports.stores import BlobStore


def save_prediction(store: BlobStore, slot: Slot, name: str, prediction: Prediction) -> dict[str, str]:
    """Write a prediction as JSON and its arrays beside it; return both refs."""
    facts = asdict(replace(prediction, arrays=b""))
    del facts["arrays"]
    return {
        "facts": store.write(slot, f"{name}.json", io.BytesIO(json.dumps(facts).encode())),
        "arrays": store.write(slot, f"{name}.npz", io.BytesIO(prediction.arrays)),
    }


def load_prediction(store: BlobStore, refs: dict[str, str]) -> Prediction:
    """Read what `save_prediction` wrote."""
    raw = json.loads(store.read(refs["facts"]))
    return Prediction(
        model=ModelIdentity(**{**raw["model"], "family": Code(**raw["model"]["family"])}),
        series_instance_uid=raw["series_instance_uid"],
        status=RunStatus(raw["status"]),
        reason=raw["reason"],
        label=raw["label"],
        confidence=raw["confidence"],
        segments=tuple(_segment(s) for s in raw["segments"]),
        measurements=tuple(_measurement(m) for m in raw["measurements"]),
        source_sop_instance_uids=tuple(raw["source_sop_instance_uids"]),
        arrays=store.read(refs["arrays"]),
        reasons=tuple(_reason(r) for r in raw["reasons"]),
        notices=tuple(raw["notices"]),
        elapsed_s=raw["elapsed_s"],
        task=Task(raw.get("task", Task.SEGMENTATION)),
        classes=tuple(ClassFinding(**{**c, "code": Code(**c["code"])}) for c in raw.get("classes", ())),
        detections=tuple(_detection(d) for d in raw.get("detections", ())),
        maps=tuple(_map(m) for m in raw.get("maps", ())),
        explanation=Explanation(**raw["explanation"]) if raw.get("explanation") else None,
        region=_code(raw.get("region")),
        source_frames=tuple(raw.get("source_frames", ())),
        spacing_mm=tuple(raw["spacing_mm"]) if raw.get("spacing_mm") else None,
    )


def _reason(raw: dict[str, Any]) -> Reason:
    kind = raw.get("kind")
    return Reason(**{**raw, "kind": RejectionKind(kind) if kind else None})


def _code(raw: dict[str, Any] | None) -> Code | None:
    return Code(**raw) if raw else None


def _detection(raw: dict[str, Any]) -> Detection:
    return Detection(
        number=raw["number"],
        label=raw["label"],
        code=Code(**raw["code"]),
        score=raw["score"],
        box=tuple(raw["box"]),
        anatomic_region=_code(raw["anatomic_region"]),
        cielab=tuple(raw["cielab"]),
        measurements=tuple(_measurement(m) for m in raw["measurements"]),
    )


def _map(raw: dict[str, Any]) -> ParametricMap:
    return ParametricMap(raw["name"], raw["label"], Code(**raw["quantity"]), Code(**raw["unit"]))


def _measurement(raw: dict[str, Any]) -> Measurement:
    return Measurement(Code(**raw["name"]), raw["value"], Code(**raw["unit"]))


def _segment(raw: dict[str, Any]) -> Segment:
    return Segment(
        number=raw["number"],
        label=raw["label"],
        category=Code(**raw["category"]),
        type=Code(**raw["type"]),
        anatomic_region=_code(raw["anatomic_region"]),
        cielab=tuple(raw["cielab"]),
        measurements=tuple(_measurement(m) for m in raw["measurements"]),
    )
