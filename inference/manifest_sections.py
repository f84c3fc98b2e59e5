"""The sections of `model.yaml`, already checked against the schema, as types of the contract."""

from __future__ import annotations

from typing import Any

from dicom_node.domain.finding import Code, ParametricMap
from inference.contract.card import ModelCard, Sample
from inference.contract.inputs import GateLimit, InputKind, InputRequirements, SliceSelection, Validator
from inference.contract.outputs import (
    ClassificationOutput,
    ExplanationRequest,
    OutputClass,
    OutputDetection,
    OutputMeasurement,
    OutputSegment,
)
from inference.contract.package import AdapterSpec


def read_card(raw: dict[str, Any]) -> ModelCard:
    """The section `card`."""
    return ModelCard(
        intended_use=raw["intended_use"],
        training=raw["training"],
        confidence=raw["confidence"],
        limits=tuple(raw["limits"]),
        notices=tuple(raw.get("notices", ())),
        references=tuple(raw.get("references", ())),
    )


def read_input(raw: dict[str, Any]) -> InputRequirements:
    """The section `input`."""
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
        kind=InputKind(raw.get("kind", InputKind.VOLUME)),
        selection=_selection(raw.get("selection", {})),
        contrast_agent=raw.get("contrast_agent"),
        colour=raw.get("colour", False),
        max_missing_slices=raw.get("max_missing_slices", 0),
        unit=raw.get("unit"),
        **{
            name: tuple(raw.get(name, ()))
            for name in ("sequences", "orientations", "views", "lateralities", "kernels")
        },
    )


def read_limits(raw: list[dict[str, Any]]) -> tuple[GateLimit, ...]:
    """The gates before or after."""
    return tuple(GateLimit(x["fact"], x["text"], x.get("at_least"), x.get("at_most")) for x in raw)


def read_validator(raw: dict[str, Any] | None) -> Validator | None:
    """The model that is asked before, where there is one."""
    if raw is None:
        return None
    return Validator(raw["model"], tuple(raw["accept"]), float(raw.get("min_probability", 0.5)))


def read_segment(number: int, raw: dict[str, Any]) -> OutputSegment:
    """One of `outputs.segments`; they are counted from 1."""
    return OutputSegment(
        number=number,
        label=raw["label"],
        category=Code(*raw["category"]),
        type=Code(*raw["type"]),
        anatomic_region=read_code(raw.get("anatomic_region")),
        cielab=_triple(raw["cielab"]),
        measurements=read_measurements(raw.get("measurements", [])),
    )


def read_measurements(raw: list[dict[str, Any]]) -> tuple[OutputMeasurement, ...]:
    """Numbers that are reported, of a segment or of the whole."""
    return tuple(
        OutputMeasurement(m["fact"], Code(*m["name"]), Code(*m["unit"]), m.get("digits", 1)) for m in raw
    )


def read_classification(raw: dict[str, Any] | None) -> ClassificationOutput | None:
    """`outputs.classification`, where there is one."""
    if raw is None:
        return None
    return ClassificationOutput(
        mode=raw["mode"],
        classes=tuple(
            OutputClass(
                c["name"],
                c["label"],
                Code(*c["code"]),
                c.get("abnormal", True),
                float(c.get("threshold", 0.5)),
            )
            for c in raw["classes"]
        ),
        abnormal_threshold=raw.get("abnormal_threshold"),
        temperature=float(raw.get("temperature", 1)),
        aggregation=raw.get("aggregation", "mean"),
        top_k=raw.get("top_k", 3),
        min_agreement=float(raw.get("min_agreement", 0)),
    )


def read_detection(raw: dict[str, Any]) -> OutputDetection:
    """One of `outputs.detections`."""
    return OutputDetection(
        name=raw["name"],
        label=raw["label"],
        code=Code(*raw["code"]),
        anatomic_region=read_code(raw.get("anatomic_region")),
        cielab=_triple(raw["cielab"]),
        min_score=float(raw.get("min_score", 0.5)),
    )


def read_map(raw: dict[str, Any]) -> ParametricMap:
    """One of `outputs.maps`."""
    return ParametricMap(raw["name"], raw["label"], Code(*raw["quantity"]), Code(*raw["unit"]))


def read_explanation(raw: dict[str, Any] | None) -> ExplanationRequest | None:
    """`outputs.explanation`, where there is one."""
    if raw is None:
        return None
    layers = raw.get("layer", [])
    named = (layers,) if isinstance(layers, str) else tuple(layers)
    return ExplanationRequest(raw["method"], named, raw.get("slices", 3))


def read_adapter(raw: dict[str, Any]) -> AdapterSpec:
    """The section `adapter`."""
    return AdapterSpec(
        kind=raw["kind"],
        target=raw.get("target"),
        parameters=raw.get("parameters", {}),
        preprocessing=raw.get("preprocessing", {}),
        postprocessing=raw.get("postprocessing", {}),
    )


def read_samples(raw: dict[str, Any]) -> tuple[Sample, ...]:
    """The sections `sample` and `samples` of a whole manifest."""
    one = [raw["sample"]] if "sample" in raw else []
    return tuple(
        Sample(
            s.get("distribution"),
            s["path"],
            s["sha256"],
            s.get("fact"),
            _pair(s["expected"]) if "expected" in s else None,
            s.get("expected_class"),
            s.get("rejected", False),
        )
        for s in (*one, *raw.get("samples", ()))
    )


def read_code(raw: list[str] | None) -> Code | None:
    """A code, where there is one."""
    return Code(*raw) if raw else None


def _selection(raw: dict[str, Any]) -> SliceSelection:
    return SliceSelection(
        raw.get("orientation", "acquired"), _pair(raw.get("span", [0, 1])), raw.get("count", 16)
    )


def _pair(raw: list[float]) -> tuple[float, float]:
    low, high = raw
    return float(low), float(high)


def _triple(raw: list[float]) -> tuple[float, float, float]:
    first, second, third = raw
    return float(first), float(second), float(third)
