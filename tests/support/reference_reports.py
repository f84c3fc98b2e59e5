"""Structured reports as others may write them, built item by item, and studies that hold them."""

import io

from model_series import MemoryStudy
from predicted_series import derive_uid, entries_of
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid


def coded(value, scheme="SCT", meaning="meaning"):
    """An item of a code sequence."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def item(kind, name, *children, relation="CONTAINS", **values):
    """A content item; `name` is a code as a tuple, or nothing."""
    ds = Dataset()
    ds.RelationshipType, ds.ValueType = relation, kind
    if name is not None:
        ds.ConceptNameCodeSequence = [coded(*name)]
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    if children:
        ds.ContentSequence = list(children)
    return ds


def container(title, *children):
    return item("CONTAINER", title, *children, ContinuityOfContent="SEPARATE")


def code(name, value, *children, relation="CONTAINS"):
    return item("CODE", name, *children, relation=relation, ConceptCodeSequence=[coded(*value)])


def number(name, value, unit, *children):
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = str(value), [coded(unit, "UCUM", unit)]
    return item("NUM", name, *children, MeasuredValueSequence=[measured])


def image(uid, *, frame=None, relation="CONTAINS"):
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = MRImageStorage, uid
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    return item("IMAGE", None, relation=relation, ReferencedSOPSequence=[reference])


def drawn(kind, points, uid, *, frame=None):
    """Coordinates on an image: column and row of each point, in one list."""
    on = image(uid, frame=frame, relation="SELECTED FROM")
    return item("SCOORD", ("111030", "DCM", "Image Region"), on, GraphicType=kind, GraphicData=points)


def drawn_in_space(kind, points, frame_of_reference):
    return item(
        "SCOORD3D",
        ("111030", "DCM", "Image Region"),
        GraphicType=kind,
        GraphicData=points,
        ReferencedFrameOfReferenceUID=frame_of_reference,
    )


def tracked(uid):
    return item("UIDREF", ("112040", "DCM", "Tracking Unique Identifier"), UID=uid)


def group(*children):
    return container(("125007", "DCM", "Measurement Group"), *children)


def report(
    *children, evidence=(), replaces=(), study=None, title=("126000", "DCM", "Imaging Measurement Report")
):
    """A data set of a report on the synthetic study; `evidence` and `replaces` are SOP Instance UIDs."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = Comprehensive3DSRStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study or derive_uid("study"), generate_uid()
    ds.PatientID, ds.Modality, ds.Manufacturer = "PSEUDO-4711", "SR", "Elsewhere"
    if evidence:
        ds.CurrentRequestedProcedureEvidenceSequence = _references(ds.StudyInstanceUID, evidence)
    if replaces:
        ds.PredecessorDocumentsSequence = _references(ds.StudyInstanceUID, replaces)
    ds.ValueType, ds.ConceptNameCodeSequence, ds.ContinuityOfContent = (
        "CONTAINER",
        [coded(*title)],
        "SEPARATE",
    )
    ds.ContentSequence = list(children)
    return ds


def with_reports(study, *reports):
    """The study with reports (data sets or results of the encoder) beside its images."""
    data = dict(study.data)
    for one in reports:
        if isinstance(one, Dataset):
            buffer = io.BytesIO()
            one.save_as(buffer, enforce_file_format=True)
            data[str(one.SOPInstanceUID)] = buffer.getvalue()
        else:
            data[one.sop_instance_uid] = one.data
    return MemoryStudy(study.study_instance_uid, 1, tuple(entries_of(data)), data)


def _references(study, uids):
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = derive_uid("series"), []
    for uid in uids:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = MRImageStorage, uid
        series.ReferencedSOPSequence.append(reference)
    of_study = Dataset()
    of_study.StudyInstanceUID, of_study.ReferencedSeriesSequence = study, [series]
    return [of_study]
