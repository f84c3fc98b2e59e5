"""Attributes that objects of each SOP Class must have: tables of the output gate."""

from __future__ import annotations

from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

#: Label Map Segmentation Storage, which pydicom's tables do not have yet.
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"

#: Type 1 attributes of all IODs that the node writes, and what IHE AIR asks besides.
TYPE_1 = (
    "SpecificCharacterSet",
    "InstanceCreationDate",
    "SeriesNumber",
    "SeriesDescription",
    "InstanceNumber",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DeviceSerialNumber",
)
#: Type 2 attributes of all.
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
_MULTI_FRAME = (
    "FrameOfReferenceUID",
    "ContentDate",
    "ContentTime",
    "ContentLabel",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionOrganizationSequence",
    "DimensionIndexSequence",
    "ReferencedSeriesSequence",
)
_SEGMENTATION = (*_MULTI_FRAME, "SegmentationType", "SegmentSequence")
#: Type 1 attributes by SOP Class.
TYPE_1_OF = {
    Comprehensive3DSRStorage: (
        "ContentDate",
        "ContentTime",
        "CompletionFlag",
        "VerificationFlag",
        "PreliminaryFlag",
        "ValueType",
        "ConceptNameCodeSequence",
        "ContinuityOfContent",
        "ContentSequence",
        "CurrentRequestedProcedureEvidenceSequence",
    ),
    SegmentationStorage: _SEGMENTATION,
    SecondaryCaptureImageStorage: (
        "ConversionType",
        "ImageType",
        "Rows",
        "Columns",
        "PhotometricInterpretation",
        "BurnedInAnnotation",
        "LossyImageCompression",
        "DerivationDescription",
        "SourceImageSequence",
    ),
    EncapsulatedPDFStorage: (
        "ConversionType",
        "ContentDate",
        "ContentTime",
        "BurnedInAnnotation",
        "DocumentTitle",
        "ConceptNameCodeSequence",
        "SourceInstanceSequence",
        "MIMETypeOfEncapsulatedDocument",
        "EncapsulatedDocument",
    ),
    LABEL_MAP_STORAGE: _SEGMENTATION,
    ParametricMapStorage: (
        *_MULTI_FRAME,
        "PixelPresentation",
        "ContentQualification",
        "RecognizableVisualFeatures",
    ),
    RTStructureSetStorage: (
        "FrameOfReferenceUID",
        "StructureSetLabel",
        "ReferencedFrameOfReferenceSequence",
        "StructureSetROISequence",
        "ROIContourSequence",
        "RTROIObservationsSequence",
        "ApprovalStatus",
    ),
    GrayscaleSoftcopyPresentationStateStorage: (
        "PresentationCreationDate",
        "PresentationCreationTime",
        "ContentLabel",
        "ReferencedSeriesSequence",
        "DisplayedAreaSelectionSequence",
        "PresentationLUTShape",
        "GraphicLayerSequence",
        "GraphicAnnotationSequence",
    ),
    KeyObjectSelectionDocumentStorage: (
        "ContentDate",
        "ContentTime",
        "ValueType",
        "ConceptNameCodeSequence",
        "ContinuityOfContent",
        "ContentSequence",
        "CurrentRequestedProcedureEvidenceSequence",
    ),
}
#: Modality by SOP Class.
MODALITIES = {
    Comprehensive3DSRStorage: "SR",
    SegmentationStorage: "SEG",
    SecondaryCaptureImageStorage: "OT",
    EncapsulatedPDFStorage: "DOC",
    LABEL_MAP_STORAGE: "SEG",
    RTStructureSetStorage: "RTSTRUCT",
    GrayscaleSoftcopyPresentationStateStorage: "PR",
    KeyObjectSelectionDocumentStorage: "KO",
    ParametricMapStorage: "OT",
}
