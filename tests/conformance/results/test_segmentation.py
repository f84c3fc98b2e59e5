"""SEG: the mask comes back, in place, and viewers can read it (CONFORMANCE.md §4, OHIF.md)."""

import io

import highdicom as hd
import numpy as np
import pydicom
import pytest
from predicted_series import PLANES, make_case

from dicom_node.domain.result import ResultKind


def segmentation_of(case):
    data = next(result.data for result in case.encode() if result.kind is ResultKind.SEG)
    return hd.seg.segread(io.BytesIO(data))


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("matrix", [(32, 40), (217, 181), (181, 217)])
def test_mask_is_read_back_exactly_for_each_source_instance(plane, matrix):
    case = make_case(7, *matrix, plane=plane)
    seg = segmentation_of(case)
    mask = seg.get_pixels_by_source_instance(
        case.prediction.source_sop_instance_uids, combine_segments=True, assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(mask, case.mask)


@pytest.mark.parametrize("plane", PLANES)
def test_frames_lie_where_their_source_slices_lie(plane):
    case = make_case(7, 217, 181, plane=plane, spacing=(0.9, 0.7))
    seg = segmentation_of(case)
    shared = seg.SharedFunctionalGroupsSequence[0]
    assert [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing] == [0.9, 0.7]
    assert float(shared.PixelMeasuresSequence[0].SpacingBetweenSlices) == pytest.approx(2.5)
    np.testing.assert_allclose(
        np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float), PLANES[plane], atol=1e-6
    )
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source_uid = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        source = pydicom.dcmread(io.BytesIO(case.study.read(source_uid)))
        np.testing.assert_allclose(
            np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float),
            np.array(source.ImagePositionPatient, float),
            atol=1e-4,
        )
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID


@pytest.mark.parametrize("rows", [30, 31, 33, 217])
@pytest.mark.parametrize("columns", [29, 32, 181])
@pytest.mark.parametrize("full", [False, True])
def test_packed_length_is_even_wherever_frames_are_no_whole_bytes(rows, columns, full):
    case = make_case(5, rows, columns, full=full)
    seg = segmentation_of(case)
    length = -(-seg.NumberOfFrames * rows * columns // 8)
    assert rows * columns % 8 == 0 or length % 2 == 0
    assert len(seg.PixelData) == length + length % 2
    assert len(seg.PerFrameFunctionalGroupsSequence) == seg.NumberOfFrames


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_empty_frames_beyond_a_mask_that_fills_every_slice_lie_beyond_the_stack(plane, run_tool):
    case = make_case(5, 33, 29, full=True, plane=plane)
    assert case.mask.any(axis=(1, 2)).all()
    seg = segmentation_of(case)
    assert seg.NumberOfFrames > 5
    mask = seg.get_pixels_by_source_instance(case.prediction.source_sop_instance_uids, combine_segments=True)
    np.testing.assert_array_equal(mask, case.mask)
    assert not seg.pixel_array[5:].any()
    added = seg.PerFrameFunctionalGroupsSequence[5]
    assert not added.DerivationImageSequence
    normal = np.abs(np.cross(PLANES[plane][:3], PLANES[plane][3:]))
    heights = [
        float(normal @ np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float))
        for frame in seg.PerFrameFunctionalGroupsSequence
    ]
    assert set(np.abs(np.diff(heights))) == {2.5}
    assert len(set(heights)) == len(heights)
    buffer = io.BytesIO()
    seg.save_as(buffer)
    _, lines = run_tool("dciodvfy", buffer.getvalue())
    assert [line for line in lines.splitlines() if line.startswith("Error")] == []


def test_segment_is_coded_coloured_and_names_its_algorithm(datasets):
    ds = datasets["segmentation"]
    segment = ds.SegmentSequence[0]
    assert ds.SegmentationType == "BINARY"
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == (
        "AUTOMATIC",
        "mr-brain-extraction",
    )
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == "1.0.2"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "12738006"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    assert segment.AnatomicRegionSequence[0].CodeValue == "12738006"
    # PS3.3 C.10.7.1.1: L 0..100 and a, b -128..127 onto 0..65535
    lightness, a, b = segment.RecommendedDisplayCIELabValue
    assert (lightness * 100 / 65535, a * 255 / 65535 - 128, b * 255 / 65535 - 128) == pytest.approx(
        (66, 39, 27), abs=0.01
    )


def test_equipment_of_type_1_is_there(datasets):
    ds = datasets["segmentation"]
    for keyword in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
        assert ds[keyword].value
