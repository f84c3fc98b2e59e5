"""What `/predict` and `/meta` answer, as pydantic models (they are the OpenAPI schemas too)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.run import RejectionKind, RunStatus
from viewer.node_info import RESEARCH_USE, RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from dicom_node.domain.finding import ClassFinding, Code
    from dicom_node.domain.single_image import ImageAnswer, ImageFacts, ImageGuess, ImageModel

#: How every refusal begins.
UNDETERMINED = "Unable to determine"
NOTICE = f"{RESEARCH_USE}. {RESEARCH_USE_NOTICE}"

_EXAMPLE: dict[str, Any] = {
    "model": {"name": "mr-brain-tumour", "version": "1.0.0", "title": "Brain tumour on MR", "is_ai": True},
    "status": "done",
    "verdict": "Glioma",
    "reason": None,
    "confidence": 0.93,
    "classes": [
        {
            "name": "glioma",
            "label": "Glioma",
            "code": {"value": "393564001", "scheme": "SCT", "meaning": "Glioma"},
            "probability": 0.93,
            "abnormal": True,
            "present": True,
        },
        {
            "name": "no_tumour",
            "label": "No tumour",
            "code": {"value": "281900007", "scheme": "SCT", "meaning": "No abnormality detected"},
            "probability": 0.07,
            "abnormal": False,
            "present": False,
        },
    ],
    "reasons": [
        {"rule": "confidence", "passed": True, "text": "confidence 0.93, at least 0.60", "kind": None,
         "code": None, "standard_code": None}
    ],
    "explanation": {"method": "Grad-CAM", "target": "Glioma"},
    "image": {"format": "PNG", "rows": 512, "columns": 512, "colour": False, "spacing_mm": None,
              "attributes": {}},
    "notices": ["Trained on public images of one source."],
    "notice": NOTICE,
    "seconds": {"decode": 0.01, "model": 0.2, "total": 0.25},
}  # fmt: skip


class CodeOut(BaseModel):
    """A coded concept."""

    value: str
    scheme: str
    meaning: str

    @classmethod
    def of(cls, code: Code) -> CodeOut:
        """From the domain."""
        return cls(value=code.value, scheme=code.scheme, meaning=code.meaning)


class ClassOut(BaseModel):
    """What a model says of one class."""

    name: str
    label: str
    code: CodeOut
    probability: Annotated[float, Field(description="0 to 1, calibrated")]
    abnormal: Annotated[bool, Field(description="whether it is a finding, and not the lack of one")]
    present: Annotated[bool, Field(description="whether the model says that it is there")]

    @classmethod
    def of(cls, found: ClassFinding) -> ClassOut:
        """From the domain."""
        return cls(
            name=found.name,
            label=found.label,
            code=CodeOut.of(found.code),
            probability=found.probability,
            abnormal=found.abnormal,
            present=found.present,
        )


class ReasonOut(BaseModel):
    """What one gate said."""

    rule: str
    passed: bool
    text: str
    kind: Annotated[RejectionKind | None, Field(description="of a gate that refused")]
    code: Annotated[CodeOut | None, Field(description="the node's code of the kind")]
    standard_code: Annotated[CodeOut | None, Field(description="the standard's nearest")]


class ExplanationOut(BaseModel):
    """What `/heatmap` draws."""

    method: str
    target: str


class ImageOut(BaseModel):
    """What an image is; of DICOM attributes only codes and numbers are told."""

    format: str
    rows: int
    columns: int
    colour: bool
    spacing_mm: Annotated[tuple[float, float] | None, Field(description="between rows, between columns")]
    attributes: dict[str, str]

    @classmethod
    def of(cls, facts: ImageFacts) -> ImageOut:
        """From the domain."""
        return cls(
            format=facts.format,
            rows=facts.rows,
            columns=facts.columns,
            colour=facts.colour,
            spacing_mm=facts.spacing_mm,
            attributes=dict(facts.attributes),
        )


class AskedModel(BaseModel):
    """Who answers."""

    name: str
    version: str
    title: str
    is_ai: bool


class PredictOut(BaseModel):
    """What a model says of an image. `rejected` is an answer too: the node forces none."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    model: AskedModel
    status: RunStatus
    verdict: Annotated[str, Field(description=f"for people; `{UNDETERMINED}` where a gate refused")]
    reason: Annotated[str | None, Field(description="why there is no verdict")]
    confidence: float | None
    classes: list[ClassOut]
    reasons: list[ReasonOut]
    explanation: ExplanationOut | None
    image: ImageOut
    notices: Annotated[list[str], Field(description="limits that the model's card asks to be told")]
    notice: str
    seconds: Annotated[dict[str, float], Field(description="decode, model, total")]

    @classmethod
    def of(cls, answer: ImageAnswer) -> PredictOut:
        """From the domain."""
        found, model = answer.prediction, answer.model
        done = found.status is RunStatus.DONE
        codes = {kind: tuple(map(CodeOut.of, pair)) for kind, pair in answer.codes.items()}
        reasons = []
        for one in found.reasons:
            own, standard = codes.get(one.kind, (None, None)) if one.kind is not None else (None, None)
            reasons.append(
                ReasonOut(
                    rule=one.rule,
                    passed=one.passed,
                    text=one.text,
                    kind=one.kind,
                    code=own if not one.passed else None,
                    standard_code=standard if not one.passed else None,
                )
            )
        shown = found.explanation if done else None
        return cls(
            model=AskedModel(name=model.name, version=model.version, title=model.title, is_ai=model.is_ai),
            status=found.status,
            verdict=(found.label or "Done") if done else UNDETERMINED,
            reason=None if done else found.reason,
            confidence=found.confidence,
            classes=[ClassOut.of(one) for one in found.classes],
            reasons=reasons,
            explanation=ExplanationOut(method=shown.method, target=shown.target) if shown else None,
            image=ImageOut.of(answer.image),
            notices=list(found.notices),
            notice=NOTICE,
            seconds={name: round(value, 4) for name, value in answer.seconds.items()},
        )


class ClassOffered(BaseModel):
    """A class that a model can say."""

    name: str
    label: str
    abnormal: bool


class ModelOut(AskedModel):
    """A model that takes single images."""

    modalities: list[str]
    body_parts: list[str]
    colour: Annotated[bool, Field(description="whether it was made for images in colour")]
    classes: list[ClassOffered]
    explains: Annotated[bool, Field(description="whether `/heatmap` gives a picture")]
    min_confidence: float
    intended_use: str
    limits: list[str]
    notices: list[str]
    licence: str

    @classmethod
    def of(cls, model: ImageModel) -> ModelOut:
        """From the domain."""
        return cls(
            name=model.name,
            version=model.version,
            title=model.title,
            is_ai=model.is_ai,
            modalities=list(model.modalities),
            body_parts=list(model.body_parts),
            colour=model.colour,
            classes=[ClassOffered(name=n, label=label, abnormal=a) for n, label, a in model.classes],
            explains=model.explains,
            min_confidence=model.min_confidence,
            intended_use=model.intended_use,
            limits=list(model.limits),
            notices=list(model.notices),
            licence=model.licence,
        )


class GuessOut(BaseModel):
    """What the node takes an image for."""

    model: str | None
    classes: list[ClassOut]
    why_not: Annotated[str | None, Field(description="why there is no guess")]


class MetaOut(BaseModel):
    """What single images can be asked about."""

    models: list[ModelOut]
    formats: list[str]
    max_bytes: int
    max_pixels: int
    notice: str


class ImageMetaOut(BaseModel):
    """What the node understands of an image."""

    image: ImageOut
    guess: GuessOut
    notice: str

    @classmethod
    def of(cls, facts: ImageFacts, guess: ImageGuess) -> ImageMetaOut:
        """From the domain."""
        return cls(
            image=ImageOut.of(facts),
            guess=GuessOut(
                model=guess.model,
                classes=[ClassOut.of(one) for one in guess.classes],
                why_not=guess.why_not,
            ),
            notice=NOTICE,
        )
