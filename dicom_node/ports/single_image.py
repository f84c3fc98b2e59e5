"""Asking a model about one image that is no part of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.single_image import ImageAnswer, ImageFacts, ImageGuess, ImageModel


class ImagePredictor(Protocol):
    """Answers at once; keeps nothing of the image, and logs nothing of it."""

    def models(self) -> Sequence[ImageModel]:
        """The models that take single images, by name."""

    def look(self, data: bytes) -> tuple[ImageFacts, ImageGuess]:
        """What an image (PNG, JPEG, or a DICOM file) is, and what the node takes it for.

        Raises
        ------
        InvalidInstance
            If the bytes are no image that can be read, or one with too many pixels.
        """

    def predict(self, model: str, data: bytes) -> ImageAnswer:
        """What a model says of an image. A refusal by a gate is an answer.

        Raises
        ------
        NotFound
            If no model of that name takes single images.
        InvalidInstance
        InferenceFailed, ModelProcessFailed
        """

    def heatmap(self, model: str, data: bytes) -> tuple[ImageAnswer, bytes | None]:
        """The same with a picture (PNG): what speaks for the answer, drawn over the image.

        There is no picture where the model refused, or explains nothing.

        Raises
        ------
        NotFound, InvalidInstance, InferenceFailed, ModelProcessFailed
            As `predict`.
        """
