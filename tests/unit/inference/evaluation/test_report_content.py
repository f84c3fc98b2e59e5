"""Content trees of any make: what is read of them, what is not, and that none of them does harm."""

import copy
import io

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from reference_reports import code, container, drawn, drawn_in_space, group, image, number, report, tracked

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.finding import Code
from inference.evaluation.agreement import intraclass_correlation, judge_values
from inference.evaluation.detection import BoxedCase, intersection_over_union, judge_boxes
from inference.evaluation.sr.content import Presence, read_report
from inference.evaluation.sr.units import converted
from inference.preprocess.frames import read_instance

FINDING, NODULE = ("121071", "DCM", "Finding"), ("27925004", "SCT", "Nodule")
NORMAL = ("17621005", "SCT", "Normal")


def findings(*items):
    return [
        (one.finding.value, one.presence)
        for passage in read_report(report(*items)).passages
        for one in passage.said
    ]


def test_findings_are_told_under_findings_and_not_under_history_or_as_advice():
    assert findings(container(("59776-5", "LN", "Findings"), code(FINDING, NODULE))) == [
        ("27925004", Presence.PRESENT)
    ]
    for heading in (("11329-0", "LN"), ("121060", "DCM"), ("18834-2", "LN"), ("18783-1", "LN")):
        inner = container(("59776-5", "LN", "Findings"), code(FINDING, NODULE))
        assert findings(container(heading, inner, code(FINDING, NODULE))) == []
    assert findings(code(("121075", "DCM", "Recommendation"), NODULE)) == []


def test_evaluation_under_any_name_counts_in_groups_only():
    kind = code(("129715009", "SCT", "Kind of lesion"), NODULE)
    assert findings(group(kind)) == [("27925004", Presence.PRESENT)]
    assert findings(container(("59776-5", "LN"), copy.deepcopy(kind))) == []


def test_normal_is_a_finding_only_where_it_is_called_one():
    """The margin of a mass is normal, and the patient is ill."""
    margin = code(("129738000", "SCT", "Margin"), NORMAL)
    normality = code(("121402", "DCM", "Normality"), NORMAL, relation="HAS PROPERTIES")
    assert findings(group(margin, number(("410668003", "SCT"), 3, "mm", normality))) == []
    assert findings(group(code(FINDING, NORMAL))) == [("17621005", Presence.PRESENT)]


def test_modifier_of_a_finding_says_that_it_is_absent():
    gone = code(("705057003", "SCT", "Presence"), ("272519000", "SCT"), relation="HAS CONCEPT MOD")
    assert findings(group(code(FINDING, NODULE, gone))) == [("27925004", Presence.ABSENT)]


def test_group_tells_what_stands_in_containers_below_it_once():
    inner = group(code(FINDING, NODULE), number(("410668003", "SCT"), 3, "mm"))
    passages = read_report(report(group(tracked("1.2"), inner))).passages
    told = [passage for passage in passages if passage.said]
    assert len(told) == 1
    assert (told[0].tracking_uid, len(told[0].numbers)) == ("1.2", 1)


def test_image_that_is_referred_to_by_its_place_in_the_tree_is_found():
    """Comprehensive SR lets coordinates be selected from an image elsewhere in the tree."""
    shape = drawn("CIRCLE", [1, 1, 2, 2], "9.9")
    place = Dataset()
    place.RelationshipType, place.ReferencedContentItemIdentifier = "SELECTED FROM", [1, 1, 1]
    shape.ContentSequence = [place]
    library = container(("111028", "DCM", "Image Library"), image("1.2.3", frame=2))
    (region,) = [
        region
        for passage in read_report(report(library, group(shape))).passages
        for region in passage.regions
    ]
    assert (region.sop_instance_uid, region.frames) == ("1.2.3", (2,))


def test_report_of_another_maker_gives_its_numbers():
    """A Comprehensive SR that DCMTK's authors made, of no template that we write."""
    ds = pydicom.dcmread(get_testdata_file("test-SR.dcm", download=False))
    numbers = [number for passage in read_report(ds).passages for number in passage.numbers]
    assert {(one.name.meaning, one.value, one.unit.value) for one in numbers} == {("Diameter", 3.0, "cm")}
    assert read_report(ds).instances


def test_tree_that_refers_to_itself_or_has_no_floor_is_refused():
    circle = drawn("CIRCLE", [1, 1, 2, 2], "9.9")
    again = Dataset()
    again.RelationshipType, again.ReferencedContentItemIdentifier = "INFERRED FROM", [1, 1, 1]
    circle.ContentSequence = [again, copy.deepcopy(again)]
    with pytest.raises(InferenceFailed, match=r"no end|deeper"):
        read_report(report(group(circle)))
    deep = code(FINDING, NODULE)
    for _ in range(80):
        deep = container(("59776-5", "LN"), deep)
    with pytest.raises(InferenceFailed, match="deeper"):
        read_report(report(deep))


def part10(ds):
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


WHOLE = part10(
    report(
        group(
            tracked("1.2"),
            code(FINDING, NODULE),
            number(("410668003", "SCT"), 3, "mm"),
            drawn("CIRCLE", [1, 1, 2, 2], "9.9", frame=2),
            drawn_in_space("ELLIPSOID", list(range(18)), "1.2.3"),
        ),
        evidence=["9.9"],
    )
)


@settings(max_examples=80, deadline=None)
@given(st.integers(300, len(WHOLE) - 1), st.binary(min_size=1, max_size=4))
def test_broken_report_is_read_as_far_as_it_makes_sense_or_refused(place, damage):
    broken = WHOLE[:place] + damage + WHOLE[place + len(damage) :]
    try:
        read = read_report(read_instance(broken))
    except InferenceFailed:
        return
    for passage in read.passages:
        assert all(np.isfinite(region.points).all() for region in passage.regions)
        assert all(np.isfinite(one.value) for one in passage.numbers)


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "told"),
    [
        (1.5, "cm", "mm", 15.0),
        (1500.0, "mm3", "mL", 1.5),
        (1.5, "cm3", "mL", 1.5),
        (0.25, "1", "%", 25.0),
        (3.0, "{SUVbw}g/ml", "g/mL", 3.0),
        (3.0, "{score}", "1", 3.0),
        (3.0, "mm", "mL", None),
        (3.0, "furlong", "mm", None),
        (3.0, "furlong", "furlong", 3.0),
    ],
)
def test_units_are_converted_where_that_is_exact(value, unit, wanted, told):
    found = converted(value, Code(unit, "UCUM", unit), Code(wanted, "UCUM", wanted))
    assert found == (None if told is None else pytest.approx(told))


def test_units_of_another_scheme_are_others():
    assert converted(1.0, Code("mm", "99X", "mm"), Code("mm", "UCUM", "mm")) is None


def test_agreement_of_values_by_hand():
    pairs = [(10.0, 9.0), (12.0, 9.0), (8.0, 9.0), (20.0, 18.0)]
    figures = judge_values(pairs, [0, 1, 2, 3])
    assert figures["bias"] == 1.25
    assert figures["mean_absolute_error"] == 1.75
    spread = 1.96 * np.std([1.0, 3.0, -1.0, 2.0], ddof=1)
    assert figures["upper"] == pytest.approx(1.25 + spread, abs=1e-4)
    low, high = figures["bias_95"]
    assert low < 1.25 < high
    alone = judge_values([(1.0, 2.0)], [0])
    assert (alone["bias"], alone["bias_95"]) == (-1.0, None)
    assert "lower" not in alone


def test_intraclass_correlation_is_that_of_the_classic_example():
    """Two of the judges of Shrout and Fleiss 1979, worked out by the mean squares of their table."""
    values = np.array([[9.0, 8.0], [6.0, 2.0], [8.0, 8.0], [7.0, 6.0], [10.0, 9.0], [6.0, 7.0]])
    mean, count = values.mean(), 6
    rows = 2 * ((values.mean(1) - mean) ** 2).sum() / 5
    columns = 6 * ((values.mean(0) - mean) ** 2).sum()
    error = (((values - mean) ** 2).sum() - 5 * rows - columns) / 5
    expected = (rows - error) / (rows + error + 2 * (columns - error) / count)
    assert intraclass_correlation(values) == pytest.approx(expected)
    assert intraclass_correlation(np.array([[1.0, 1.0], [2.0, 2.0]])) == pytest.approx(1.0)
    assert np.isnan(intraclass_correlation(np.array([[1.0, 1.0], [1.0, 1.0]])))


def test_overlap_of_boxes_by_hand():
    cube, shifted = (0, 0, 0, 4, 4, 4), (0, 2, 0, 4, 6, 4)
    assert intersection_over_union(cube, shifted) == pytest.approx(1 / 3)
    assert intersection_over_union(cube, (9, 9, 9, 10, 10, 10)) == 0
    # A finding marked on one slice is compared there.
    assert intersection_over_union(cube, (2, 0, 0, 3, 4, 4)) == 1.0
    assert intersection_over_union(cube, (5, 0, 0, 6, 4, 4)) == 0.0


def test_boxes_are_judged_by_hand():
    """Two patients: of three findings two are found; a second box on one and one on nothing are false."""
    one, two, three = (0, 0, 0, 4, 4, 4), (0, 10, 10, 4, 14, 14), (0, 20, 20, 4, 24, 24)
    cases = [
        BoxedCase(0, ((0, 0.9, one), (0, 0.8, (0, 0, 0, 4, 4, 3.9)), (0, 0.3, two)), ((0, one), (0, two))),
        BoxedCase(1, ((0, 0.5, (8, 0, 0, 9, 1, 1)),), ((0, three),)),
        BoxedCase(2, (), ()),
    ]
    figures = judge_boxes(cases, ["Nodule"], overlap=0.5)["Nodule"]
    assert figures["false_negative_rate"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["false_positives_per_study"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["positive_predictive_value"] == 0.5
    assert (figures["findings"], figures["with_findings"], figures["cases"]) == (3, 2, 3)
    third = round(1 / 3, 4)
    assert figures["curve"] == [[0.0, 0.0], [0.0, third], [third, third], [round(2 / 3, 4), third],
                                [round(2 / 3, 4), round(2 / 3, 4)]]  # fmt: skip
    # A third up to half a false box a study, then two thirds.
    assert figures["mean_sensitivity"] == pytest.approx((3 * 1 / 3 + 4 * 2 / 3) / 7, abs=1e-4)


def test_surer_box_takes_the_finding_that_it_overlaps_most():
    left, right = (0, 0, 0, 4, 4, 4), (0, 0, 2, 4, 4, 6)
    cases = [BoxedCase(0, ((0, 0.9, (0, 0, 2, 4, 4, 6)), (0, 0.8, left)), ((0, left), (0, right)))]
    figures = judge_boxes(cases, ["Nodule"], overlap=0.3, resamplings=4)["Nodule"]
    assert (figures["sensitivity"], figures["false_positives_per_study"]) == (1.0, 0.0)
