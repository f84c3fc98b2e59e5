"""The key images of a finding as Key Object Selection (PS3.3 §A.35.4, PS3.16 §TID 2010)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument

from inference.encode.coding import dcm
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.key_slices import key_slices
from inference.encode.structured_report import device_observer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext

#: At most so many slices are key images.
KEY_IMAGES = 5


def make_key_objects(context: ResultContext, arrays: PredictionArrays, results: Sequence[Dataset]) -> Dataset:
    """Encode the slices that say most, and the results so far, as "Of Interest".

    Parameters
    ----------
    results
        Results of the same prediction that it refers to besides the slices.
    """
    source = context.source
    indices = sorted(key_slices(context.prediction, arrays, source.shape[0], KEY_IMAGES))
    images = list({str(source.slices[i].SOPInstanceUID): source.slices[i] for i in indices}.values())
    found = context.prediction.label or "Finding"
    selection = KeyObjectSelection(
        document_title=dcm("113000", "Of Interest"),
        referenced_objects=[*images, *results],
        observer_device_context=device_observer(context),
        description=f"{found}. {context.model.name} {context.model.version}. {RESEARCH_NOTICE}"[:1024],
    )
    ds: Dataset = KeyObjectSelectionDocument(
        evidence=[*images, *results],
        content=selection,
        series_instance_uid=context.series_uid(Role.KEY_OBJECTS),
        series_number=context.series_number(Role.KEY_OBJECTS),
        sop_instance_uid=context.instance_uid(Role.KEY_OBJECTS),
        instance_number=1,
        series_description=context.series_description("key images"),
        specific_character_set=CHARACTER_SET,
        content_date=context.made_at.date(),
        content_time=context.made_at.time().replace(microsecond=0),
        **context.equipment(),
    )
    if source.frames:
        _name_frames(ds, context, indices)
    context.complete(ds)
    return ds


def _name_frames(ds: Dataset, context: ResultContext, indices: Sequence[int]) -> None:
    uid = context.source.header.SOPInstanceUID
    for item in ds.ContentSequence:
        for reference in item.get("ReferencedSOPSequence", ()):
            if reference.ReferencedSOPInstanceUID == uid:
                reference.ReferencedFrameNumber = [context.source.frame_number(i) for i in indices]
