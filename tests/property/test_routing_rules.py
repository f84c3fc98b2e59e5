"""Rules on anything that a sender may write, and anything that an operator may ask."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_series import mr_slices, study_of
from numpy import uint16, zeros

from dicom_node.domain.run import RoutingDecision
from inference.contrast_agent import contrast_agent
from inference.ct_kernel import KERNELS, ct_kernel
from inference.mr_sequence import mr_sequence
from inference.projection import VIEWS, laterality, views
from inference.registry import ModelRegistry
from inference.routing.attribute_test import read_test
from inference.routing.body_part import BodyPartTable
from inference.routing.condition import Condition
from inference.routing.explain import explain
from inference.routing.router import Route, Router
from inference.routing.rule import is_sampled
from inference.routing.series import describe, group_series

TABLE = BodyPartTable()
REGISTRY = ModelRegistry.load()
_VALUES = st.recursive(
    st.one_of(st.none(), st.text(max_size=12), st.floats(), st.integers(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Value", "vr", "00080100", "Alphabetic"]), inner, max_size=3),
    ),
    max_leaves=4,
)
_TAGS = st.sampled_from(
    ["00080008", "00080060", "00080070", "0008103E", "00082218", "00089209", "00180010", "00180012",
     "00180015", "00180020", "00180081", "00180082", "00181030", "00181041", "00181210", "00185101",
     "00189087", "00200020", "00200032", "00200037", "00200062", "00280002", "00280008", "00280030",
     "00321060", "00400275", "00401003", "00540220", "52009229", "52009230"]
)  # fmt: skip
_WORDS = st.lists(
    st.sampled_from(
        ["T1", "T2*", "FLAIR", "post", "KM", "ohne", "Thorax", "Abdomen", "w/o", "C+", "DWI", "b1000",
         "Schädel", "MIP", "B30f", "LUNG", "links", "PA", "scout", "(", "\\", "\0",
         "ß"]
    ),
    max_size=5,
).map(" ".join)  # fmt: skip
_ELEMENT = st.one_of(
    _VALUES,
    st.fixed_dictionaries(
        {"vr": st.just("LO"), "Value": st.one_of(_VALUES, st.lists(st.one_of(_VALUES, _WORDS), max_size=4))}
    ),
)
_ATTRIBUTES = st.dictionaries(_TAGS, _ELEMENT, max_size=8)


@settings(deadline=None)  # the machine may be busy
@given(attributes=_ATTRIBUTES)
def test_facts_of_any_attributes_are_known_values_or_unknown(attributes):
    kernel = ct_kernel(attributes)
    assert kernel is None or kernel.kind in KERNELS
    assert views(attributes) <= set(VIEWS)
    assert laterality(attributes) in {None, "L", "R", "B"}
    assert contrast_agent(attributes).given in {None, True, False}
    mr_sequence(attributes, agent=True)
    found = TABLE.find(attributes)
    assert found is None or TABLE.named(found.sct).term == found.term


@settings(deadline=None, max_examples=25)
@given(odd=st.lists(_ATTRIBUTES, min_size=1, max_size=3), modality=st.sampled_from(["MR", "CT", "DX", "SR"]))
def test_any_study_is_routed_and_explained(odd, modality):
    study = study_of(mr_slices(zeros((len(odd), 2, 2), uint16), Modality=modality))
    for entry, attributes in zip(study.instances, odd, strict=True):
        entry.attributes.update(attributes)
    every = Condition(
        modality=("MR", "CT"), body_part=("HEAD",), sequence=("T1",), kernel=("soft",), view=("PA",),
        laterality=("L",), contrast_agent=True, min_instances=2, orientation=("axial",),
        attributes=(read_test("SeriesDescription", "."), read_test("EchoTime", {"at_least": 1})),
    )  # fmt: skip
    routes = (
        Route("every", ("mr-brain-extraction",), every, unless=(every,)),
        Route("any", ("mr-brain-extraction",)),
    )
    router = Router(REGISTRY, routes)
    decision = router.route(study)
    assert isinstance(decision, RoutingDecision)
    assert explain(decision).endswith(decision.rejection or decision.assignments[-1].route + ")")
    assert router.would_be_stat(study) in {True, False}
    assert all(describe(series) for series in group_series(study.instances, TABLE))


@settings(deadline=None)
@given(
    name=st.one_of(st.text(max_size=20), st.sampled_from(["EchoTime", "00080060", "PatientName"])),
    wanted=_VALUES,
    attributes=_ATTRIBUTES,
)
def test_whatever_an_operator_asks_is_understood_or_refused_with_words(name, wanted, attributes):
    try:
        test = read_test(name, wanted)
    except ValueError:
        return
    assert test.holds(attributes) in {True, False}
    assert test.asked


@given(study=st.text(max_size=64), share=st.floats(0.001, 0.999), key=st.binary(max_size=8))
def test_a_larger_sample_takes_all_of_a_smaller_one(study, share, key):
    small, large = (Route("r", ("m",), sample=size) for size in (share / 2, share))
    assert is_sampled(large, study, key) or not is_sampled(small, study, key)
    assert is_sampled(Route("r", ("m",)), study, key)


@pytest.mark.parametrize("part", TABLE.terms())
def test_every_part_is_found_by_its_term_and_all_its_codes(part):
    found = TABLE.named(part)
    assert found.term == part
    assert all(TABLE.named(code).term == part for code in (found.sct, *found.also))
