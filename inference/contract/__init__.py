"""What a model package says of itself: `model.yaml` as frozen types.

`inference/model.schema.json` holds the same contract for files; `inference.manifest` reads them.
"""

from inference.contract.card import ModelCard, Sample, WeightFile
from inference.contract.inputs import GateLimit, InputKind, InputRequirements, SliceSelection, Validator
from inference.contract.outputs import (
    ClassificationOutput,
    ExplanationRequest,
    OutputClass,
    OutputDetection,
    OutputMeasurement,
    OutputSegment,
)
from inference.contract.package import AdapterSpec, ModelManifest

__all__ = [
    "AdapterSpec",
    "ClassificationOutput",
    "ExplanationRequest",
    "GateLimit",
    "InputKind",
    "InputRequirements",
    "ModelCard",
    "ModelManifest",
    "OutputClass",
    "OutputDetection",
    "OutputMeasurement",
    "OutputSegment",
    "Sample",
    "SliceSelection",
    "Validator",
    "WeightFile",
]
