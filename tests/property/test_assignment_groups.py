"""Assignments by model: nothing is lost or doubled, needs come first, order is kept."""

from hypothesis import given
from hypothesis import strategies as st

from dicom_node.domain.run import Assignment, by_model

#: Each model needs some of those before it, as the router orders them.
MODELS = ("a", "b", "c", "d")


@st.composite
def decisions(draw):
    needs = {
        name: draw(st.lists(st.sampled_from(MODELS[:number]), unique=True)) if number else []
        for number, name in enumerate(MODELS)
    }
    chosen = draw(
        st.lists(st.tuples(st.sampled_from(MODELS), st.integers(1, 4)), unique=True, min_size=1, max_size=12)
    )
    return [Assignment(name, "1", f"1.{series}", "r", tuple(needs[name])) for name, series in chosen]


@given(decisions())
def test_groups_hold_each_assignment_once_in_its_order_behind_what_it_needs(assignments):
    groups = by_model(assignments)
    names = [group[0].model for group in groups]
    assert len(set(names)) == len(names)
    for name, group in zip(names, groups, strict=True):
        assert list(group) == [one for one in assignments if one.model == name]
    there = set(names)
    for place, group in enumerate(groups):
        assert there & set(group[0].needs) <= set(names[:place])
    assert sum(len(group) for group in groups) == len(assignments)


def test_models_that_need_each_other_are_not_waited_for_without_end():
    circle = [Assignment("a", "1", "1", "r", ("b",)), Assignment("b", "1", "1", "r", ("a",))]
    assert by_model(circle) == ((circle[0],), (circle[1],))
