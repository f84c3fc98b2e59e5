"""Reports for people as SR: a tree of labelled lines, of a finding or of a rejection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom import sr
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from dicom_node.domain.finding import Code
from inference.encode.coding import concept, dcm, ln, sct
from inference.encode.context import Role
from inference.encode.finding_content import finding_sections
from inference.encode.rejection_content import rejection_sections
from inference.encode.report_content import Line
from inference.encode.structured_report import device_observer, finish_report, sr_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Measurement
    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext, RunContext
    from inference.encode.report_content import Section

# Diagnostic Imaging Report Document Titles (PS3.16 CID 7000), by modality. Not 126000: viewers give
# that title their measurement view, which draws and hides the text.
_TITLES = {"MR": ("25056-3", "MRI Report"), "CT": ("25045-6", "CT Report")}
_OTHER_TITLE = ("11528-7", "Radiology Report")

# How the report refers to the other results of its prediction, by SOP Class.
_REFERENCES: dict[str, tuple[type[sr.ContentItem], tuple[str, str]]] = {
    Comprehensive3DSRStorage: (sr.CompositeContentItem, ("126000", "Imaging Measurement Report")),
    SegmentationStorage: (sr.ImageContentItem, ("121191", "Referenced Segment")),
    SecondaryCaptureImageStorage: (sr.ImageContentItem, ("121200", "Illustration of ROI")),
    EncapsulatedPDFStorage: (sr.CompositeContentItem, ("121144", "Document Title")),
}

_CONTAINS = sr.RelationshipTypeValues.CONTAINS


def make_text_report(
    context: ResultContext,
    arrays: PredictionArrays,
    others: Sequence[Dataset],
    left_out: Sequence[str] = (),
) -> Dataset:
    """Encode the full report of a finding as Comprehensive 3D SR in the pattern of TID 2000.

    Parameters
    ----------
    others
        One instance of each other result series of the prediction, which the report refers to: data
        sets with their SOP Class, SOP Instance, Series Instance and Study Instance UID.
    left_out
        Sentences on results that could not be made.
    """
    sections = finding_sections(context, arrays, left_out)
    references = [_series(context), *(_reference(ds) for ds in others if ds.SOPClassUID in _REFERENCES)]
    evidence = [*context.source.instances, *others]
    return _report(context, Role.REPORT, sections, references, evidence)


def make_rejection_report(context: RunContext, images: Sequence[Dataset]) -> Dataset:
    """Encode that nothing could be determined, and why, as Comprehensive 3D SR in the pattern of TID 2000.

    Parameters
    ----------
    images
        The instances that were looked at, the first one with its patient and study: data sets with SOP Class,
        SOP Instance, Series Instance and Study Instance UID.
    """
    count = len(images)
    looked_at = f"Looked at {count} instance{'' if count == 1 else 's'} of one series."
    middle = images[count // 2]
    references = [
        _series(context),
        sr.ImageContentItem(
            name=sct("260753009", "Source"),
            referenced_sop_class_uid=middle.SOPClassUID,
            referenced_sop_instance_uid=middle.SOPInstanceUID,
            relationship_type=_CONTAINS,
        ),
    ]
    return _report(context, Role.REJECTION, rejection_sections(context, looked_at), references, images)


def title_of(context: RunContext) -> sr.CodedConcept:
    """The coded title of reports for people."""
    return ln(*_TITLES.get(str(context.header.get("Modality")), _OTHER_TITLE))


def _report(
    context: RunContext,
    role: Role,
    sections: Sequence[Section],
    references: Sequence[sr.ContentItem],
    evidence: Sequence[Dataset],
) -> Dataset:
    root = sr.ContainerContentItem(name=title_of(context), is_content_continuous=False, template_id="2000")
    root.ContentSequence = sr.ContentSequence(
        [
            *sr.LanguageOfContentItemAndDescendants(
                sr.CodedConcept("en-US", "RFC5646", "English (United States)")
            ),
            *device_observer(context),
            *(
                _container(concept(section.heading), (_item(line) for line in section.lines))
                for section in sections
            ),
            _container(ln("55113-5", "Key Images"), references),
        ],
        is_root=False,
    )
    what = "report" if role is Role.REPORT else "report: no result"
    ds: Dataset = sr.Comprehensive3DSR(evidence=evidence, content=root, **sr_arguments(context, role, what))
    finish_report(ds, context, role)
    return ds


def _container(name: sr.CodedConcept, items: Iterable[sr.ContentItem]) -> sr.ContainerContentItem:
    section = sr.ContainerContentItem(name=name, is_content_continuous=False, relationship_type=_CONTAINS)
    section.ContentSequence = sr.ContentSequence(list(items), is_root=False)
    return section


def _item(line: Line | Measurement) -> sr.ContentItem:
    if not isinstance(line, Line):
        return sr.NumContentItem(
            name=concept(line.name),
            value=line.value,
            unit=concept(line.unit),
            relationship_type=_CONTAINS,
        )
    if isinstance(line.value, Code):
        return sr.CodeContentItem(
            name=concept(line.name), value=concept(line.value), relationship_type=_CONTAINS
        )
    return sr.TextContentItem(name=concept(line.name), value=line.value, relationship_type=_CONTAINS)


def _series(context: RunContext) -> sr.UIDRefContentItem:
    return sr.UIDRefContentItem(
        name=dcm("121323", "Source series for image processing operation"),
        value=context.header.SeriesInstanceUID,
        relationship_type=_CONTAINS,
    )


def _reference(ds: Dataset) -> sr.ContentItem:
    item_type, name = _REFERENCES[ds.SOPClassUID]
    return item_type(
        name=dcm(*name),
        referenced_sop_class_uid=ds.SOPClassUID,
        referenced_sop_instance_uid=ds.SOPInstanceUID,
        relationship_type=_CONTAINS,
    )
