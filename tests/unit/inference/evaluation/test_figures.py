"""Figures of an evaluation against those that a person works out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.evaluation.agreement import agreement
from inference.evaluation.classification import ClassifiedCases, average_precision, judge, roc
from inference.evaluation.overlap import compare, summarise
from inference.training.intervals import interval


def cases(score, positive, groups=None, threshold=0.5):
    score = np.asarray(score, float)
    return ClassifiedCases(
        classes=("normal", "abnormal"),
        probability=np.stack([1 - score, score], axis=1),
        labels=np.asarray(positive, int),
        groups=np.arange(len(score)) if groups is None else np.asarray(groups),
        abnormal=(1,),
        threshold=threshold,
    )


def test_binary_figures_are_those_of_the_four_counts():
    # By hand: 3 of 5 abnormal found, 1 of 4 normal called abnormal.
    judged = judge(cases([0.9, 0.8, 0.7, 0.4, 0.2, 0.6, 0.3, 0.2, 0.1], [1, 1, 1, 1, 1, 0, 0, 0, 0]))
    binary = judged["binary"]
    assert next(iter(judged)) == "binary"
    assert next(iter(binary)) == "false_negative_rate"
    assert binary["counts"] == {
        "true_positive": 3, "false_negative": 2, "false_positive": 1, "true_negative": 3
    }  # fmt: skip
    assert binary["false_negative_rate"] == 0.4
    assert binary["sensitivity"] == 0.6
    assert binary["specificity"] == 0.75
    assert binary["positive_predictive_value"] == 0.75
    assert binary["negative_predictive_value"] == 0.6
    assert binary["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 2), abs=1e-4)
    # Pairs: 0.9, 0.8, 0.7 beat all 4; 0.4 beats 3; 0.2 beats 1 and ties 1.
    assert binary["auc"] == pytest.approx((12 + 3 + 1.5) / 20, abs=1e-4)
    assert judged["confusion"] == [[3, 1], [2, 3]]
    assert judged["small"]


def test_threshold_of_the_package_decides_not_one_half():
    judged = judge(cases([0.35, 0.2], [1, 0], threshold=0.3))["binary"]
    assert (judged["sensitivity"], judged["specificity"], judged["threshold"]) == (1.0, 1.0, 0.3)


def test_average_precision_of_a_hand_ranked_list():
    # Ranked: hit, miss, hit -> 1/2 * 1 + 1/2 * 2/3.
    assert average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])) == pytest.approx(5 / 6)


def test_figures_without_a_meaning_are_null_and_none_is_nan():
    judged = judge(cases([0.9, 0.8], [1, 1]))
    assert judged["binary"]["specificity"] is None
    assert judged["binary"]["auc"] is None
    assert judge(cases([], [])) == {"cases": 0}


def test_calibration_of_a_model_that_is_always_sure_and_half_right():
    judged = judge(cases([1.0, 1.0, 1.0, 1.0], [1, 1, 0, 0]))["calibration"]
    assert judged["expected_calibration_error"] == 0.5
    assert judged["brier"] == 1.0
    assert judged["bins"] == [{"confidence": 1.0, "accuracy": 0.5, "cases": 4}]


def test_interval_draws_patients_not_images():
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(20) < 0.7, 10).astype(float)
    patients = np.repeat(np.arange(20), 10)
    low, high = interval(lambda chosen: float(right[chosen].mean()), patients)
    alone = interval(lambda chosen: float(right[chosen].mean()), np.arange(200))
    assert high - low > 2 * (alone[1] - alone[0])
    assert interval(lambda chosen: 1.0, np.zeros(5, int)) is None


@given(
    arrays.arrays(float, 12, elements=st.floats(0, 1)),
    arrays.arrays(bool, 12),
    st.permutations(list(range(12))),
)
def test_figures_stay_in_bounds_and_do_not_depend_on_the_order(score, positive, order):
    before = judge(cases(score, positive), resamplings=4)
    after = judge(cases(score[order], positive[order]), resamplings=4)
    for name in ("sensitivity", "specificity", "auc", "average_precision"):
        assert before["binary"][name] == after["binary"][name]
        assert before["binary"][name] is None or 0 <= before["binary"][name] <= 1
    points = np.array(roc(score, positive))
    assert (np.diff(points[:, :2], axis=0) >= 0).all()


def test_overlap_of_two_squares():
    found, reference = np.zeros((2, 20, 20), bool), np.zeros((2, 20, 20), bool)
    reference[:, 5:10, 5:10] = True
    found[:, 5:10, 7:12] = True
    figures = compare(found, reference, [3.0, 1.0, 2.0])
    assert figures["dice"] == pytest.approx(0.6)
    assert figures["iou"] == pytest.approx(30 / 70)
    # Two columns of 2 mm apart.
    assert figures["hausdorff_mm"] == pytest.approx(4.0)
    assert figures["volume_ml"] == pytest.approx(50 * 6 / 1000)


def test_masks_that_are_both_empty_agree_and_have_no_distance():
    empty = np.zeros((4, 4), bool)
    full = ~empty
    assert compare(empty, empty, [1, 1])["dice"] == 1.0
    one = compare(empty, full, [1, 1])
    assert (one["dice"], one["hausdorff_mm"]) == (0.0, None)
    assert summarise([one])["hausdorff_mm"] is None


def test_limits_of_agreement_by_hand():
    told = agreement([(10.0, 9.0), (12.0, 9.0)])
    assert told["bias"] == 2.0
    assert told["upper"] == pytest.approx(2.0 + 1.96 * np.sqrt(2.0))
