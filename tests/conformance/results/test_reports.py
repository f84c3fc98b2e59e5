"""SR: TID 1500 that viewers can draw, and a report that people can read (CONFORMANCE.md §4, OHIF.md)."""

import io
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from predicted_series import make_case, pack, pick

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.finding import Code, Measurement
from dicom_node.domain.result import ResultKind


def items(parent):
    for item in parent.get("ContentSequence", ()):
        yield item
        yield from items(item)


def named(parent, code):
    return [
        i
        for i in items(parent)
        if i.get("ConceptNameCodeSequence") and i.ConceptNameCodeSequence[0].CodeValue == code
    ]


def only(parent, code):
    (item,) = named(parent, code)
    return item


def test_volumetric_and_planar_group_share_a_tracking_uid_that_the_segment_has(datasets):
    groups = named(datasets["measurements"], "125007")
    assert [g.ContentTemplateSequence[0].TemplateIdentifier for g in groups] == ["1411", "1410"]
    uids = {only(group, "112040").UID for group in groups}
    assert uids == {datasets["segmentation"].SegmentSequence[0].TrackingUID}


def test_volume_stands_on_the_group_that_refers_to_the_segment(datasets, case):
    group = named(datasets["measurements"], "125007")[0]
    value = only(group, "118565006").MeasuredValueSequence[0]
    assert float(value.NumericValue) == case.prediction.measurements[0].value
    assert value.MeasurementUnitsCodeSequence[0].CodeValue == "mL"
    reference = only(group, "121191").ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == datasets["segmentation"].SOPInstanceUID
    assert reference.ReferencedSegmentNumber == 1


def test_outline_is_a_closed_polyline_around_the_largest_slice(datasets, case):
    region = only(named(datasets["measurements"], "125007")[1], "111030")
    assert region.GraphicType == "POLYLINE"
    largest = int(case.mask.sum(axis=(1, 2)).argmax())
    image = region.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == case.prediction.source_sop_instance_uids[largest]
    points = np.array(region.GraphicData).reshape(-1, 2)
    np.testing.assert_array_equal(points[0], points[-1])
    rows, columns = np.nonzero(case.mask[largest])
    np.testing.assert_allclose(points.min(axis=0), [columns.min(), rows.min()], atol=1)
    np.testing.assert_allclose(points.max(axis=0), [columns.max() + 1, rows.max() + 1], atol=1)


def test_algorithm_is_identified_on_each_group_not_on_its_numbers(datasets):
    for group in named(datasets["measurements"], "125007"):
        direct = [i.ConceptNameCodeSequence[0].CodeValue for i in group.ContentSequence]
        assert {"111001", "111003", "111000"} <= set(direct)
        for number in (i for i in group.ContentSequence if i.ValueType == "NUM"):
            assert not named(number, "111001")


def test_finding_site_is_told_of_numbers_and_not_of_groups_where_ohif_draws_its_code(datasets):
    for group in named(datasets["measurements"], "125007"):
        assert "363698007" not in [i.ConceptNameCodeSequence[0].CodeValue for i in group.ContentSequence]
        for number in (i for i in group.ContentSequence if i.ValueType == "NUM"):
            assert only(number, "363698007").ConceptCodeSequence[0].CodeMeaning == "Brain"
    assert only(datasets["report"], "363698007").ConceptCodeSequence[0].CodeMeaning == "Brain"


def test_no_container_is_continuous(datasets):
    for name in ("measurements", "report"):
        root = datasets[name]
        containers = [root, *(item for item in items(root) if item.ValueType == "CONTAINER")]
        assert {container.ContinuityOfContent for container in containers} == {"SEPARATE"}


def test_full_report_says_all_that_was_found(datasets, case):
    ds = datasets["report"]
    text = " ".join(item.TextValue for item in items(ds) if item.ValueType == "TEXT")
    for part in (
        "Research use only. Not for diagnosis.",
        "Confidence: 97.4 %",
        "mr-brain-extraction 1.0.2",
        "Trained on adult heads",
        "Passed: modality. The series is MR.",
        "2.3 s",
    ):
        assert part in text
    referenced = {
        i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for i in items(ds)
        if i.ValueType in ("IMAGE", "COMPOSITE")
    }
    pictures = {picture.SOPInstanceUID for picture in datasets["pictures"]}
    assert {datasets["measurements"].SOPInstanceUID, datasets["segmentation"].SOPInstanceUID} <= referenced
    assert referenced & pictures


def test_observer_equals_contributing_equipment_in_every_object(datasets):
    for ds in (
        datasets["measurements"],
        datasets["report"],
        datasets["segmentation"],
        datasets["pictures"][0],
    ):
        (device,) = ds.ContributingEquipmentSequence
        assert device.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert device.SoftwareVersions == "1.0.2"
        equipment = (device.DeviceUID, device.Manufacturer, device.ManufacturerModelName)
        assert equipment == ("2.25.11223344556677889900", "deepbet", "mr-brain-extraction")
        if ds.Modality == "SR":
            observer = (only(ds, "121012").UID, only(ds, "121014").TextValue, only(ds, "121015").TextValue)
            assert observer == equipment


def test_measurement_of_the_whole_series_gets_a_frame_that_can_be_drawn():
    thickness = Measurement(
        Code("112225", "DCM", "CT Slice Thickness"), 2.5, Code("mm", "UCUM", "millimeter")
    )
    case = make_case()
    results = case.encode(measurements=(*case.prediction.measurements, thickness))
    ds = pydicom.dcmread(io.BytesIO(pick(results, ResultKind.SR).data))
    group = named(ds, "125007")[-1]
    (number,) = named(group, "112225")
    assert number.ContentSequence[0].ValueType == "SCOORD"
    assert number.ContentSequence[0].RelationshipType == "INFERRED FROM"
    assert len(named(ds, "118565006")) == 1


def test_prediction_without_segments_gives_reports_and_pictures():
    case = make_case()
    results = case.encode(
        segments=(), measurements=(), label="normal", arrays=pack(np.zeros_like(case.mask), case.probability)
    )
    assert [result.kind.value for result in results[:3]] == ["SR", "SR", "SC"]
    ds = pydicom.dcmread(io.BytesIO(pick(results, ResultKind.SR).data))
    (certainty,) = named(ds, "111012")
    assert certainty.ContentSequence[0].ValueType == "SCOORD"


def test_prediction_that_says_nothing_is_an_error():
    case = make_case()
    arrays = pack(np.zeros_like(case.mask), case.probability)
    with pytest.raises(EncodingFailed, match="no segment, measurement or confidence"):
        case.encode(segments=(), measurements=(), confidence=None, arrays=arrays)


def test_two_segments_have_two_pairs_of_groups_and_two_sets_of_frames():
    case = make_case(7, 33, 29)
    mask = case.mask.copy()
    mask[:, :12][mask[:, :12] > 0] = 2
    first = case.prediction.segments[0]
    second = replace(first, number=2, label="Upper part", measurements=())
    results = case.encode(segments=(first, second), arrays=pack(mask, case.probability))
    report, seg = (
        pydicom.dcmread(io.BytesIO(pick(results, kind).data)) for kind in (ResultKind.SR, ResultKind.SEG)
    )
    assert len(named(report, "125007")) == 4
    frames = seg.pixel_array
    numbers = [
        f.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for f in seg.PerFrameFunctionalGroupsSequence
    ]
    for number in (1, 2):
        drawn = sum(int(frames[i].sum()) for i, n in enumerate(numbers) if n == number)
        assert drawn == np.count_nonzero(mask == number)
