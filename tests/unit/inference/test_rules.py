"""Rules on any attribute, exclusions, samples, stops, priorities, and models that need each other."""

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from model_series import mr_slices, study_of
from pydicom.dataset import Dataset

from dicom_node.app.routes import build_routes
from dicom_node.domain.errors import ConfigurationError, StorageFailure
from dicom_node.domain.run import MOST_REASONS
from dicom_node.pipeline.priority import ROUTINE, STAT, priority
from dicom_node.settings import Settings
from inference.registry import ModelRegistry
from inference.routing.attribute_test import read_test
from inference.routing.condition import Condition
from inference.routing.dependencies import find_cycle
from inference.routing.router import Route, Router
from inference.routing.rule import is_sampled

MODEL = "mr-brain-extraction"


@pytest.fixture(scope="module")
def registry():
    manifest = ModelRegistry.load().models[MODEL]

    def model(name, requires=(), **needs):
        identity = replace(manifest.identity, name=name)
        return replace(manifest, identity=identity, requires=requires, input=replace(manifest.input, **needs))

    packages = [
        manifest,
        model("lesion", (MODEL,)),
        model("axial-only", orientations=("axial",)),
        model("fed-by-axial", ("axial-only",)),
        model("hen", ("egg",)),
        model("egg", ("hen",)),
        model("fed-by-nothing", ("not-installed",)),
        model("ct", modalities=("CT",)),
        model("fed-by-ct", ("ct",)),
    ]
    return ModelRegistry({one.name: one for one in packages})


def series(count=24, spacing=(5.0, 1.0, 1.0), directions="axial", **attributes):
    return mr_slices(np.zeros((count, 4, 4), dtype=np.uint16), directions, spacing=spacing, **attributes)


@pytest.fixture
def decide(registry):
    def decided(*routes, of=None, senders=(), key=None):
        study = study_of([ds for one in (of or [series()]) for ds in one])
        study = replace(study, senders=frozenset(senders))
        return Router(registry, routes, sample_key=key).route(study)

    return decided


def rule(name="r", models=(MODEL,), **options):
    return Route(name, models, **options)


def asks(**conditions):
    return rule(when=Condition(**conditions))


def attribute(name, wanted):
    return Condition(attributes=(read_test(name, wanted),))


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({"sequence": ("T1",)}, True),
        ({"sequence": ("T2", "FLAIR")}, False),
        ({"orientation": ("axial",)}, True),
        ({"orientation": ("coronal",)}, False),
        ({"contrast_agent": False}, False),
        ({"contrast_agent": True}, False),
        ({"max_instances": 24}, True),
        ({"max_instances": 23}, False),
        ({"min_instances": 25}, False),
        ({"manufacturer": ("SIEMENS",)}, True),
        ({"manufacturer": ("GE",)}, False),
        ({"source": ("ORTHANC",)}, True),
        ({"source": ("dimse",)}, True),
        ({"source": ("stow", "upload")}, False),
        ({"kernel": ("soft",)}, False),
        ({"view": ("PA",)}, False),
        ({"laterality": ("L",)}, False),
        ({"body_part": ("69536005",)}, True),
        ({"body_part": ("BRAIN",)}, False),
    ],
)
def test_each_condition_holds_or_not_and_what_is_unknown_never_does(decide, conditions, fits):
    decision = decide(
        asks(**conditions), of=[series(Manufacturer="Siemens HealthCare")], senders=["dimse:ORTHANC"]
    )
    assert bool(decision.assignments) is fits
    (told,) = [reason for reason in decision.reasons if reason.rule == "route.r"]
    assert told.passed is fits


@pytest.mark.parametrize(
    ("name", "wanted", "fits"),
    [
        ("SeriesDescription", "MPRAGE", True),
        ("SeriesDescription", "^t1.*sag$", True),
        ("SeriesDescription", "flair", False),
        ("0008103E", "t1", True),
        ("(0008,103e)", ["t1_mprage_SAG ", "other"], True),
        ("SeriesDescription", ["t1"], False),
        ("EchoTime", {"at_least": 2, "at_most": 3}, True),
        ("EchoTime", {"at_least": 3}, False),
        ("EchoTime", 2.5, True),
        ("SeriesDescription", {"at_least": 3}, False),
        ("ContrastBolusAgent", {"exists": False}, True),
        ("ContrastBolusAgent", "Gd", False),
        ("EchoTime", {"exists": True}, True),
        ("ImageType", ["PRIMARY"], True),
        ("ImageType", {"matches": "^M$", "one_of": ["m"]}, True),
        ("RequestAttributesSequence.ScheduledProcedureStepDescription", "kopf", True),
        ("RequestAttributesSequence.ScheduledProcedureStepID", {"exists": True}, False),
        ("PatientName", "M.ster", True),
    ],
)
def test_any_attribute_can_be_asked_for(decide, name, wanted, fits):
    item = Dataset()
    item.ScheduledProcedureStepDescription = "MRT Kopf"
    slices = series(
        SeriesDescription="t1_mprage_sag", RequestAttributesSequence=[item], PatientName="Muster^Erika"
    )
    decision = decide(rule(when=attribute(name, wanted)), of=[slices])
    assert bool(decision.assignments) is fits
    (told,) = [reason for reason in decision.reasons if reason.rule == "route.r"]
    assert told.text.endswith(f"in {24 if fits else 0} of 24 images")


def test_no_reason_repeats_what_a_sender_wrote(decide):
    slices = series(SeriesDescription="Muster Erika", PatientName="Muster^Erika", Manufacturer="Erika Inc")
    route = rule(when=attribute("SeriesDescription", "x"), unless=(attribute("PatientName", "e"),))
    decision = decide(route, asks(manufacturer=("GE",)), of=[slices])
    assert not [reason for reason in decision.reasons if "rika" in reason.text]


def test_an_attribute_holds_where_more_than_half_of_the_images_pass(decide):
    slices = series()
    for ds in slices[:12]:
        ds.SeriesDescription = "other"
    route = rule(when=attribute("SeriesDescription", "other"))
    assert not decide(route, of=[slices]).assignments
    slices[12].SeriesDescription = "other"
    assert decide(route, of=[slices]).assignments


@pytest.mark.parametrize(
    ("unless", "fits"),
    [
        ((Condition(orientation=("axial",)),), False),
        ((Condition(orientation=("coronal",)),), True),
        ((Condition(orientation=("axial",), modality=("CT",)),), True),
        ((Condition(modality=("CT",)), Condition(sequence=("T1",))), False),
    ],
)
def test_what_one_exclusion_fits_is_left_out(decide, unless, fits):
    assert bool(decide(rule(unless=unless)).assignments) is fits


def test_all_series_or_the_best(decide):
    two = [series(), series(spacing=(3.0, 1.0, 1.0), count=40)]
    assert len(decide(rule(), of=two).assignments) == 1
    assert len(decide(rule(every_series=True), of=two).assignments) == 2


def test_a_series_that_a_stopping_rule_fits_goes_to_no_later_rule(decide):
    sagittal, axial = series(directions="sagittal"), series()
    first = Route("first", ("lesion",), Condition(orientation=("sagittal",)), stop=True)
    decision = decide(first, Route("second", (MODEL,), every_series=True), of=[sagittal, axial])
    by_route = {(a.route, a.series_instance_uid) for a in decision.assignments if a.route == "second"}
    assert by_route == {("second", axial[0].SeriesInstanceUID)}


def test_a_sample_is_the_same_each_time_and_of_its_size():
    route = rule(sample=0.25)
    studies = [f"2.25.{number}" for number in range(2000)]
    taken = [uid for uid in studies if is_sampled(route, uid, b"key")]
    assert taken == [uid for uid in studies if is_sampled(route, uid, b"key")]
    assert 400 < len(taken) < 600
    assert taken != [uid for uid in studies if is_sampled(route, uid, b"other key")]


def test_a_study_outside_of_the_sample_is_left_to_other_rules_and_told_so(decide):
    sampled = rule(sample=1e-9)
    decision = decide(sampled, key=b"key")
    assert (
        decision.rejection
        == "no route: the study is not in the rule's sample (a sample of 1e-09 of all studies)"
    )
    assert decide(sampled, rule("other"), key=b"key").assignments
    dry = decide(sampled)
    assert dry.assignments
    assert any("a dry run takes every one" in reason.text for reason in dry.reasons)


def test_what_a_model_needs_runs_before_it_on_the_same_series(decide):
    slices = series()
    decision = decide(rule(models=("lesion",)), of=[slices])
    assert [a.model for a in decision.assignments] == [MODEL, "lesion"]
    assert {a.series_instance_uid for a in decision.assignments} == {slices[0].SeriesInstanceUID}
    assert decision.assignments[1].needs == (MODEL,)


def test_what_a_model_needs_runs_on_another_series_where_it_does_not_take_the_same(decide):
    sagittal, axial = series(directions="sagittal"), series()
    route = Route("r", ("fed-by-axial",), Condition(orientation=("sagittal",)))
    decision = decide(route, of=[sagittal, axial])
    assert [(a.model, a.series_instance_uid) for a in decision.assignments] == [
        ("axial-only", axial[0].SeriesInstanceUID),
        ("fed-by-axial", sagittal[0].SeriesInstanceUID),
    ]
    assert any("another series of the study" in reason.text for reason in decision.reasons)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("fed-by-nothing", "needs a result of not-installed: no model package is called not-installed"),
        ("fed-by-ct", "needs a result of ct: no series of the study fits it (modality MR, wanted: CT)"),
        ("hen", "models need each other in a circle: hen -> egg -> hen"),
    ],
)
def test_a_model_whose_needs_cannot_be_met_is_not_assigned(decide, model, why):
    decision = decide(rule(models=(model,)), of=[series(), series(count=30)])
    assert decision.assignments == ()
    assert why in decision.rejection
    assert "fits better" not in decision.rejection


def test_circles_of_models_are_found(registry):
    assert find_cycle(registry, "egg") == ("egg", "hen", "egg")
    assert find_cycle(registry, "lesion") is None


def test_a_rejection_names_no_more_than_the_first_reasons(decide):
    routes = [Route(f"r{n}", (MODEL,), Condition(min_instances=100 + n)) for n in range(20)]
    assert decide(*routes).rejection.count(";") == MOST_REASONS


def routes_of(registry, **route):
    settings = Settings.model_validate({"routes": [{"name": "r", "models": MODEL, **route}]})
    return build_routes(settings, registry)


def test_rules_are_read_from_settings(registry):
    (route,) = routes_of(
        registry,
        when={"modality": "mr", "sequence": "t1", "attributes": {"EchoTime": {"at_most": 5}}},
        unless={"orientation": "oblique"},
        series="all",
        stop=True,
        sample=0.5,
        priority="stat",
    )
    assert (route.when.modality, route.when.sequence) == (("MR",), ("T1",))
    assert route.unless == (Condition(orientation=("oblique",)),)
    assert (route.every_series, route.stop, route.sample, route.stat) == (True, True, 0.5, True)
    assert route.when.attributes[0].asked == "Echo Time is at most 5"


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ({"models": "nothing"}, "route r: no model nothing (known: "),
        ({"models": "hen"}, "models need each other in a circle"),
        ({"when": {"body_part": "ELBOWS OF FROGS"}}, "no body part ELBOWS OF FROGS"),
        ({"when": {"sop_class": "MR"}}, "MR is no SOP Class UID"),
        ({"when": {"sequence": "T9"}}, "no sequence T9; known: T1, T1CE"),
        ({"when": {"view": "UPSIDE"}}, "no view UPSIDE"),
        ({"when": {"manufacturer": "ACME"}}, "no manufacturer ACME"),
        ({"when": {"min_instances": 9, "max_instances": 3}}, "min_instances is larger"),
        ({"when": {"attributes": {"Sereis": "x"}}}, "Sereis is no attribute: write its keyword"),
        ({"when": {"attributes": {"EchoTime": "("}}}, "is no regular expression"),
        ({"when": {"attributes": {"EchoTime": {"at_lest": 3}}}}, "give some of at_least"),
        ({"when": {"attributes": {"EchoTime": {"at_least": "3"}}}}, "at_least is a number"),
        ({"when": {"attributes": {"EchoTime": {"at_least": 3, "at_most": 2}}}}, "at_least is larger"),
        ({"when": {"attributes": {"EchoTime": {"exists": 1}}}}, "exists is true or false"),
        ({"when": {"attributes": {"EchoTime": {"one_of": []}}}}, "one_of is a list"),
        ({"when": {"attributes": {"EchoTime": {}}}}, "give some of"),
        ({"when": {"attributes": {"EchoTime": None}}}, "give some of"),
        ({"unless": {}}, "unless: give a condition"),
    ],
)
def test_a_rule_that_means_nothing_stops_the_start_with_what_to_write(registry, route, told):
    with pytest.raises(ConfigurationError) as raised:
        routes_of(registry, **route)
    assert told in str(raised.value)


STROKE = Route("stroke", (MODEL,), attribute("StudyDescription", "stroke"), stat=True)


class Spooled:
    """As much of the services as deciding the priority takes."""

    def __init__(self, router, datasets, source="dimse:ER"):
        self.router = router
        self.stores = self
        self.index = self
        self._study = study_of(datasets)
        self._source = source

    def sources(self, study_id, version):
        return [
            SimpleNamespace(
                series_instance_uid=e.series_instance_uid, spool_ref=e.sop_instance_uid, source=self._source
            )
            for e in self._study.instances
        ]

    def open(self, ref):
        return io.BytesIO(self._study.read(ref))


@pytest.mark.parametrize(
    ("attributes", "routes", "first"),
    [
        ({"RequestedProcedurePriority": "STAT"}, (), True),
        ({"RequestedProcedurePriority": "HIGH"}, (), True),
        ({"RequestedProcedurePriority": "ROUTINE"}, (), False),
        ({}, (), False),
        ({"StudyDescription": "Stroke alarm"}, (STROKE,), True),
        ({"StudyDescription": "Stroke alarm"}, (replace(STROKE, stat=False),), False),
        ({"StudyDescription": "knee"}, (STROKE,), False),
        ({}, (rule(when=Condition(source=("ER",), min_instances=2), stat=True),), True),
        ({}, (rule(unless=(Condition(source=("ER",)),), stat=True),), False),
    ],
)  # fmt: skip
def test_a_study_goes_first_by_its_own_priority_or_by_a_rule(registry, attributes, routes, first):
    services = Spooled(Router(registry, routes), series(count=3, **attributes))
    assert priority(services, "study", 1) == (STAT if first else ROUTINE)


def test_the_priority_of_the_request_counts_in_its_sequence_too(registry):
    item = Dataset()
    item.RequestedProcedurePriority = "STAT"
    services = Spooled(Router(registry, ()), series(count=2, RequestAttributesSequence=[item]))
    assert priority(services, "study", 1) == STAT


def test_a_study_whose_headers_cannot_be_read_waits_like_others(registry, monkeypatch):
    services = Spooled(Router(registry, ()), series(count=1))
    monkeypatch.setattr(services, "open", lambda _ref: io.BytesIO(b"no DICOM"))
    assert priority(services, "study", 1) == ROUTINE

    def fails(_ref):
        raise StorageFailure("the disk does not answer")

    monkeypatch.setattr(services, "open", fails)
    assert priority(services, "study", 1) == ROUTINE
