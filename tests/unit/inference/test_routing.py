"""Which model works on which series, and the reasons that are recorded."""

import numpy as np
import pytest
from model_series import mr_slices, study_of
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedMRColorImageStorage, SecondaryCaptureImageStorage

from inference.registry import ModelRegistry
from inference.routing.body_part import BodyPartTable
from inference.routing.condition import Condition
from inference.routing.explain import explain
from inference.routing.router import Route, Router

BRAIN = Route("mr-brain", ("mr-brain-extraction",), Condition(modality=("MR",), body_part=("BRAIN", "HEAD")))
MODEL = "mr-brain-extraction"
#: pydicom warns where a test writes what a site must not, but does.
ODD_VALUES = pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
NOT_TAKEN = "the images' SOP Class is not one that the model takes"


@pytest.fixture(scope="module")
def registry():
    return ModelRegistry.load()


@pytest.fixture
def decide(registry):
    def decided(*series, routes=(BRAIN,)):
        study = study_of([ds for one in series for ds in one])
        return Router(registry, routes).route(study)

    return decided


def series(count=24, spacing=(5.0, 1.0, 1.0), directions="axial", **attributes):
    return mr_slices(np.zeros((count, 4, 4), dtype=np.uint16), directions, spacing=spacing, **attributes)


def refusals(decision):
    return [reason.text for reason in decision.reasons if not reason.passed]


def test_a_t1_head_goes_to_the_model_of_the_rule(decide):
    slices = series()
    decision = decide(slices)
    (assignment,) = decision.assignments
    assert assignment.model == MODEL
    assert assignment.model_version == "1.0.2"
    assert assignment.series_instance_uid == slices[0].SeriesInstanceUID
    assert assignment.route == "mr-brain"
    assert decision.rejection is None
    assert decision.modalities == ("MR",)
    assert decision.body_part == "HEAD"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Modality": "CT", "SOPClassUID": CTImageStorage}, "modality CT, wanted: MR"),
        ({"BodyPartExamined": "KNEE"}, "body part KNEE (from Body Part Examined), wanted: BRAIN or HEAD"),
        ({"BodyPartExamined": ""}, "body part unknown, wanted: BRAIN or HEAD"),
        ({"SOPClassUID": EnhancedMRColorImageStorage}, NOT_TAKEN),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, NOT_TAKEN),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "the series is no scan: it is a localiser"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "the series is no scan: its images are secondary ones"),
        ({"Manufacturer": "DICOM Node"}, "the series is no scan: it is a result of this node"),
        ({"NumberOfFrames": 3}, "the images are multi-frame"),
        ({"EchoTime": "95", "InversionTime": None, "ScanningSequence": "SE", "SequenceVariant": "SK"},
         "weighting T2 by the images' physics, wanted: T1"),
        ({"PatientAge": "007Y"}, "the patient is not 18 years or older"),
        ({"PatientAge": "020M"}, "the patient is not 18 years or older"),
    ],
)  # fmt: skip
def test_a_study_that_no_model_fits_is_rejected_with_its_reason(decide, attributes, reason):
    decision = decide(series(**attributes))
    assert decision.assignments == ()
    assert refusals(decision) == [reason]
    assert decision.rejection == f"no route: {reason}"


def test_too_few_slices_are_rejected(decide):
    assert refusals(decide(series(count=5))) == ["5 images, at least 20 are needed"]


def test_slices_too_far_apart_are_rejected(decide):
    (reason,) = refusals(decide(series(spacing=(9.0, 1.0, 1.0))))
    assert reason == "spacing 1.00 mm in the image and 9.00 mm between, allowed: 0.2 to 7 mm"


def test_images_without_geometry_are_rejected(decide):
    slices = series()
    for ds in slices:
        del ds.ImagePositionPatient
    assert refusals(decide(slices)) == ["the images have no geometry (position, orientation, spacing)"]


def test_an_age_that_is_not_told_is_recorded_and_lets_pass(decide):
    decision = decide(series(PatientAge=None))
    assert decision.assignments
    assert any("age unknown" in reason.text for reason in decision.reasons)


def test_of_several_series_the_best_is_chosen_and_the_choice_recorded(decide):
    localizer = series(count=24, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    thick = series(spacing=(5.0, 1.0, 1.0))
    thin = series(spacing=(1.0, 1.0, 1.0), count=120)
    t2 = series(
        spacing=(1.0, 1.0, 1.0),
        count=200,
        ScanningSequence="SE",
        SequenceVariant="SK",
        EchoTime="100",
        InversionTime=None,
    )
    silent = series(spacing=(0.5, 1.0, 1.0), count=300, ScanningSequence="RM", InversionTime=None)
    decision = decide(localizer, thick, t2, silent, thin)
    (assignment,) = decision.assignments
    assert assignment.series_instance_uid == thin[0].SeriesInstanceUID
    choices = {r.subject: r.passed for r in decision.reasons if r.rule.startswith("choice.")}
    assert choices == {
        thin[0].SeriesInstanceUID: True,
        thick[0].SeriesInstanceUID: False,
        silent[0].SeriesInstanceUID: False,
    }


def test_a_series_without_contrast_agent_is_preferred(decide):
    with_agent = series(spacing=(1.0, 1.0, 1.0), count=120, ContrastBolusAgent="Gd")
    without = series(spacing=(3.0, 1.0, 1.0), count=40)
    (assignment,) = decide(with_agent, without).assignments
    assert assignment.series_instance_uid == without[0].SeriesInstanceUID


def test_two_rules_that_choose_the_same_run_it_once(decide):
    again = Route("again", (MODEL,), Condition(modality=("MR",)))
    assert len(decide(series(), routes=(BRAIN, again)).assignments) == 1


def test_a_rule_that_names_a_model_that_is_not_there_says_so(decide):
    decision = decide(series(), routes=(Route("r", ("nothing",)),))
    assert "no model package is called nothing" in decision.rejection


def test_a_rule_may_ask_for_sop_class_and_number_of_instances(decide):
    wants_ct = Route("ct", (MODEL,), Condition(sop_class=(CTImageStorage,)))
    assert "not one that the rule names" in decide(series(), routes=(wants_ct,)).rejection
    wants_many = Route("many", (MODEL,), Condition(min_instances=100))
    assert decide(series(), routes=(wants_many,)).rejection == "no route: 24 images, at least 100 are needed"


def test_without_rules_nothing_is_assigned(decide):
    assert decide(series(), routes=()).rejection == "no route: no rule matched"


@ODD_VALUES
def test_a_modality_that_is_no_defined_term_is_not_repeated(decide):
    decision = decide(series(Modality="MUSTER^ERIKA"))
    assert decision.rejection == "no route: modality unknown, wanted: MR"


def test_the_decision_is_explained_for_people(decide):
    text = explain(decide(series(), series(BodyPartExamined="KNEE")))
    assert "NO   route.mr-brain: body part KNEE" in text
    assert "-> mr-brain-extraction 1.0.2 on " in text
    assert "-> no model: no route: modality CT" in explain(decide(series(Modality="CT")))


@ODD_VALUES
@pytest.mark.parametrize(
    ("attributes", "term"),
    [
        ({"BodyPartExamined": "BRAIN"}, "BRAIN"),
        ({"BodyPartExamined": "Head "}, "HEAD"),
        ({"BodyPartExamined": "KOPF"}, "HEAD"),
        ({"BodyPartExamined": "Schädel"}, "BRAIN"),
        ({"BodyPartExamined": "BRAIN W/O"}, "BRAIN"),
        ({"BodyPartExamined": "TO BE DEFINED", "ProtocolName": "t1_mprage_brain"}, "BRAIN"),
        ({"BodyPartExamined": "", "SeriesDescription": "Tête 3D"}, "HEAD"),
        ({"BodyPartExamined": "", "StudyDescription": "MR femoral head left"}, "HIP"),
        ({"BodyPartExamined": "", "StudyDescription": "MR Kniegelenk"}, "KNEE"),
        ({"BodyPartExamined": "LSPINE", "StudyDescription": "MR Head"}, "LSPINE"),
    ],
)
def test_body_parts_are_found_where_sites_write_them(decide, attributes, term):
    assert decide(series(**attributes)).body_part == term


def test_the_anatomic_region_sequence_tells_the_body_part(decide):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "12738006", "SCT", "Brain"
    decision = decide(series(BodyPartExamined=None, AnatomicRegionSequence=[item]))
    assert decision.body_part == "BRAIN"


def test_a_part_lies_in_the_parts_around_it():
    table = BodyPartTable()
    assert table.lies_in("PITUITARY", "HEAD")
    assert not table.lies_in("HEAD", "BRAIN")
    assert not table.lies_in("NECK", "HEAD")
    assert table.named("69536005").term == "HEAD"
    assert table.named("anything") is None
