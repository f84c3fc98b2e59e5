"""Which objects a model's findings become besides those that are always made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResultChoice:
    """What is made of a prediction besides SR, SEG and heatmaps.

    Attributes
    ----------
    pdf
        A report with pictures, as Encapsulated PDF.
    parametric_map
        Parametric Maps of models that give one.
    probability_map
        A segmenter's probability as Parametric Map.
    labelmap
        The segmentation as SEG of type LABELMAP.
    rtstruct
        The segmentation as RT Structure Set.
    gsps
        Outlines as Grayscale Softcopy Presentation State.
    kos
        Key images as Key Object Selection.
    """

    pdf: bool = True
    parametric_map: bool = True
    probability_map: bool = False
    labelmap: bool = False
    rtstruct: bool = False
    gsps: bool = False
    kos: bool = False


#: What is made for a model, by its name.
Choose = Callable[[str], ResultChoice]


def usual_choice(model: str) -> ResultChoice:
    """The same for every model: what is on by default."""
    del model
    return ResultChoice()
