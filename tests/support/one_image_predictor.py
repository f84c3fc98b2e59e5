"""A fake of the port behind the single-image routes."""

from __future__ import annotations

from dicom_node.domain.errors import InvalidInstance, NotFound
from dicom_node.domain.finding import ClassFinding, Code, Explanation, ModelIdentity, Prediction
from dicom_node.domain.run import Reason, RejectionKind, RunStatus
from dicom_node.domain.single_image import ImageAnswer, ImageFacts, ImageGuess, ImageModel

#: A PNG of one pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


class Predictor:
    """Says that a PNG is a glioma, refuses a JPEG, and knows nothing else."""

    model = ImageModel(
        name="brain",
        version="1.0.0",
        title="Brain <tumour>",
        is_ai=True,
        modalities=("MR",),
        body_parts=("BRAIN",),
        colour=False,
        classes=(("none", "No tumour", False), ("glioma", "Glioma", True)),
        explains=True,
        min_confidence=0.6,
        intended_use="Research on axial slices.",
        limits=("Adults only.",),
        notices=("Trained on few images.",),
        licence="Apache-2.0",
    )

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def models(self) -> tuple[ImageModel, ...]:
        return (self.model,)

    def look(self, data: bytes) -> tuple[ImageFacts, ImageGuess]:
        return self._facts(data), ImageGuess(None, why_not="the model image-gate is not installed")

    def predict(self, model: str, data: bytes) -> ImageAnswer:
        facts = self._facts(data)
        if model != "brain":
            raise NotFound("no model of this name takes single images; there are: brain")
        done = facts.format == "PNG"
        kind = RejectionKind.CONFIDENCE
        refusal = Reason("brain", "confidence", False, "confidence 0.40 is below 0.60", kind)
        found = Prediction(
            model=ModelIdentity("brain", "1.0.0", "Brain", "Tests", "2.25.1", Code("1", "99T", "ai")),
            series_instance_uid="",
            status=RunStatus.DONE if done else RunStatus.REJECTED,
            reason=None if done else f"Unable to determine: {refusal.text}",
            label="Glioma (93 %)" if done else None,
            confidence=0.93 if done else 0.4,
            reasons=() if done else (refusal,),
            notices=self.model.notices,
            explanation=Explanation("Grad-CAM", "Glioma") if done else None,
            classes=(
                ClassFinding("none", "No tumour", Code("1", "99T", "none"), 0.07, False, False),
                ClassFinding("glioma", "Glioma", Code("393564001", "SCT", "Glioma"), 0.93, True, True),
            ),
        )
        codes = {kind: (Code("R_CONFIDENCE", "99T", "Too low"), Code("114011", "DCM", "Value indeterminate"))}
        return ImageAnswer(self.model, facts, found, codes, {"decode": 0.01, "model": 0.2, "total": 0.25})

    def heatmap(self, model: str, data: bytes) -> tuple[ImageAnswer, bytes | None]:
        answer = self.predict(model, data)
        return answer, PICTURE if answer.prediction.status is RunStatus.DONE else None

    def _facts(self, data: bytes) -> ImageFacts:
        self.seen.append(data)
        if data[:4] not in (b"\x89PNG", b"JPEG"):
            raise InvalidInstance("this is no PNG, JPEG or DICOM file (Part 10); send one of these")
        return ImageFacts("PNG" if data.startswith(b"\x89") else "JPEG", 100, 120, False)
