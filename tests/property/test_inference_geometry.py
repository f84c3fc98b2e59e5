"""Any stack of slices: the order, the affine and the way back."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from model_series import mr_slices, study_of

from dicom_node.domain.run import RoutingDecision
from inference.preprocess.frames import Frame
from inference.preprocess.geometry import plane_of, stack_planes
from inference.preprocess.orientation import closest_axes
from inference.registry import ModelRegistry
from inference.routing.condition import Condition
from inference.routing.router import Route, Router

AXES = [np.array(v, dtype=float) for v in itertools.chain(np.eye(3), -np.eye(3))]
DIRECTIONS = [
    [*row, *column] for row, column in itertools.permutations(AXES, 2) if abs(float(row @ column)) < 0.5
]
REGISTRY = ModelRegistry.load()
PHANTOM = np.arange(4 * 3 * 5, dtype=np.uint16).reshape(4, 3, 5)


@settings(deadline=None)  # the machine may be busy
@given(
    cosines=st.sampled_from(DIRECTIONS),
    order=st.permutations(range(4)),
    spacing=st.tuples(*(st.floats(0.3, 8) for _ in range(3))),
    origin=st.tuples(*(st.floats(-500, 500) for _ in range(3))),
)
def test_slices_in_any_direction_and_order_are_found_and_mapped_back(cosines, order, spacing, origin):
    slices = mr_slices(PHANTOM, spacing=tuple(round(s, 4) for s in spacing))
    normal = np.cross(cosines[:3], cosines[3:])
    for index, ds in enumerate(slices):
        ds.ImageOrientationPatient = cosines
        ds.ImagePositionPatient = [
            round(float(x), 6) for x in np.array(origin) + index * round(spacing[0], 4) * normal
        ]
    arrived = [slices[i] for i in order]
    stack = stack_planes([plane_of(Frame(ds)) for ds in arrived])
    assert [arrived[i].SOPInstanceUID for i in stack.order] == [ds.SOPInstanceUID for ds in slices]
    axes = closest_axes(stack.affine)
    turned = axes.turned(PHANTOM)
    np.testing.assert_array_equal(axes.turned_back(turned), PHANTOM)
    # On the model's axes, one step along each leads right, anterior and superior.
    indices = np.stack([axes.turned(grid) for grid in np.indices(PHANTOM.shape)], axis=-1)
    for axis, direction in enumerate((-1, -1, 1)):
        one, other = [0, 0, 0], [0, 0, 0]
        other[axis] = 1
        step = stack.affine[:3, :3] @ (indices[tuple(other)] - indices[tuple(one)])
        assert int(np.argmax(np.abs(step))) == axis
        assert np.sign(step[axis]) == direction


_VALUES = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.floats(),
    st.integers(),
    st.dictionaries(st.text(max_size=2), st.none()),
)
_TAGS = st.sampled_from(
    ["00080008", "00080060", "00082218", "00101010", "00180015", "00180020", "00180081", "00180082",
     "00181314", "00200032", "00200037", "00280008", "00280030", "00080070"]
)  # fmt: skip
_ELEMENT = st.one_of(
    _VALUES,
    st.fixed_dictionaries({"vr": st.just("CS"), "Value": st.one_of(_VALUES, st.lists(_VALUES, max_size=7))}),
)


@settings(deadline=None)  # the machine may be busy
@given(odd=st.lists(st.dictionaries(_TAGS, _ELEMENT, max_size=6), min_size=1, max_size=3))
def test_the_router_decides_on_any_attributes_and_never_raises(odd):
    study = study_of(mr_slices(PHANTOM[: len(odd)]))
    for entry, attributes in zip(study.instances, odd, strict=True):
        entry.attributes.update(attributes)
    routes = (Route("r", ("mr-brain-extraction",), Condition(modality=("MR",), body_part=("HEAD",))),)
    decision = Router(REGISTRY, routes).route(study)
    assert isinstance(decision, RoutingDecision)
    assert decision.assignments == ()
    assert decision.rejection.startswith("no route: ")
