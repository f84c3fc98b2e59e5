"""The full report for people: everything about a finding, as one tree of labelled lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom import sr
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage, SegmentationStorage

from inference.encode.coding import concept, dcm, ln, sct
from inference.encode.context import RESEARCH_NOTICE, Role
from inference.encode.measurement_report import certainty
from inference.encode.structured_report import device_observer, finish_report, sr_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Measurement, Segment
    from inference.encode.context import ResultContext

# Diagnostic Imaging Report Document Titles (PS3.16 CID 7000), by modality. Not 126000: viewers give
# that title their measurement view, which draws and hides the text.
_TITLES = {"MR": ("25056-3", "MRI Report"), "CT": ("25045-6", "CT Report")}
_OTHER_TITLE = ("11528-7", "Radiology Report")

# How the report refers to the other results of its prediction, by SOP Class.
_REFERENCES = {
    Comprehensive3DSRStorage: (sr.CompositeContentItem, ("126000", "Imaging Measurement Report")),
    SegmentationStorage: (sr.ImageContentItem, ("121191", "Referenced Segment")),
    SecondaryCaptureImageStorage: (sr.ImageContentItem, ("121200", "Illustration of ROI")),
}

_CONTAINS = sr.RelationshipTypeValues.CONTAINS


def make_text_report(
    context: ResultContext, others: Sequence[Dataset], left_out: Sequence[str] = ()
) -> Dataset:
    """Encode the full report as Comprehensive 3D SR in the pattern of TID 2000.

    Parameters
    ----------
    others
        One instance of each other result series of the prediction, which the report refers to: data
        sets with their SOP Class, SOP Instance, Series Instance and Study Instance UID; the first one
        is whole.
    left_out
        Sentences on results that could not be made.
    """
    title = _TITLES.get(str(context.source.header.get("Modality")), _OTHER_TITLE)
    root = sr.ContainerContentItem(name=ln(*title), is_content_continuous=False, template_id="2000")
    root.ContentSequence = sr.ContentSequence(
        [
            *sr.LanguageOfContentItemAndDescendants(
                sr.CodedConcept("en-US", "RFC5646", "English (United States)")
            ),
            *device_observer(context),
            _section(ln("55112-7", "Summary"), _summary(context)),
            _section(ln("59776-5", "Findings"), _findings(context)),
            _section(ln("55111-9", "Current Procedure Descriptions"), _procedure(context)),
            _section(dcm("110002", "Quality Control"), [*_gates(context), *_comments(left_out)]),
            _section(ln("55113-5", "Key Images"), _references(context, others)),
        ],
        is_root=False,
    )
    ds: Dataset = sr.Comprehensive3DSR(
        evidence=others,
        content=root,
        **sr_arguments(context, Role.REPORT, "report"),
    )
    finish_report(ds, context)
    return ds


def _section(name: sr.CodedConcept, items: Iterable[sr.ContentItem]) -> sr.ContainerContentItem:
    section = sr.ContainerContentItem(name=name, is_content_continuous=False, relationship_type=_CONTAINS)
    section.ContentSequence = sr.ContentSequence(list(items), is_root=False)
    return section


def _text(name: sr.CodedConcept, value: str) -> sr.TextContentItem:
    return sr.TextContentItem(name=name, value=value, relationship_type=_CONTAINS)


def _summary(context: ResultContext) -> list[sr.ContentItem]:
    prediction = context.prediction
    sentences = [f"{prediction.label}." if prediction.label else None]
    sentences += [
        f"{measurement.name.meaning}: {measurement.value:,.6g} {measurement.unit.value}."
        for measurement in _all_measurements(context)
    ]
    if prediction.confidence is not None:
        sentences.append(f"Confidence: {100 * prediction.confidence:.1f} %.")
    sentences.append(f"Found by {context.model.name} {context.model.version}.")
    return [
        _text(dcm("121111", "Summary"), " ".join(filter(None, sentences))),
        *(_text(dcm("121106", "Comment"), text) for text in (RESEARCH_NOTICE, *prediction.notices)),
    ]


def _findings(context: ResultContext) -> list[sr.ContentItem]:
    items: list[sr.ContentItem] = []
    for segment in context.prediction.segments:
        items += _segment_items(segment)
    segment_values = {(m.name, m.value) for s in context.prediction.segments for m in s.measurements}
    items += [
        _number(measurement)
        for measurement in context.prediction.measurements
        if (measurement.name, measurement.value) not in segment_values
    ]
    items += [_number(measurement) for measurement in certainty(context.prediction)]
    prediction = context.prediction
    if prediction.label and prediction.label not in {segment.type.meaning for segment in prediction.segments}:
        items.insert(0, _text(dcm("121071", "Finding"), prediction.label))
    return items


def _segment_items(segment: Segment) -> list[sr.ContentItem]:
    finding = sr.CodeContentItem(
        name=dcm("121071", "Finding"), value=concept(segment.type), relationship_type=_CONTAINS
    )
    site = (
        [
            sr.CodeContentItem(
                name=sct("363698007", "Finding Site"),
                value=concept(segment.anatomic_region),
                relationship_type=_CONTAINS,
            )
        ]
        if segment.anatomic_region
        else []
    )
    return [finding, *site, *(_number(measurement) for measurement in segment.measurements)]


def _number(measurement: Measurement) -> sr.NumContentItem:
    return sr.NumContentItem(
        name=concept(measurement.name),
        value=measurement.value,
        unit=concept(measurement.unit),
        relationship_type=_CONTAINS,
    )


def _comments(sentences: Iterable[str]) -> list[sr.ContentItem]:
    return [_text(dcm("121106", "Comment"), sentence) for sentence in sentences]


def _gates(context: ResultContext) -> list[sr.ContentItem]:
    reasons = context.prediction.reasons
    if not reasons:
        return [_text(dcm("121106", "Comment"), "No gate was applied.")]
    return [
        _text(
            dcm("121106", "Comment"),
            f"{'Passed' if reason.passed else 'Not passed'}: {reason.rule}. {reason.text}",
        )
        for reason in reasons
    ]


def _procedure(context: ResultContext) -> list[sr.ContentItem]:
    model, prediction = context.model, context.prediction
    kind = "Artificial intelligence" if model.is_ai else "Computed without artificial intelligence"
    slices, rows, columns = context.source.pixels.shape
    work = f"{slices} slices of {rows} x {columns} pixels in {prediction.elapsed_s:.1f} s."
    return [
        _text(dcm("111001", "Algorithm Name"), model.name),
        _text(dcm("111003", "Algorithm Version"), model.version),
        _text(dcm("122405", "Algorithm Manufacturer"), model.manufacturer),
        sr.CodeContentItem(
            name=dcm("111000", "Algorithm Family"), value=concept(model.family), relationship_type=_CONTAINS
        ),
        _text(dcm("121065", "Procedure Description"), f"{model.title}. {kind}. {work}"),
    ]


def _references(context: ResultContext, others: Sequence[Dataset]) -> list[sr.ContentItem]:
    items: list[sr.ContentItem] = [
        sr.UIDRefContentItem(
            name=dcm("121323", "Source series for image processing operation"),
            value=context.source.header.SeriesInstanceUID,
            relationship_type=_CONTAINS,
        )
    ]
    for ds in others:
        item_type, name = _REFERENCES[ds.SOPClassUID]
        items.append(
            item_type(
                name=dcm(*name),
                referenced_sop_class_uid=ds.SOPClassUID,
                referenced_sop_instance_uid=ds.SOPInstanceUID,
                relationship_type=_CONTAINS,
            )
        )
    return items


def _all_measurements(context: ResultContext) -> list[Measurement]:
    """Measurements of segments and series, each once."""
    prediction = context.prediction
    of_segments = [m for segment in prediction.segments for m in segment.measurements]
    seen = {(m.name, m.value) for m in of_segments}
    return of_segments + [m for m in prediction.measurements if (m.name, m.value) not in seen]
