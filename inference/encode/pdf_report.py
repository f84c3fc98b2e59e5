"""The full report with pictures as Encapsulated PDF (PS3.3 §A.45.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom.base import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.finding_content import finding_sections
from inference.encode.pdf_pages import make_pdf
from inference.encode.pictures import paint_key_slices
from inference.encode.text_report import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext

#: Said in the PDF: it is the same for whoever reads it, original or pseudonymous.
_NO_IDENTITY = "This document holds no patient identity; the DICOM object that it came in says whose it is."
#: Key slices that are shown.
_PICTURES = 4


def make_pdf_report(
    context: ResultContext, arrays: PredictionArrays, left_out: Sequence[str] = ()
) -> Dataset:
    """Encode the report as PDF with its key slices.

    Burned In Annotation is NO: the pages name model and finding, never the patient, so that restoring the
    identity is a matter of attributes.

    Parameters
    ----------
    left_out
        Sentences on results that could not be made.
    """
    prediction, model, source = context.prediction, context.model, context.source
    drawn = paint_key_slices(prediction, source, arrays, _PICTURES)
    slices = source.shape[0]
    pictures = [
        (f"Slice {index + 1} of {slices}" if slices > 1 else "The image", pixels) for index, pixels in drawn
    ]
    document = make_pdf(
        title=model.title,
        verdict=prediction.label or "",
        notices=[f"{RESEARCH_NOTICE} {_NO_IDENTITY}"],
        sections=finding_sections(context, arrays, left_out),
        pictures=pictures,
        footer=f"{model.name} {model.version}. {RESEARCH_NOTICE}",
    )
    ds: Dataset = SOPClass(
        study_instance_uid=context.header.StudyInstanceUID,
        series_instance_uid=context.series_uid(Role.PDF),
        series_number=context.series_number(Role.PDF),
        sop_instance_uid=context.instance_uid(Role.PDF),
        sop_class_uid=EncapsulatedPDFStorage,
        instance_number=1,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=context.series_description("PDF report"),
        content_date=context.made_at.date(),
        content_time=context.made_at.time().replace(microsecond=0),
        specific_character_set=CHARACTER_SET,
        **context.equipment(),
    )
    ds.copy_patient_and_study_information(context.header)
    ds.ConversionType = "WSD"
    ds.AcquisitionDateTime = ""
    # As the pictures of a head: they show a face unless the source says that they do not.
    ds.BurnedInAnnotation = "NO"
    ds.RecognizableVisualFeatures = context.header.get("RecognizableVisualFeatures") or "YES"
    ds.SourceInstanceSequence = [_source(instance) for instance in source.instances]
    ds.DocumentTitle = f"{model.title}: {prediction.label or 'report'}"[:1024]
    ds.ConceptNameCodeSequence = [title_of(context)]
    ds.VerificationFlag = "UNVERIFIED"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(document)
    ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    context.complete(ds)
    return ds


def _source(instance: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.SOPClassUID
    item.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    return item
