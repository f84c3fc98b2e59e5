"""Answers questions about one image; implements `ports.single_image.ImagePredictor`."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dicom_node.domain.errors import NodeError, NotFound
from dicom_node.domain.run import RunStatus
from dicom_node.domain.single_image import ImageAnswer, ImageFacts, ImageGuess, ImageModel
from inference.contract.inputs import InputKind
from inference.one_image.decode import OneImage, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Code, Prediction
    from dicom_node.domain.run import RejectionKind
    from inference.contract.package import ModelManifest

    #: `inference.runner.engine.ProcessEngine.predict_image`
    PredictImage = Callable[..., Prediction]

#: The package that is asked what an image is.
GUESSER = "image-gate"


class OneImageService:
    """Decodes an image, asks the engine, and draws; keeps nothing.

    Parameters
    ----------
    models
        Packages by name.
    predict_image
        Of the engine.
    scratch
        Folder for arrays on their way to the model process; they are deleted after each call.
    max_pixels
        Rows times columns that an image may have.
    min_confidence
        The node's own threshold.
    """

    def __init__(
        self,
        models: Mapping[str, ModelManifest],
        predict_image: PredictImage,
        scratch: Path,
        *,
        max_pixels: int,
        min_confidence: float,
    ) -> None:
        self._models = {name: one for name, one in sorted(models.items()) if _takes_images(one)}
        self._predict_image = predict_image
        self._scratch = scratch
        self._max_pixels = max_pixels
        self._min_confidence = min_confidence

    def models(self) -> tuple[ImageModel, ...]:
        """The models that take single images, by name."""
        return tuple(self._describe(manifest) for manifest in self._models.values())

    def look(self, data: bytes) -> tuple[ImageFacts, ImageGuess]:
        """What an image is, and what the node takes it for; see `ports.single_image.ImagePredictor`."""
        image = decode(data, self._max_pixels)
        if GUESSER not in self._models:
            return image.facts, ImageGuess(None, why_not=f"the model {GUESSER} is not installed")
        try:
            found = self._ask(GUESSER, image)
        except NodeError as exc:
            return image.facts, ImageGuess(GUESSER, why_not=str(exc))
        classes = tuple(sorted(found.classes, key=lambda one: -one.probability))
        return image.facts, ImageGuess(GUESSER, classes, found.reason)

    def predict(self, model: str, data: bytes) -> ImageAnswer:
        """What a model says of an image; see `ports.single_image.ImagePredictor`."""
        return self._answer(model, data)[0]

    def heatmap(self, model: str, data: bytes) -> tuple[ImageAnswer, bytes | None]:
        """The same with a picture; see `ports.single_image.ImagePredictor`."""
        answer, image = self._answer(model, data)
        heat = _heat(answer.prediction)
        return answer, None if heat is None else _draw(answer.prediction, image, heat)

    def _answer(self, model: str, data: bytes) -> tuple[ImageAnswer, OneImage]:
        if model not in self._models:
            known = ", ".join(self._models) or "none"
            raise NotFound(f"no model of this name takes single images; there are: {known}")
        started = time.perf_counter()
        image = decode(data, self._max_pixels)
        decoded = time.perf_counter()
        prediction = self._ask(model, image)
        seconds = {
            "decode": decoded - started,
            "model": prediction.elapsed_s,
            "total": time.perf_counter() - started,
        }
        described = self._describe(self._models[model])
        return ImageAnswer(described, image.facts, prediction, _codes(prediction), seconds), image

    def _ask(self, model: str, image: OneImage) -> Prediction:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            return self._predict_image(model, image.pixels, Path(folder), spacing_mm=image.facts.spacing_mm)

    def _describe(self, manifest: ModelManifest) -> ImageModel:
        needs, output = manifest.input, manifest.classification
        return ImageModel(
            name=manifest.name,
            version=manifest.version,
            title=manifest.title,
            is_ai=manifest.identity.is_ai,
            modalities=needs.modalities,
            body_parts=needs.body_parts,
            colour=needs.colour,
            classes=tuple((c.name, c.label, c.abnormal) for c in output.classes) if output else (),
            explains=manifest.explanation is not None,
            min_confidence=max(manifest.min_confidence, self._min_confidence),
            intended_use=manifest.card.intended_use,
            limits=manifest.card.limits,
            notices=manifest.card.notices,
            licence=manifest.licence,
        )


def _takes_images(manifest: ModelManifest) -> bool:
    return (
        manifest.classification is not None
        and manifest.input.kind is not InputKind.VOLUME
        and not manifest.requires
    )


def _codes(prediction: Prediction) -> dict[RejectionKind, tuple[Code, Code]]:
    # What only some answers need is not loaded when the node starts.
    from inference.encode.rejection_content import KIND_CODES, STANDARD_CODES

    kinds = {reason.kind for reason in prediction.reasons if not reason.passed and reason.kind is not None}
    return {kind: (KIND_CODES[kind], STANDARD_CODES[kind]) for kind in kinds}


def _heat(prediction: Prediction) -> NDArray[np.floating] | None:
    if prediction.status is not RunStatus.DONE or not prediction.arrays:
        return None
    with np.load(io.BytesIO(prediction.arrays), allow_pickle=False) as arrays:
        return np.asarray(arrays["heat"][0]) if "heat" in arrays.files and len(arrays["heat"]) else None


def _draw(prediction: Prediction, image: OneImage, heat: NDArray[np.floating]) -> bytes:
    from inference.encode.annotation import Caption
    from inference.encode.heatmap import Painter
    from inference.encode.pictures import meaning_of

    model, spacing = prediction.model, image.facts.spacing_mm
    caption = Caption(
        lines=(f"{model.name} {model.version}", *meaning_of(prediction)),
        column_spacing=spacing[1] if spacing else None,
        unit=image.spacing_unit,
    )
    rows, columns = image.shown.shape[:2]
    picture = Painter((rows, columns), caption).paint(image.shown, heat)
    buffer = io.BytesIO()
    # Fast: the picture is looked at once.
    Image.fromarray(picture).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
