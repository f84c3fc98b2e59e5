"""Which result objects a model's findings become: the section `results` of `node.yaml`."""

from __future__ import annotations

from pydantic import Field, field_validator

from dicom_node.settings_base import Name, Section


class ModelResultsSettings(Section):
    """What is otherwise for one model; what is not said holds as for all."""

    model: Name = Field(description="name of a model package")
    pdf: bool | None = None
    parametric_map: bool | None = None
    probability_map: bool | None = None
    labelmap: bool | None = None
    rtstruct: bool | None = None
    gsps: bool | None = None
    kos: bool | None = None


class ResultsSettings(Section):
    """Objects besides SR, SEG and heatmaps, which are always made."""

    pdf: bool = Field(default=True, description="a report with pictures, as Encapsulated PDF")
    parametric_map: bool = Field(default=True, description="of models that give one")
    probability_map: bool = Field(default=False, description="a segmenter's probability as Parametric Map")
    labelmap: bool = Field(default=False, description="the segmentation as LABELMAP too")
    rtstruct: bool = Field(default=False, description="the segmentation as RT Structure Set too")
    gsps: bool = Field(default=False, description="outlines as Grayscale Softcopy Presentation State")
    kos: bool = Field(default=False, description="key images as Key Object Selection")
    models: tuple[ModelResultsSettings, ...] = Field(default=(), description="exceptions by model")

    @field_validator("models")
    @classmethod
    def _once(cls, models: tuple[ModelResultsSettings, ...]) -> tuple[ModelResultsSettings, ...]:
        if len({entry.model for entry in models}) < len(models):
            raise ValueError("every model may stand once")
        return models

    def of(self, model: str) -> dict[str, bool]:
        """What holds for a model: the name of each object to whether it is made."""
        chosen = {name: bool(value) for name, value in self if name != "models"}
        for entry in self.models:
            if entry.model == model:
                said = entry.model_dump(exclude={"model"}, exclude_none=True)
                chosen |= said
        return chosen
