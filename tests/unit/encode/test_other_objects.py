"""Structure sets, maps, presentation states, key objects and label maps of predictions of every task."""

import io
from dataclasses import replace

import cv2
import highdicom as hd
import numpy as np
import pydicom
import pytest
from multi_frame import enhanced_mr
from predicted_series import entries_of, make_case, pick
from predicted_tasks import make_task, packed

from dicom_node.domain.finding import Code, ParametricMap
from dicom_node.domain.result import ResultKind
from inference.encode.choice import ResultChoice
from inference.encode.contours import closed_contours

EVERYTHING = ResultChoice(pdf=False, probability_map=True, labelmap=True, rtstruct=True, gsps=True, kos=True)
ODD, EVEN = (37, 29), (40, 32)


def read(result):
    return pydicom.dcmread(io.BytesIO(result.data))


def filled(contours, shape):
    """The pixels whose centres lie inside by the even-odd rule."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    inside = np.zeros(shape, bool)
    for contour in contours:
        for (y0, x0), (y1, x1) in zip(contour, np.roll(contour, -1, axis=0), strict=True):
            if y0 != y1:
                crosses = (y0 > y) != (y1 > y)
                inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def enhanced(case, order):
    """The case on one multi-frame instance whose frames lie in the given order in the file."""
    slices = [pydicom.dcmread(io.BytesIO(case.study.data[e.sop_instance_uid])) for e in case.study.instances]
    ds = enhanced_mr([slices[index] for index in order])
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    data = {str(ds.SOPInstanceUID): buffer.getvalue()}
    prediction = replace(
        case.prediction,
        source_sop_instance_uids=(str(ds.SOPInstanceUID),),
        source_frames=tuple(order.index(index) + 1 for index in range(len(order))),
    )
    study = replace(case.study, data=data, instances=tuple(entries_of(data)))
    return replace(case, study=study, prediction=prediction)


def referenced(ds):
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from referenced(item)
        elif element.keyword == "ReferencedSOPInstanceUID":
            yield element.value


def test_contours_give_back_exactly_the_mask_with_its_holes():
    rng = np.random.default_rng(3)
    blobs = cv2.GaussianBlur(rng.random((40, 52), dtype=np.float32), (0, 0), 2.5)
    mask = blobs > np.median(blobs)
    mask[12:20, 20:30] = True
    mask[15:17, 22:24] = False
    assert np.array_equal(filled(closed_contours(mask), mask.shape), mask)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal", "oblique"])
def test_structure_set_lies_where_the_mask_lies(plane):
    case = make_case(slices=6, rows=ODD[0], columns=ODD[1], plane=plane, spacing=(1.5, 0.8))
    ds = read(pick(case.encode(choice=EVERYTHING), ResultKind.RTSTRUCT))
    sources = {uid: pydicom.dcmread(io.BytesIO(data)) for uid, data in case.study.data.items()}
    mask = np.zeros_like(case.mask)
    order = list(case.prediction.source_sop_instance_uids)
    for contour in ds.ROIContourSequence[0].ContourSequence:
        source = sources[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        places = np.array(contour.ContourData, float).reshape(-1, 3) - np.array(
            source.ImagePositionPatient, float
        )
        along_row = np.array(source.ImageOrientationPatient[:3], float)
        down = np.array(source.ImageOrientationPatient[3:], float)
        # All points lie in the plane of the slice that the contour names.
        assert np.abs(places @ np.cross(along_row, down)).max() < 1e-3
        points = np.stack([places @ down / 1.5, places @ along_row / 0.8], axis=1)
        mask[order.index(str(source.SOPInstanceUID))] ^= filled([points], mask.shape[1:]).astype(np.uint8)
    both = (mask & case.mask).sum()
    assert 2 * both / (mask.sum() + case.mask.sum()) > 0.98


def test_structure_set_names_interpreted_code_and_colour():
    ds = read(pick(make_task("segmentation").encode(choice=EVERYTHING), ResultKind.RTSTRUCT))
    assert ds.StructureSetROISequence[0].ROIName == "Brain"
    assert ds.StructureSetROISequence[0].ROIGenerationAlgorithm == "AUTOMATIC"
    assert ds.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0].CodeValue == "12738006"
    assert ds.ApprovalStatus == "UNAPPROVED"
    assert len(ds.ROIContourSequence[0].ROIDisplayColor) == 3


@pytest.mark.parametrize(("rows", "columns"), [ODD, EVEN])
def test_map_holds_the_models_numbers_one_frame_a_slice_in_the_matrix_of_the_source(rows, columns):
    case = make_task("measurement", rows=rows, columns=columns)
    values = np.random.default_rng(1).normal(10, 3, case.mask.shape).astype(np.float32)
    described = ParametricMap(
        "adc",
        "Diffusion",
        Code("113041", "DCM", "Apparent Diffusion Coefficient"),
        Code("um2/s", "UCUM", "x"),
    )
    results = case.encode(maps=(described,), arrays=packed(map_adc=values))
    ds = read(pick(results, ResultKind.PMAP))
    assert (ds.Rows, ds.Columns) == (rows, columns)
    stored = np.frombuffer(ds.FloatPixelData, "<f4").reshape(ds.NumberOfFrames, ds.Rows, ds.Columns)
    assert np.array_equal(stored, values)
    frames = ds.PerFrameFunctionalGroupsSequence
    heights = [float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in frames]
    assert heights == sorted(heights)
    sources = [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID for frame in frames
    ]
    assert sources == list(case.prediction.source_sop_instance_uids)
    mapping = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "um2/s"


def test_map_with_a_value_that_is_no_number_is_left_out_and_the_report_says_so():
    case = make_task("measurement")
    described = ParametricMap("adc", "Diffusion", Code("113041", "DCM", "ADC"), Code("um2/s", "UCUM", "x"))
    values = np.full(case.mask.shape, np.nan, np.float32)
    results = case.encode(maps=(described,), arrays=packed(map_adc=values))
    assert ResultKind.PMAP not in {result.kind for result in results}
    assert b"Left out: parametric map" in pick(results, ResultKind.SR, 1).data


@pytest.mark.parametrize("task", ["segmentation", "classification", "detection", "measurement"])
def test_key_objects_name_key_slices_and_the_other_results(task):
    case = make_task(task)
    results = case.encode(choice=EVERYTHING)
    ds = read(pick(results, ResultKind.KOS))
    assert (ds.ConceptNameCodeSequence[0].CodeValue, ds.Modality) == ("113000", "KO")
    named = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in ds.ContentSequence
        if item.ValueType in {"IMAGE", "COMPOSITE"}
    }
    assert named & set(case.prediction.source_sop_instance_uids)
    assert pick(results, ResultKind.SR).sop_instance_uid in named
    known = set(case.study.data) | {result.sop_instance_uid for result in results}
    assert named <= known


def test_presentation_state_draws_outlines_on_the_slices_of_the_mask():
    case = make_task("segmentation", rows=ODD[0], columns=ODD[1])
    ds = read(pick(case.encode(choice=EVERYTHING), ResultKind.PR))
    mask = np.zeros_like(case.mask)
    order = list(case.prediction.source_sop_instance_uids)
    for annotation in ds.GraphicAnnotationSequence:
        index = order.index(annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID)
        for graphic in annotation.GraphicObjectSequence:
            points = np.array(graphic.GraphicData, float).reshape(-1, 2)[:-1, ::-1] - 0.5
            mask[index] ^= filled([points], mask.shape[1:]).astype(np.uint8)
        assert "Research use only" in annotation.TextObjectSequence[0].UnformattedTextValue
    assert np.array_equal(mask, case.mask)


def test_presentation_state_draws_each_box_with_its_score():
    case = make_task("detection")
    ds = read(pick(case.encode(choice=EVERYTHING), ResultKind.PR))
    texts = [a.TextObjectSequence[0].UnformattedTextValue for a in ds.GraphicAnnotationSequence]
    assert len(texts) == 4
    assert sum("Nodule 1: 83 %" in text for text in texts) == 3
    corners = np.array(ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData).reshape(-1, 2)
    top, left, bottom, right = (case.prediction.detections[1].box[i] for i in (1, 2, 4, 5))
    assert corners.min(axis=0).tolist() == [left, top]
    assert corners.max(axis=0).tolist() == [right, bottom]


def test_label_map_holds_the_mask_as_numbers():
    case = make_task("segmentation", rows=ODD[0], columns=ODD[1])
    results = [r for r in case.encode(choice=EVERYTHING) if r.kind is ResultKind.SEG]
    ds = hd.seg.segread(io.BytesIO(results[1].data))
    assert ds.SegmentationType == "LABELMAP"
    labels = ds.get_pixels_by_source_instance(
        list(case.prediction.source_sop_instance_uids), combine_segments=True
    )
    assert np.array_equal(labels, case.mask)


def test_objects_on_a_multi_frame_source_refer_to_its_frames_in_their_own_order():
    plain = make_task("segmentation", rows=ODD[0], columns=ODD[1])
    order = [3, 0, 8, 1, 5, 2, 7, 4, 6]
    case = enhanced(plain, order)
    results = case.encode(choice=EVERYTHING)
    uid = case.prediction.source_sop_instance_uids[0]
    segmentation = hd.seg.segread(io.BytesIO(pick(results, ResultKind.SEG).data))
    frames = list(case.prediction.source_frames)
    mask = segmentation.get_pixels_by_source_frame(
        uid, frames, combine_segments=True, assert_missing_frames_are_empty=True
    )
    assert np.array_equal(mask, case.mask)
    for kind in (ResultKind.PMAP, ResultKind.RTSTRUCT, ResultKind.PR, ResultKind.KOS):
        named = set(referenced(read(pick(results, kind))))
        assert uid in named
        assert named <= {uid, case.study.study_instance_uid, *(one.sop_instance_uid for one in results)}
    drawn = read(pick(results, ResultKind.PR)).GraphicAnnotationSequence
    numbers = [annotation.ReferencedImageSequence[0].ReferencedFrameNumber for annotation in drawn]
    expected = [frames[index] for index in np.flatnonzero(case.mask.any(axis=(1, 2)))]
    assert numbers == expected


def test_same_run_makes_the_same_bytes():
    first, second = (make_task("segmentation").encode(choice=EVERYTHING) for _ in range(2))
    assert [result.data for result in first] == [result.data for result in second]
