"""Conditions that rules and models share: whether they hold, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.contrast_agent import FoundAgent
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts

#: Modalities that a reason may name (PS3.3 §C.7.3.1.1.1); others could be anything that a sender wrote.
NAMED_MODALITIES = frozenset(
    {"CR", "CT", "DX", "ES", "IVUS", "KO", "MG", "MR", "NM", "OCT", "OP", "OT", "PR", "PT", "PX", "RF", "RG",
     "RTDOSE", "RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC", "DOC", "IO", "OPT",
     "REG", "ECG", "GM", "BI"}
)  # fmt: skip


def modality(series: SeriesFacts, wanted: Sequence[str]) -> tuple[bool, str]:
    """Whether the modality is one of those."""
    named = series.modality if series.modality in NAMED_MODALITIES else "unknown"
    return series.modality in wanted, f"modality {named}, wanted: {' or '.join(wanted)}"


def body_part(series: SeriesFacts, wanted: Sequence[str], table: BodyPartTable) -> tuple[bool, str]:
    """Whether the body part is one of those, lies in one, or covers one."""
    regions = [part.term if (part := table.named(name)) else name for name in wanted]
    asked = " or ".join(dict.fromkeys(regions))
    if series.body_part is None:
        return False, f"body part unknown, wanted: {asked}"
    found = series.body_part
    fits = any(table.shows(found.term, region) for region in regions)
    return fits, f"body part {found.term} (from {found.source}), wanted: {asked}"


def at_least(count: int, least: int) -> tuple[bool, str]:
    """Whether there are enough images."""
    return count >= least, f"{images(count)}, at least {least} are needed"


def images(count: int) -> str:
    """How many images, in words."""
    return f"{count} image{'' if count == 1 else 's'}"


def agent(found: FoundAgent, wanted: bool) -> tuple[bool, str]:
    """Whether it is known that a contrast agent was given, or was not."""
    asked = "one is wanted" if wanted else "none is wanted"
    if found.given is None:
        return False, f"contrast agent unknown, {asked}"
    return (
        found.given is wanted,
        f"{'a' if found.given else 'no'} contrast agent (from {found.source}), {asked}",
    )


def view(series: SeriesFacts) -> str:
    """The views, in words."""
    return " or ".join(sorted(series.views)) or "unknown"
