"""Whether a series is what a model's manifest takes, with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import uid

from dicom_node.domain.run import Reason, RejectionKind
from inference.contract.inputs import InputKind
from inference.mr_contrast import Contrast
from inference.mr_sequence import SequenceType
from inference.routing import wording
from inference.routing.no_scan import NoScanKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.contract.inputs import InputRequirements
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts

_INPUT, _GEOMETRY = RejectionKind.INPUT, RejectionKind.GEOMETRY
#: SOP Classes whose instances may hold many frames; in others more than one is a fault.
_MULTI_FRAME = frozenset(
    {uid.EnhancedCTImageStorage, uid.EnhancedMRImageStorage, uid.EnhancedMRColorImageStorage,
     uid.EnhancedPETImageStorage, uid.LegacyConvertedEnhancedCTImageStorage,
     uid.LegacyConvertedEnhancedMRImageStorage, uid.LegacyConvertedEnhancedPETImageStorage,
     uid.UltrasoundMultiFrameImageStorage, uid.EnhancedUSVolumeStorage, uid.NuclearMedicineImageStorage,
     uid.XRayAngiographicImageStorage, uid.XRayRadiofluoroscopicImageStorage, uid.EnhancedXAImageStorage,
     uid.BreastTomosynthesisImageStorage, uid.XRay3DAngiographicImageStorage,
     uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
     uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
     uid.MultiFrameTrueColorSecondaryCaptureImageStorage}
)  # fmt: skip

#: Whether a requirement is met, in words, and what kind of doubt it is where not.
_Told = tuple[bool, str, RejectionKind]


def check_input(
    needs: InputRequirements, series: SeriesFacts, table: BodyPartTable, model: str
) -> tuple[Reason, ...]:
    """Why a model may be tried on a series or not: one reason per requirement, up to the first that fails."""
    kept = []
    for fits, text, kind in _conditions(needs, series, table):
        kept.append(
            Reason(series.series_instance_uid, f"model.{model}", fits, text, kind=None if fits else kind)
        )
        if not fits:
            break
    return tuple(kept)


def passed(reasons: Sequence[Reason]) -> bool:
    """Whether none refused."""
    return all(reason.passed for reason in reasons)


def _conditions(needs: InputRequirements, series: SeriesFacts, table: BodyPartTable) -> Iterator[_Told]:
    yield _scan(needs, series)
    yield *wording.modality(series, needs.modalities), _INPUT
    fits = series.sop_classes <= set(needs.sop_classes)
    yield fits, f"the images' SOP Class is {'' if fits else 'not '}one that the model takes", _INPUT
    frames_fit = not series.multi_frame or series.sop_classes <= _MULTI_FRAME
    yield frames_fit, f"the images are {'multi' if series.multi_frame else 'single'}-frame", _GEOMETRY
    if series.colour:
        yield (
            needs.colour,
            f"the images are in colour, the model takes {'' if needs.colour else 'no '}such",
            _INPUT,
        )
    if needs.body_parts:
        yield *wording.body_part(series, needs.body_parts, table), _INPUT
    yield *wording.at_least(series.count, needs.min_slices), _GEOMETRY
    most = needs.max_slices
    yield series.count <= most, f"{wording.images(series.count)}, at most {most} are taken", _GEOMETRY
    if needs.kind is not InputKind.IMAGE:
        yield *_spacing(series, needs.spacing_mm), _GEOMETRY
    yield from _kinds(needs, series)
    if needs.min_age_years is not None:
        yield *_age(series.age_years, needs.min_age_years), _INPUT


def _kinds(needs: InputRequirements, series: SeriesFacts) -> Iterator[_Told]:
    """Requirements that a series meets too where nothing is known: then the pixels decide."""
    if needs.contrast is not None:
        yield *_contrast(series.contrast, needs.contrast), _INPUT
    sequence, kernel = series.sequence, series.kernel
    told: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
        ("sequence", None if sequence is None else sequence.kind.value, needs.sequences),
        ("kernel", None if kernel is None else kernel.kind, needs.kernels),
        ("orientation", None if series.orientation == "unknown" else series.orientation, needs.orientations),
        ("side", series.side, needs.lateralities),
    )
    for name, found, wanted in told:
        if wanted:
            fits = found is None or found in wanted or (name == "side" and found == "B")
            yield fits, _known(name, found, wanted), _INPUT
    if needs.views:
        fits = not series.views or bool(series.views & set(needs.views))
        yield fits, _known("view", " or ".join(sorted(series.views)) or None, needs.views), _INPUT
    if needs.contrast_agent is not None:
        fits, text = wording.agent(series.agent, needs.contrast_agent)
        yield fits or series.agent.given is None, text, _INPUT


def _known(name: str, found: str | None, wanted: Sequence[str]) -> str:
    asked = " or ".join(wanted)
    if found is None:
        return f"{name} not told by the images, {asked} is wanted: the pixels decide"
    return f"{name} {found}, wanted: {asked}"


def _scan(needs: InputRequirements, series: SeriesFacts) -> _Told:
    why = series.no_scan
    if why is None:
        return True, "the series is a scan", _INPUT
    sequence = None if series.sequence is None else series.sequence.kind
    maps = {SequenceType.ADC, SequenceType.PERFUSION, SequenceType.DWI, SequenceType.SWI}
    if why.kind is NoScanKind.COMPUTED and sequence in maps and sequence.value in needs.sequences:
        return True, f"the series is a computed map ({sequence.value}), as the model takes it", _INPUT
    if why.kind is NoScanKind.SECONDARY and set(needs.sop_classes) & _CAPTURES & series.sop_classes:
        return True, "the images are captures, as the model takes them", _INPUT
    return False, f"the series is no scan: {why.text}", _INPUT


#: A model that names these takes pictures that were captured elsewhere.
_CAPTURES = frozenset(
    {uid.SecondaryCaptureImageStorage, uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
     uid.MultiFrameTrueColorSecondaryCaptureImageStorage}
)  # fmt: skip


def _spacing(series: SeriesFacts, allowed: tuple[float, float]) -> tuple[bool, str]:
    low, high = allowed
    pixel, between = series.pixel_spacing_mm, series.slice_spacing_mm
    if pixel is None or between is None:
        return False, "the images have no geometry (position, orientation, spacing)"
    fits = low <= min(pixel, between) and max(pixel, between) <= high
    return (
        fits,
        f"spacing {pixel:.2f} mm in the image and {between:.2f} mm between, allowed: {low:g} to {high:g} mm",
    )


def _contrast(found: Contrast, wanted: str) -> tuple[bool, str]:
    if found is Contrast.UNKNOWN:
        return True, f"weighting not told by the images' physics, {wanted} is wanted: the pixels decide"
    return found.value == wanted, f"weighting {found.value} by the images' physics, wanted: {wanted}"


def _age(found: float | None, least: int) -> tuple[bool, str]:
    if found is None:
        return True, f"age unknown; the model is made for {least} years and older"
    fits = found >= least
    return fits, f"the patient is {'' if fits else 'not '}{least} years or older"
