"""A study of one patient that holds an object of every kind that refers to others.

Slices of a real head, and what highdicom makes of them; radiotherapy and ECG from real files; a slide.
"""

import copy

import highdicom as hd
import numpy as np
from highdicom.sr import coding
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)

NAME, DESCRIBED_BY = "Kanarienvogel^Zwitscherine", "Finkenherd^Ottokar"
#: Level of patient and study, which all objects share.
_SHARED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
    "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def make_study(head):
    """Data sets by kind; `head` is a series of MR slices, which are copied."""
    slices = [copy.deepcopy(ds) for ds in head[24:32]]
    for ds in slices:
        ds.PatientName, ds.PatientID, ds.AccessionNumber = NAME, "PID00815", "ACC4711008"
        ds.ReferringPhysicianName = DESCRIBED_BY
    study = {f"slice {number}": ds for number, ds in enumerate(slices)}
    study["SEG"] = _segmentation(slices)
    study["SR"] = _report(slices, study["SEG"])
    study["PR"] = _presentation(slices)
    study["KO"] = _key_objects(slices, study["SEG"])
    study |= _radiotherapy(slices)
    study["ECG"] = _adopted("waveform_ecg.dcm", slices[0])
    study["SM"] = _slide(slices[0])
    return study


def _made(number):
    """What highdicom wants to know of any object."""
    return {
        "series_instance_uid": hd.UID(),
        "series_number": number,
        "sop_instance_uid": hd.UID(),
        "instance_number": 1,
        "manufacturer": "Test Works",
    }


def _segmentation(slices):
    mask = np.zeros((len(slices), slices[0].Rows, slices[0].Columns, 2), dtype=np.uint8)
    mask[2:6, 20:40, 15:30, 0] = 1
    mask[3:5, 30:34, 35:44, 1] = 1
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=kind,
            algorithm_type="MANUAL",
            tracking_uid=hd.UID(),
            tracking_id=f"organ {number}",
        )
        for number, label, kind in ((1, "Brain", codes.SCT.Brain), (2, "Eye", codes.SCT.Eye))
    ]
    return hd.seg.Segmentation(
        source_images=slices,
        pixel_array=mask,
        segmentation_type="BINARY",
        segment_descriptions=described,
        manufacturer_model_name="Pencil",
        software_versions="1",
        device_serial_number="SN1",
        content_creator_name=DESCRIBED_BY,
        **_made(10),
    )


def _report(slices, segmentation):
    image = hd.sr.SourceImageForMeasurement.from_source_image(slices[3])
    tracking = hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="lesion 1")
    outline = hd.sr.ImageRegion3D(
        graphic_type="POLYGON",
        graphic_data=np.array([[0, 0, 1], [0, 9, 1], [9, 9, 1], [0, 0, 1.0]]),
        frame_of_reference_uid=slices[0].FrameOfReferenceUID,
    )
    length = hd.sr.Measurement(
        name=codes.SCT.Length, value=12.5, unit=codes.UCUM.Millimeter, referenced_images=[image]
    )
    planar = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        referenced_region=outline,
        finding_type=codes.SCT.Mass,
        measurements=[length],
    )
    frames = hd.sr.ReferencedSegment.from_segmentation(segmentation, segment_number=1)
    volume = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="brain"),
        referenced_segment=frames,
        finding_type=codes.SCT.Brain,
        measurements=[
            hd.sr.Measurement(
                name=codes.SCT.Volume, value=1400.0, unit=coding.CodedConcept("mL", "UCUM", "milliliter")
            )
        ],
    )
    person = hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=DESCRIBED_BY),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=person),
        procedure_reported=coding.CodedConcept("816077007", "SCT", "MRI of brain"),
        imaging_measurements=[planar, volume],
    )
    return hd.sr.Comprehensive3DSR(
        evidence=[*slices, segmentation],
        content=content[0],
        is_complete=True,
        is_verified=True,
        verifying_observer_name=DESCRIBED_BY,
        verifying_organization="St. Canarius",
        **_made(11),
    )


def _presentation(slices):
    layer = hd.pr.GraphicLayer("ARROWS", order=1, description=f"by {DESCRIBED_BY}")
    line = hd.pr.GraphicObject(
        graphic_type="POLYLINE", graphic_data=np.array([[1.0, 1.0], [20.0, 20.0]]), units="PIXEL"
    )
    words = hd.pr.TextObject(
        text_value="oedema of Zwitscherine Kanarienvogel", units="PIXEL", bounding_box=(1.0, 1.0, 30.0, 9.0)
    )
    annotation = hd.pr.GraphicAnnotation(
        referenced_images=slices[:2], graphic_layer=layer, graphic_objects=[line], text_objects=[words]
    )
    return hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=slices,
        manufacturer_model_name="Pencil",
        software_versions="1",
        device_serial_number="SN1",
        content_label="ARROWS",
        content_description="oedema",
        content_creator_name=DESCRIBED_BY,
        graphic_layers=[layer],
        graphic_annotations=[annotation],
        voi_lut_transformations=[hd.pr.SoftcopyVOILUTTransformation(window_center=300, window_width=600)],
        **_made(12),
    )


def _key_objects(slices, segmentation):
    content = hd.ko.KeyObjectSelection(
        document_title=codes.DCM.OfInterest,
        referenced_objects=[slices[3], segmentation],
        description="show to Ottokar Finkenherd",
    )
    return hd.ko.KeyObjectSelectionDocument(evidence=[slices[3], segmentation], content=content, **_made(13))


def _radiotherapy(slices):
    """Structure set on the slices, plan on the structure set, dose on the plan."""
    first = slices[0]
    struct = _adopted("rtstruct.dcm", first)
    plan, dose = _adopted("rtplan.dcm", first), _adopted("rtdose_1frame.dcm", first)
    frame = first.FrameOfReferenceUID
    images = Sequence([_reference(ds) for ds in slices])
    series, in_study, of_frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID, series.ContourImageSequence = first.SeriesInstanceUID, images
    in_study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    in_study.ReferencedSOPInstanceUID = first.StudyInstanceUID
    in_study.RTReferencedSeriesSequence = Sequence([series])
    of_frame.FrameOfReferenceUID = frame
    of_frame.RTReferencedStudySequence = Sequence([in_study])
    struct.ReferencedFrameOfReferenceSequence = Sequence([of_frame])
    for roi in struct.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = frame
        roi.ROIDescription = "drawn by Ottokar Finkenherd"
    for roi in struct.ROIContourSequence:
        for contour in roi.get("ContourSequence", []):
            contour.ContourImageSequence = Sequence([_reference(slices[3])])
    plan.ReferencedStructureSetSequence = Sequence([_reference(struct)])
    plan.FrameOfReferenceUID = dose.FrameOfReferenceUID = frame
    dose.ReferencedRTPlanSequence = Sequence([_reference(plan)])
    return {"RTSTRUCT": struct, "RTPLAN": plan, "RTDOSE": dose}


def _slide(first):
    """A tiled image of a slide: two rows of three tiles."""
    ds = Dataset()
    _adopt(ds, first, VLWholeSlideMicroscopyImageStorage)
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "SM", 20, 1
    ds.Manufacturer, ds.ManufacturerModelName = "Test Works", "Scanner"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "SN1", "1"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.ContentDate = ds.AcquisitionDateTime = "20240229"
    ds.ContentTime, ds.AcquisitionDuration = "101112", 1.0
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = generate_uid(), "SLIDE_CORNER"
    ds.ContainerIdentifier, ds.IssuerOfTheContainerIdentifierSequence = "ACC4711008-1", Sequence()
    ds.ContainerTypeCodeSequence = _coded("433466003", "SCT", "Microscope slide")
    ds.AcquisitionContextSequence = Sequence()
    specimen = Dataset()
    specimen.SpecimenIdentifier, specimen.SpecimenUID = "ACC4711008-1-A", generate_uid()
    specimen.IssuerOfTheSpecimenIdentifierSequence = Sequence()
    specimen.SpecimenShortDescription = "skin of Zwitscherine"
    specimen.SpecimenPreparationSequence = Sequence()
    ds.SpecimenDescriptionSequence = Sequence([specimen])
    ds.OpticalPathSequence = Sequence([Dataset()])
    path = ds.OpticalPathSequence[0]
    path.OpticalPathIdentifier = "1"
    path.IlluminationTypeCodeSequence = _coded("111744", "DCM", "Brightfield illumination")
    path.IlluminationColorCodeSequence = _coded("371251000", "SCT", "White color")
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.NumberOfFrames, ds.TotalPixelMatrixColumns, ds.TotalPixelMatrixRows = 6, 48, 32
    ds.TotalPixelMatrixFocalPlanes, ds.NumberOfOpticalPaths = 1, 1
    ds.ImagedVolumeWidth, ds.ImagedVolumeHeight, ds.ImagedVolumeDepth = 4.8, 3.2, 0.001
    ds.TotalPixelMatrixOriginSequence = Sequence([Dataset()])
    origin = ds.TotalPixelMatrixOriginSequence[0]
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = "1"
    ds.ImageOrientationSlide = [0, 1, 0, 1, 0, 0]
    ds.DimensionOrganizationType, ds.VolumetricProperties = "TILED_FULL", "VOLUME"
    ds.SpecimenLabelInImage, ds.BurnedInAnnotation, ds.FocusMethod = "NO", "NO", "AUTO"
    ds.ExtendedDepthOfField, ds.LossyImageCompression = "NO", "00"
    shared, measures, kind = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.1, 0.1], 0.001
    kind.FrameType = ds.ImageType
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([kind])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    organization = generate_uid()
    ds.DimensionOrganizationSequence = Sequence([Dataset()])
    ds.DimensionOrganizationSequence[0].DimensionOrganizationUID = organization
    ds.PixelData = np.random.default_rng(0).integers(0, 255, 6 * 16 * 16 * 3, dtype=np.uint8).tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def _coded(value, scheme, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def _reference(ds):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return item


def _adopted(name, first):
    """A real object as one of this patient's study."""
    ds = dcmread(get_testdata_file(name, download=False), force=True)
    _adopt(ds, first, ds.SOPClassUID)
    return ds


def _adopt(ds, first, sop_class):
    for keyword in _SHARED:
        setattr(ds, keyword, copy.deepcopy(first.get(keyword)))
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = sop_class, generate_uid(), generate_uid()
    if "TransferSyntaxUID" not in getattr(ds, "file_meta", ()):
        bare = hasattr(ds, "file_meta")  # read from a file without File Meta
        ds.file_meta = copy.deepcopy(first.file_meta)
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if bare else ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
