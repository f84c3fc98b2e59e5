"""The section `routes` of `node.yaml`: which series go to which models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dicom_node.settings_base import Name, Section


class RouteWhen(Section):
    """Conditions of a route; all that are given must hold. Lists are alternatives."""

    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = Field(default=(), description="names or SNOMED codes; parts inside fit too")
    sop_class: tuple[str, ...] = Field(default=(), description="SOP Class UIDs")
    min_instances: int | None = Field(default=None, ge=1, description="images of the series")
    max_instances: int | None = Field(default=None, ge=1)
    sequence: tuple[str, ...] = Field(default=(), description="MR: T1, T1CE, T2, FLAIR, DWI ...")
    contrast_agent: bool | None = Field(default=None, description="whether one was given")
    phase: tuple[Literal["native", "arterial", "venous", "delayed"], ...] = ()
    kernel: tuple[Literal["soft", "lung", "bone"], ...] = Field(default=(), description="CT")
    orientation: tuple[Literal["axial", "coronal", "sagittal", "oblique"], ...] = ()
    laterality: tuple[Literal["L", "R", "B"], ...] = Field(default=(), description="projection images")
    view: tuple[str, ...] = Field(default=(), description="projection images: PA, AP, LL, CC, MLO ...")
    manufacturer: tuple[str, ...] = Field(default=(), description="SIEMENS, GE, PHILIPS, CANON ...")
    source: tuple[str, ...] = Field(
        default=(), description="who sent it: an AE title, a pull source, or dimse, stow, upload, pull"
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict,
        description="by keyword or tag: a regular expression, a list of values, or a mapping with some of "
        "matches, one_of, at_least, at_most, exists",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: (v,) if isinstance(v, str) and k != "attributes" else v for k, v in value.items()}
        return value


class RouteSettings(Section):
    """A routing rule."""

    name: Name
    when: RouteWhen = RouteWhen()
    unless: tuple[RouteWhen, ...] = Field(
        default=(),
        description="conditions as in `when`, or a list of such; what one of them fits is left out",
    )
    models: tuple[str, ...] = Field(min_length=1)
    series: Literal["best", "all"] = Field(
        default="best", description="each model works on the best series that fits, or on all"
    )
    stop: bool = Field(default=False, description="a series that fits goes to no later rule")
    sample: float = Field(default=1.0, gt=0, le=1, description="share of the studies that the rule is for")
    priority: Literal["routine", "stat"] = Field(
        default="routine", description="stat: a study with a series that fits is worked on before others"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict):
            one = {"unless": dict, "models": str}
            return {k: (v,) if isinstance(v, one.get(k, ())) else v for k, v in value.items()}
        return value


DEFAULT_ROUTES = (
    RouteSettings(
        name="mr-brain",
        when=RouteWhen(modality=("MR",), body_part=("BRAIN", "HEAD")),
        models=("mr-brain-extraction",),
    ),
)
