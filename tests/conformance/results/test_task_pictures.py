"""Pictures of classifiers and detectors: heat and boxes over some slices, and a key picture beside them."""

import io

import numpy as np
import pydicom
import pytest
from predicted_series import make_case
from predicted_tasks import as_frames, classified, detected, without_geometry

from dicom_node.domain.result import ResultKind
from inference.encode.gate import Gate
from inference.encode.heatmap import BOX_COLOUR

GEOMETRY = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient")


def encoded(case):
    """The heatmap series in its order, and the key picture where there is one."""
    results = [result for result in case.encode() if result.kind is ResultKind.SC]
    read = [pydicom.dcmread(io.BytesIO(result.data)) for result in results]
    stack = [ds for ds in read if "heatmap" in ds.SeriesDescription]
    keys = [ds for ds in read if "key picture" in ds.SeriesDescription]
    assert len(stack) + len(keys) == len(read)
    return stack, keys[0] if keys else None


def source_of(picture):
    return picture.SourceImageSequence[0]


def slices(case, indices):
    uids = case.prediction.source_sop_instance_uids
    return [pydicom.dcmread(io.BytesIO(case.study.read(uids[index]))) for index in indices]


def as_colour(ds, index):
    grey = ds.pixel_array
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    rgb = np.stack([grey // 16, grey // 32, grey // 64], axis=2).astype(np.uint8)
    ds.PixelData = rgb.tobytes() + b"\0" * (rgb.size % 2)


def test_heat_is_drawn_over_the_slices_that_have_some_in_their_place():
    case = classified(make_case(slices=9, rows=217, columns=181))
    stack, _ = encoded(case)
    assert [picture.InstanceNumber for picture in stack] == [1, 2]
    for picture, source in zip(stack, slices(case, (2, 6)), strict=True):
        reference = source_of(picture)
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert (reference.SpatialLocationsPreserved, "ReferencedFrameNumber" in reference) == ("YES", False)
        assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        for keyword in (*GEOMETRY, "PixelSpacing"):
            assert picture[keyword].value == source[keyword].value
        assert "speaks for: Glioma, 0 to 1, Grad-CAM" in picture.DerivationDescription
        rgb = picture.pixel_array.astype(int)
        assert (np.ptp(rgb, axis=2) > 20).mean() > 0.05


def test_the_key_picture_shows_the_best_slice_beside_its_source():
    case = classified(make_case(slices=9, rows=217, columns=181))
    stack, key = encoded(case)
    assert key.SeriesInstanceUID != stack[0].SeriesInstanceUID
    assert source_of(key).ReferencedSOPInstanceUID == slices(case, [6])[0].SOPInstanceUID
    assert source_of(key).SpatialLocationsPreserved == "NO"
    assert not any(keyword in key for keyword in GEOMETRY)
    assert (key.Rows, key.Columns) == (217, 2 * 181)
    rgb = key.pixel_array
    # All colour is in the right half; it is the picture of the stack.
    assert not (np.ptp(rgb[40:170, :150].astype(int), axis=2) > 10).any()
    np.testing.assert_array_equal(rgb[:, 181:], stack[1].pixel_array)


def test_a_series_in_which_every_slice_has_a_picture_needs_no_key_picture():
    assert encoded(make_case())[1] is None


def test_boxes_are_drawn_on_the_slices_that_they_reach_through():
    case = detected(make_case(slices=9, rows=217, columns=181))
    stack, key = encoded(case)
    found = [source_of(picture).ReferencedSOPInstanceUID for picture in stack]
    assert found == [ds.SOPInstanceUID for ds in slices(case, (1, 3, 4, 5))]
    for picture in stack[1:]:
        rim = np.argwhere((picture.pixel_array == BOX_COLOUR).all(axis=2))
        # Rows 5 to 208.5 and columns 6 to 174 of the source; the first pixel reaches from 0 to 1.
        assert rim.max(axis=0)[1] == 173
        assert abs(int(rim[rim[:, 1] == 173][:, 0].max()) - 208) <= 1
    assert (key.pixel_array == BOX_COLOUR).all(axis=2).any()
    # The middle slice of the surest box.
    assert source_of(key).ReferencedSOPInstanceUID == found[2]


@pytest.mark.parametrize("task", [classified, detected])
def test_pictures_of_images_without_geometry_have_none(task):
    case = task(make_case(slices=9, change=without_geometry))
    stack, key = encoded(case)
    for picture in (*stack, key):
        assert not any(keyword in picture for keyword in (*GEOMETRY, "PixelSpacing"))
    assert source_of(stack[0]).SpatialLocationsPreserved == "YES"
    assert Gate().check(list(case.encode()), case.study) == {}


def test_pictures_of_frames_name_their_frame():
    case = as_frames(classified(make_case(slices=9, rows=64, columns=80)))
    stack, key = encoded(case)
    assert [source_of(picture).ReferencedFrameNumber for picture in (*stack, key)] == [3, 7, 7]
    heights = [float(picture.ImagePositionPatient[2]) for picture in stack]
    assert heights[1] - heights[0] == pytest.approx(4 * 2.5)


def test_a_colour_source_keeps_its_colours_where_no_heat_is():
    case = classified(make_case(slices=9, rows=217, columns=181, change=as_colour))
    stack, _ = encoded(case)
    plain = slices(case, [2])[0].pixel_array
    free = case.probability[2] < 0.03
    free[:45], free[-45:], free[:, -25:] = False, False, False
    assert free.sum() > 1000
    np.testing.assert_array_equal(stack[0].pixel_array[free], plain[free])
    assert (stack[0].pixel_array[~free] != plain[~free]).any()


def test_a_large_radiograph_is_reduced_and_stays_in_place():
    case = make_case(slices=1, rows=2600, columns=2000, spacing=(0.1, 0.1))
    (picture,), key = encoded(case)
    assert key is None
    assert (picture.Rows, picture.Columns) == (1280, 985)
    assert [float(v) for v in picture.PixelSpacing] == pytest.approx([0.1 * 2600 / 1280, 0.1 * 2000 / 985])
    source = slices(case, [0])[0]
    corners = [
        np.array(ds.ImagePositionPatient, float)
        - 0.5 * float(ds.PixelSpacing[1]) * np.array(ds.ImageOrientationPatient[:3], float)
        - 0.5 * float(ds.PixelSpacing[0]) * np.array(ds.ImageOrientationPatient[3:], float)
        for ds in (picture, source)
    ]
    np.testing.assert_allclose(*corners, atol=1e-4)


@pytest.mark.parametrize(
    "case",
    [
        classified(make_case(slices=9, rows=217, columns=181)),
        classified(make_case(slices=9, change=without_geometry)),
        as_frames(detected(make_case(slices=9))),
        classified(make_case(slices=9, change=as_colour)),
    ],
    ids=["classes", "no geometry", "frames", "colour"],
)
def test_dciodvfy_prints_no_error_on_any_picture(case, run_tool):
    results = [result for result in case.encode() if result.kind is ResultKind.SC]
    for result in (results[0], results[-1]):
        _, lines = run_tool("dciodvfy", result.data)
        assert [line for line in lines.splitlines() if line.startswith("Error")] == []
        assert "SCImage" in lines


@pytest.mark.parametrize("task", [classified, detected])
def test_the_gate_lets_them_through_and_reports_refer_to_them(task):
    case = task(make_case(slices=9, rows=64, columns=80))
    results = case.encode()
    assert Gate().check(list(results), case.study) == {}
    pictures = {result.sop_instance_uid for result in results if result.kind is ResultKind.SC}
    report = [result for result in results if result.kind is ResultKind.SR][-1]
    assert pictures & set(Gate().uids(report))


def test_a_picture_that_lost_its_place_is_held_back():
    case = classified(make_case(slices=9))
    results = list(case.encode())
    index = next(i for i, result in enumerate(results) if result.kind is ResultKind.SC)
    ds = pydicom.dcmread(io.BytesIO(results[index].data))
    for keyword in GEOMETRY:
        delattr(ds, keyword)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    changed = results[index].__class__(
        **{name: getattr(results[index], name) for name in results[index].__slots__ if name != "data"},
        data=buffer.getvalue(),
    )
    results[index] = changed
    problems = Gate().check(results, case.study)
    assert any("FrameOfReferenceUID is missing" in line for line in problems[changed.sop_instance_uid])
