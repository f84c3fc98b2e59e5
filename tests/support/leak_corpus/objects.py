"""Identity in presentation states, key objects, segmentations, radiotherapy, waveforms and slides.

References
----------
PS3.15 §E.3.3 (Clean Graphics Option), §E.3.5 (Clean Descriptors Option).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import DESCRIPTORS, GRAPHICS, STRUCTURED, Draft, real
from leak_corpus.structured import FINDING, code, content
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTPlanStorage,
    RTStructureSetStorage,
    VLWholeSlideMicroscopyImageStorage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTS = Catalogue("objects")


# ---------------------------------------------------------------- presentation, key objects


@OBJECTS.case("presentation-state")
def _(draft: Draft) -> None:
    p = draft.person
    image = draft.image()
    ds = draft.made(GrayscaleSoftcopyPresentationStateStorage, "PR")
    ds.ContentLabel, ds.ContentDescription = "ARROWS", f"Arrows of {p.reader[0]} on edema"
    ds.ContentCreatorName = "^".join(p.reader)
    ds.PresentationCreationDate, ds.PresentationCreationTime = f"{p.examined:%Y%m%d}", "111213"
    ds.SeriesNumber, ds.InstanceNumber = 9, 1
    reference = draft.items(
        ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
    )
    ds.ReferencedSeriesSequence = draft.items(
        SeriesInstanceUID=image.SeriesInstanceUID, ReferencedImageSequence=reference
    )
    text = Dataset()
    text.UnformattedTextValue = f"edema {p.given} {p.family}"
    text.BoundingBoxAnnotationUnits, text.AnchorPointVisibility = "PIXEL", "N"
    text.BoundingBoxTopLeftHandCorner, text.BoundingBoxBottomRightHandCorner = [1, 1], [20, 20]
    text.BoundingBoxTextHorizontalJustification = "LEFT"
    shape = Dataset()
    shape.GraphicAnnotationUnits, shape.GraphicDimensions = "PIXEL", 2
    shape.NumberOfGraphicPoints, shape.GraphicData, shape.GraphicType = 2, [1, 1, 9, 9], "POLYLINE"
    ds.GraphicAnnotationSequence = draft.items(
        GraphicLayer="LAYER1", TextObjectSequence=Sequence([text]), GraphicObjectSequence=Sequence([shape])
    )
    ds.GraphicLayerSequence = draft.items(
        GraphicLayer="LAYER1", GraphicLayerOrder=1, GraphicLayerDescription=f"by {p.operator[0]}"
    )
    ds.PresentationLUTShape = "IDENTITY"
    draft.uid_check(ds, "ReferencedSeriesSequence", 0, "SeriesInstanceUID")
    draft.keep(ds, ("PresentationLUTShape",), "IDENTITY")
    draft.keep(ds, ("GraphicAnnotationSequence",), "edema", "POLYLINE", needs=GRAPHICS)


@OBJECTS.case("key-object-selection")
def _(draft: Draft) -> None:
    p = draft.person
    image = draft.image()
    title = ("113012", "DCM", "Key Object Description")
    ds = draft.made(KeyObjectSelectionDocumentStorage, "KO")
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = code("113000", "DCM", "Of Interest")
    ds.SeriesNumber, ds.InstanceNumber = 8, 1
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    reference = draft.items(
        ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
    )
    series = draft.items(SeriesInstanceUID=image.SeriesInstanceUID, ReferencedSOPSequence=reference)
    ds.CurrentRequestedProcedureEvidenceSequence = draft.items(
        StudyInstanceUID=image.StudyInstanceUID, ReferencedSeriesSequence=series
    )
    picked = content("IMAGE", FINDING, ReferencedSOPSequence=reference)
    del picked.ConceptNameCodeSequence
    ds.ContentSequence = Sequence(
        [content("TEXT", title, TextValue=f"Show stenosis to {p.physician[0]}, ask {p.family}"), picked]
    )
    draft.keep(ds, ("ContentSequence",), "stenosis", "IMAGE", needs=STRUCTURED)
    draft.keep(ds, ("ConceptNameCodeSequence", 0, "CodeValue"), "113000")


# ---------------------------------------------------------------- segmentation, radiotherapy, signals


@OBJECTS.case("segmentation")
def _(draft: Draft) -> None:
    p = draft.person
    ds = draft.image("liver_1frame.dcm")
    ds.ContentCreatorName = "^".join(p.operator)
    ds.ContentDescription = f"Liver of {p.family}"
    ds.SegmentSequence[0].SegmentLabel = f"Liver {p.given}"
    ds.SegmentSequence[0].SegmentDescription = f"outlined by {p.operator[0]}"
    ds.SegmentSequence[0].SegmentAlgorithmName = "GrowCut"
    draft.keep(ds, ("SegmentSequence", 0, "SegmentLabel"), "Liver", needs=DESCRIPTORS)
    draft.keep(ds, ("SegmentSequence", 0, "SegmentNumber"), "1")
    draft.check("tag_retained", ds, ("SegmentSequence", 0, "SegmentLabel"))


def _plan(draft: Draft, name: str) -> Dataset:
    ds = real(name)
    draft.adopt(ds, draft.person)
    return ds


@OBJECTS.case("rt-plan")
def _(draft: Draft) -> None:
    p = draft.person
    ds = _plan(draft, "rtplan.dcm")
    ds.Manufacturer = "Test Works Oncology"  # the file has a placeholder
    draft.drop(lambda check: check.path == ("Manufacturer",))
    draft.keep(ds, ("Manufacturer",), "Test Works Oncology")
    assert ds.SOPClassUID == RTPlanStorage
    ds.RTPlanLabel, ds.RTPlanName = f"PTV {p.family}"[:16], f"{p.given} boost"
    draft.gone(ds, ("RTPlanLabel",), ds.RTPlanLabel.split()[1])
    ds.RTPlanDescription = f"boost 2 Gy for {p.family}"
    ds.RTPlanDate, ds.RTPlanTime = f"{p.examined:%Y%m%d}", "101010"
    ds.BeamSequence[0].BeamName = f"AP {p.given}"
    ds.BeamSequence[0].BeamDescription = f"field of {p.operator[0]}"
    ds.BeamSequence[0].TreatmentMachineName = "LINAC7"
    ds.ApprovalStatus = "APPROVED"
    ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = f"{p.examined:%Y%m%d}", "101010", "^".join(p.reader)
    draft.keep(ds, ("RTPlanDescription",), "boost", "2 Gy", needs=DESCRIPTORS)
    draft.keep(ds, ("ApprovalStatus",), "APPROVED")
    draft.check("tag_retained", ds, ("BeamSequence", 0, "ControlPointSequence", 0))
    draft.check("tag_retained", ds, ("RTPlanLabel",))


@OBJECTS.case("rt-structure-set")
def _(draft: Draft) -> None:
    p = draft.person
    ds = draft.made(RTStructureSetStorage, "RTSTRUCT")
    ds.StructureSetLabel, ds.StructureSetName = "PTV", f"contours {p.family}"
    ds.StructureSetDescription = f"planning CT of {p.given}"
    ds.StructureSetDate, ds.StructureSetTime = f"{p.examined:%Y%m%d}", "101010"
    frame = draft.uid()
    ds.ReferencedFrameOfReferenceSequence = draft.items(FrameOfReferenceUID=frame)
    ds.StructureSetROISequence = draft.items(
        ROINumber=1,
        ReferencedFrameOfReferenceUID=frame,
        ROIName=f"Bladder {p.family}",
        ROIDescription=f"drawn by {p.operator[0]}",
        ROIGenerationAlgorithm="MANUAL",
    )
    contour = draft.items(ContourGeometricType="POINT", NumberOfContourPoints=1, ContourData=[1, 2, 3])
    ds.ROIContourSequence = draft.items(ReferencedROINumber=1, ContourSequence=contour)
    ds.RTROIObservationsSequence = draft.items(
        ObservationNumber=1,
        ReferencedROINumber=1,
        ROIObservationLabel=f"{p.given} Bladder",
        RTROIInterpretedType="ORGAN",
        ROIInterpreter="^".join(p.reader),
    )
    draft.keep(ds, ("StructureSetROISequence", 0, "ROIName"), "Bladder", needs=DESCRIPTORS)
    draft.keep(ds, ("RTROIObservationsSequence", 0, "RTROIInterpretedType"), "ORGAN")
    draft.check("tag_retained", ds, ("ROIContourSequence", 0, "ContourSequence", 0, "ContourData"))
    draft.uid_check(ds, "StructureSetROISequence", 0, "ReferencedFrameOfReferenceUID")


@OBJECTS.case("rt-dose")
def _(draft: Draft) -> None:
    p = draft.person
    ds = draft.image("rtdose_1frame.dcm")
    ds.DoseComment = f"dose of {p.family}"
    draft.keep(ds, ("DoseUnits",), str(ds.DoseUnits))


@OBJECTS.case("waveform")
def _(draft: Draft) -> None:
    p = draft.person
    ds = _plan(draft, "waveform_ecg.dcm")
    group = ds.WaveformSequence[0]
    group.MultiplexGroupLabel = f"Rhythm {p.family}"
    group.ChannelDefinitionSequence[0].ChannelLabel = f"Lead I {p.given}"
    note = Dataset()
    note.UnformattedTextValue = f"Sinus rhythm, {p.given} {p.family}, {p.born:%d.%m.%Y}"
    note.AnnotationGroupNumber = 1
    draft.secret(f"{p.born:%d.%m.%Y}", "WaveformAnnotation")
    ds.WaveformAnnotationSequence = Sequence([note])
    draft.check("tag_retained", ds, ("WaveformSequence", 0, "WaveformData"))
    draft.keep(ds, ("WaveformSequence", 0, "SamplingFrequency"), str(group.SamplingFrequency))
    draft.keep(ds, ("WaveformAnnotationSequence",), "Sinus rhythm", needs=STRUCTURED)


@OBJECTS.case("whole-slide-image")
def _(draft: Draft) -> None:
    p = draft.person
    ds = draft.made(VLWholeSlideMicroscopyImageStorage, "SM")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.LabelText = f"{p.family} {p.accession}"
    ds.BarcodeValue = p.other_id
    ds.ContainerIdentifier = p.accession
    ds.IssuerOfTheContainerIdentifierSequence = Sequence()
    ds.ContainerTypeCodeSequence = code("433466003", "SCT", "Microscope slide")
    specimen = draft.items(
        SpecimenIdentifier=f"{p.family}-A1",
        SpecimenUID=draft.uid(),
        SpecimenShortDescription=f"skin of {p.given}",
        SpecimenDetailedDescription=f"Excised for {p.family} by {p.physician[0]}",
    )
    specimen[0].SpecimenPreparationSequence = Sequence()
    specimen[0].IssuerOfTheSpecimenIdentifierSequence = Sequence()
    ds.SpecimenDescriptionSequence = specimen
    ds.BurnedInAnnotation = "NO"
    ds.SpecimenLabelInImage = "NO"
    ds.Rows = ds.Columns = ds.TotalPixelMatrixColumns = ds.TotalPixelMatrixRows = 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.NumberOfFrames = 1
    ds.PixelData = bytes(range(192))
    draft.check("pixels_retained", ds, ())
    draft.check("tag_retained", ds, ("SpecimenDescriptionSequence", 0, "SpecimenIdentifier"))
    draft.keep(ds, ("ContainerTypeCodeSequence", 0, "CodeValue"), "433466003")


def _label(kind: str) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        ds = draft.made(VLWholeSlideMicroscopyImageStorage, "SM")
        ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
        ds.LabelText = draft.person.family
        ds.SpecimenLabelInImage = "YES"
        ds.Rows = ds.Columns = 8
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.NumberOfFrames = 1
        ds.PixelData = draft.secret("QXSLIDELABELXQ", "pixels of a slide's label").encode().ljust(192, b"\0")
        draft.refusal = "allowed"

    return plant


for flavour in ("LABEL", "OVERVIEW"):
    OBJECTS.add(f"whole-slide-{flavour.lower()}", _label(flavour))
