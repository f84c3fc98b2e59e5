import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from inference.training.augmentation import Augmentation, augment
from inference.training.calibration import (
    Judgement,
    area_under_curve,
    calibration_error,
    fit_temperature,
    threshold_for,
)

RNG = np.random.default_rng(8)


def drawn(temperature, count=4000):
    """Logits whose true probabilities are those at `temperature`."""
    logits = RNG.normal(0, 3, (count, 3))
    shares = softmax(logits / temperature, axis=1).cumsum(axis=1)
    labels = (RNG.random((count, 1)) > shares).sum(axis=1)
    return logits, np.minimum(labels, 2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_the_labels_were_drawn_with_is_found(temperature):
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.15)
    assert calibration_error(softmax(logits / found, axis=1), labels) < 0.03


def test_too_sure_a_network_has_a_large_calibration_error():
    logits, labels = drawn(4.0)
    assert calibration_error(softmax(logits, axis=1), labels) > 0.2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_area_under_the_curve_is_the_share_of_pairs_in_order(pairs):
    scores = np.array([score for score, _ in pairs], dtype=float)
    positive = np.array([side for _, side in pairs])
    area = area_under_curve(scores, positive)
    if positive.all() or not positive.any():
        assert np.isnan(area)
        return
    wins = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert area == pytest.approx(np.mean(wins))


def test_the_threshold_finds_the_share_that_was_asked_for_and_is_the_highest_such():
    scores = np.linspace(0.05, 0.95, 91)
    positive = np.ones(91, dtype=bool)
    threshold = threshold_for(scores, positive, 0.9)
    assert (scores >= threshold).mean() >= 0.9
    assert (scores >= threshold + 0.011).mean() < 0.9


def test_figures_count_what_was_missed():
    logits = np.array([[4.0, 0.0], [0.0, 4.0], [3.0, 0.0], [0.0, 2.0]])
    figures = Judgement(logits, np.array([0, 1, 1, 0]), np.arange(4), (1,)).figures()
    assert figures["false_negative_rate"] == 0.5
    assert figures["false_positive_rate"] == 0.5
    assert figures["accuracy"] == 0.5
    assert figures["confusion"] == [[1, 1], [1, 1]]
    assert figures["auc_95"][0] <= figures["auc"] <= figures["auc_95"][1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.tuples(st.integers(16, 90), st.integers(16, 90)))
def test_changed_images_stay_images_and_the_seed_decides(seed, shape):
    image = np.random.default_rng(seed).random(shape, dtype=np.float32)
    how = Augmentation(flip_rows=0.5, quarter_turn=0.5, black_level=0.5, invert=0.3, marker=0.9, border=0.9)
    one, other = (augment(image, how, np.random.default_rng((seed, 1))) for _ in range(2))
    assert (one == other).all()
    assert one.ndim == 2
    assert min(one.shape) >= 8
    assert one.dtype == np.float32
    assert 0 <= one.min() <= one.max() <= 1


def test_no_change_leaves_the_image():
    image = RNG.random((30, 40), dtype=np.float32)
    none = Augmentation(1.0, 0, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    np.testing.assert_allclose(augment(image, none, RNG), image, atol=1e-5)
