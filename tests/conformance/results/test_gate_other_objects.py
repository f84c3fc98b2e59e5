"""The output gate knows maps, structure sets, presentation states, key objects and label maps too."""

import pytest
from predicted_tasks import make_task
from spoilt_results import OWN_RULES, spoil

from dicom_node.domain.result import ResultKind
from inference.encode.choice import ResultChoice
from inference.encode.gate import Gate

EVERYTHING = ResultChoice(pdf=False, probability_map=True, labelmap=True, rtstruct=True, gsps=True, kos=True)


@pytest.fixture(scope="module")
def everything():
    case = make_task("segmentation", rows=37, columns=29)
    return case, case.encode(choice=EVERYTHING)


def _set(**values):
    def change(ds):
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


def _contour(ds):
    return ds.ROIContourSequence[0].ContourSequence[0]


def _drop_point(ds):
    _contour(ds).ContourData = _contour(ds).ContourData[3:]


def _open_contour(ds):
    _contour(ds).ContourGeometricType = "OPEN_PLANAR"


def _drop_observation(ds):
    ds.RTROIObservationsSequence[0].ReferencedROINumber = 9


def _rename_layer(ds):
    ds.GraphicAnnotationSequence[0].GraphicLayer = "OTHER"


def _hide_image(ds):
    del ds.ReferencedSeriesSequence[0].ReferencedImageSequence[2:]


def _leave_image(ds):
    graphic = ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    graphic.GraphicData = [500.0, *list(graphic.GraphicData)[1:]]


def _drop_evidence(ds):
    del ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]


def _reverse_frames(ds):
    frames = list(ds.PerFrameFunctionalGroupsSequence)
    ds.PerFrameFunctionalGroupsSequence = frames[::-1]


def _drop_mapping(ds):
    del ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence


def _cut_matrix(ds):
    ds.Rows = ds.Rows - 1


def _not_a_number(ds):
    ds.FloatPixelData = b"\0\0\xc0\x7f" + ds.FloatPixelData[4:]


@pytest.mark.parametrize(
    ("kind", "index", "change", "problem"),
    [
        (ResultKind.RTSTRUCT, 0, _drop_point, "does not have the points"),
        (ResultKind.RTSTRUCT, 0, _open_contour, "not CLOSED_PLANAR"),
        (ResultKind.RTSTRUCT, 0, _drop_observation, "RTROIObservationsSequence"),
        (ResultKind.RTSTRUCT, 0, _set(FrameOfReferenceUID="1.2.3"), "FrameOfReferenceUID"),
        (ResultKind.PR, 0, _rename_layer, "layer that is not described"),
        (ResultKind.PR, 0, _hide_image, "does not show"),
        (ResultKind.PR, 0, _leave_image, "beyond the image"),
        (ResultKind.KOS, 0, _drop_evidence, "does not list just what is selected"),
        (ResultKind.KOS, 0, _set(Modality="SR"), "Modality"),
        (ResultKind.PMAP, 0, _reverse_frames, "do not ascend"),
        (ResultKind.PMAP, 0, _drop_mapping, "RealWorldValueMappingSequence"),
        (ResultKind.PMAP, 0, _cut_matrix, "length of its frames"),
        (ResultKind.PMAP, 0, _not_a_number, "is no number"),
        (ResultKind.SEG, 1, _set(SegmentationType="BINARY"), "does not fit"),
    ],
)
def test_broken_object_is_held_back_with_the_reason(everything, kind, index, change, problem):
    case, results = everything
    spoilt, uid = spoil(results, kind, change, index)
    held_back = Gate(OWN_RULES).check(spoilt, case.study)
    assert any(problem in text for text in held_back[uid])


def test_good_objects_of_every_kind_pass_both_opinions(everything):
    case, results = everything
    assert {result.kind for result in results} == set(ResultKind) - {ResultKind.PDF}
    assert Gate().check(results, case.study) == {}


def test_what_refers_to_an_object_that_is_held_back_is_held_back_too_and_the_rest_goes_on(everything):
    case, results = everything
    spoilt, uid = spoil(results, ResultKind.PMAP, _drop_mapping)
    held_back = Gate(OWN_RULES).check(spoilt, case.study)
    kinds = {result.sop_instance_uid: result.kind for result in results}
    alone = {kinds[one] for one in held_back if one != uid}
    assert alone == {ResultKind.KOS, ResultKind.SR}
    assert all("refers to a result that is kept back" in held_back[one][0] for one in held_back if one != uid)
    assert ResultKind.SEG not in alone
    assert ResultKind.SC not in alone
