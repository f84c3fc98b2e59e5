"""What a classifier says of probabilities: thresholds, slices, agreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dicom_node.domain.finding import Code
from inference.contract.outputs import ClassificationOutput, OutputClass
from inference.tasks.verdict import abnormal_probability, decide, summarise

CODE = Code("1", "99TEST", "test")


def output(mode="multi-class", thresholds=(0.5, 0.5, 0.5), **settings):
    names = ("none", "glioma", "meningioma")
    classes = tuple(
        OutputClass(name, name, CODE, name != "none", threshold)
        for name, threshold in zip(names, thresholds, strict=True)
    )
    return ClassificationOutput(mode, classes, **settings)


def test_without_a_threshold_the_likeliest_class_wins_with_its_own_probability():
    verdict = decide(output(), [0.4, 0.35, 0.25])
    assert verdict.present == (True, False, False)
    assert verdict.confidence == pytest.approx(0.4)


def test_abnormal_classes_that_reach_the_threshold_together_win_though_none_is_likeliest():
    verdict = decide(output(abnormal_threshold=0.3), [0.55, 0.15, 0.3])
    assert verdict.said == 2
    assert verdict.confidence == pytest.approx(0.45)


def test_below_the_threshold_the_normal_class_is_said_with_what_is_left():
    verdict = decide(output(abnormal_threshold=0.6), [0.45, 0.5, 0.05])
    assert verdict.said == 0
    assert verdict.confidence == pytest.approx(0.45)


def test_each_label_is_there_by_its_own_threshold():
    verdict = decide(output("multi-label", (0.5, 0.2, 0.9)), [0.1, 0.3, 0.8])
    assert verdict.present == (False, True, False)
    assert (verdict.said, verdict.confidence) == (1, pytest.approx(0.3))


def test_no_label_is_as_sure_as_the_likeliest_of_them_is_absent():
    verdict = decide(output("multi-label"), [0.1, 0.2, 0.05])
    assert verdict.present == (False, False, False)
    assert verdict.confidence == pytest.approx(0.8)


SLICES = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


def test_mean_counts_every_slice_and_their_agreement():
    series = summarise(output(), SLICES)
    np.testing.assert_allclose(series.probability, [0.5, 0.3, 0.2])
    assert series.verdict.said == 0
    assert series.agreement == 0.5


def test_top_k_counts_the_most_abnormal_slices_only():
    series = summarise(output(aggregation="top-k", top_k=2), SLICES)
    np.testing.assert_allclose(series.probability, [0.15, 0.5, 0.35])
    assert series.agreement == 0.5


def test_max_takes_the_most_abnormal_slice_as_it_is():
    series = summarise(output(aggregation="max"), SLICES)
    np.testing.assert_allclose(series.probability, SLICES[2])
    assert series.agreement == 1


def test_labels_take_their_own_slices():
    series = summarise(output("multi-label", aggregation="max"), SLICES)
    np.testing.assert_allclose(series.probability, [0.9, 0.8, 0.6])


def test_how_abnormal_is_the_sum_of_classes_and_the_likeliest_label():
    np.testing.assert_allclose(abnormal_probability(output(), SLICES), [0.1, 0.2, 0.9, 0.8])
    np.testing.assert_allclose(abnormal_probability(output("multi-label"), SLICES), [0.1, 0.1, 0.8, 0.6])


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 9), st.just(3)), elements=st.floats(0.001, 1)),
    st.sampled_from(["multi-class", "multi-label"]),
    st.sampled_from(["mean", "max", "top-k"]),
    st.none() | st.floats(0, 1),
)
def test_a_verdict_is_always_a_probability_and_names_a_class(p, mode, aggregation, threshold):
    p = p / p.sum(axis=1, keepdims=True) if mode == "multi-class" else p
    series = summarise(output(mode, aggregation=aggregation, abnormal_threshold=threshold), p)
    assert 0 <= series.verdict.confidence <= 1
    assert 0 <= series.agreement <= 1
    assert series.verdict.said in range(3)
    if mode == "multi-class":
        assert sum(series.verdict.present) == 1
        assert series.probability.sum() == pytest.approx(1)
