"""The best of several series for a model, and why it is better than each other one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason
from inference.mr_contrast import Contrast
from inference.routing.series import PROJECTIONS, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.contract.inputs import InputRequirements
    from inference.routing.series import SeriesFacts

#: Stands for a distance that is not known, mm.
_FAR = 99.0
#: Modalities whose slices are acquired axially: other directions are reformats there.
_AXIAL = frozenset({"CT", "PT"})


def best_first(needs: InputRequirements, eligible: Sequence[SeriesFacts]) -> list[SeriesFacts]:
    """The series in the order of how well they fit: what the model was made for, then resolution."""
    return sorted(
        eligible,
        key=lambda series: (*(value for _, value in _merits(needs, series)), series.series_instance_uid),
    )


def explain_choice(
    needs: InputRequirements, ranked: Sequence[SeriesFacts], taken: Sequence[SeriesFacts], rule: str
) -> tuple[Reason, ...]:
    """One reason for each series: that it was chosen, or by what another is better.

    Parameters
    ----------
    ranked
        From `best_first`.
    taken
        Those that the model works on.
    """
    reasons = []
    for series in ranked:
        chosen = series in taken
        why = "chosen" if chosen else f"another series fits better ({_difference(needs, ranked[0], series)})"
        reasons.append(Reason(series.series_instance_uid, rule, chosen, f"{why}: {describe(series)}"))
    return tuple(reasons)


def _merits(needs: InputRequirements, series: SeriesFacts) -> tuple[tuple[str, float], ...]:
    """What makes a series better, the weightiest first; smaller is better."""
    sequence = None if series.sequence is None else series.sequence.kind.value
    kernel = None if series.kernel is None else series.kernel.kind
    projection = series.modality in PROJECTIONS
    coarsest = max(series.slice_spacing_mm or _FAR, series.pixel_spacing_mm or _FAR)
    return (
        ("its weighting is known", series.contrast is Contrast.UNKNOWN and needs.contrast is not None),
        ("its sequence is preferred", _place(sequence, needs.sequences)),
        ("its kernel is preferred", _place(kernel, needs.kernels or ("soft", "lung", "bone"))),
        ("it was taken without contrast agent", series.agent.given is True and needs.contrast_agent is None),
        ("its view is known", projection and bool(needs.views) and not series.views),
        ("its images are original", not series.original),
        ("it is not reformatted", series.reformatted),
        ("it is axial", series.modality in _AXIAL and series.orientation != "axial"),
        ("it was acquired in three dimensions", not series.three_dimensional),
        ("its voxels are smaller", 0 if projection else round(coarsest, 1)),
        ("it has more images", -series.count),
    )


def _place(found: str | None, wanted: Sequence[str]) -> int:
    return wanted.index(found) if found in wanted else len(wanted)


def _difference(needs: InputRequirements, best: SeriesFacts, other: SeriesFacts) -> str:
    for (name, one), (_, two) in zip(_merits(needs, best), _merits(needs, other), strict=True):
        if one < two:
            return name
    return "it comes first in the order of series"
