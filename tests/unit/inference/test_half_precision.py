"""Probabilities of 16 bits are those that NumPy makes, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.runner.half_precision import to_half


def _same(values):
    made, expected = to_half(values), values.astype(np.float16)
    assert made.dtype == np.float16
    assert made.shape == values.shape
    np.testing.assert_array_equal(made.view(np.uint16), expected.view(np.uint16))


@given(arrays(np.float32, (2, 3, 4), elements=st.floats(0, 1, width=32)))
def test_any_probability(values):
    _same(values)


@pytest.mark.parametrize("scale", [2**-26, 2**-15, 2**-14, 2**-13, 1, 60000])
def test_numbers_around_the_smallest_ones_and_every_tie(scale):
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    between = (halves[:-1] + halves[1:]) / 2
    near = np.nextafter(between, np.float32(0)), between, np.nextafter(between, np.float32(np.inf))
    _same(np.stack([halves[:-1], *near]))
    _same(np.linspace(0, scale, 10_000, dtype=np.float32).reshape(10, -1))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize(
    "values",
    [
        np.array([[-0.5, 0.5], [1e-6, -1e-6]], np.float32),
        np.array([[np.nan, 1e-6], [np.inf, 70000]], np.float32),
        np.array([[1e-6, 0.3]], np.float64),
        np.zeros((0, 4, 4), np.float32),
        np.array([1e-6, 0.3], np.float32),
        np.full((2, 2), np.inf, np.float32),
        np.asfortranarray(np.linspace(0, 1e-4, 24, dtype=np.float32).reshape(2, 3, 4)),
        np.linspace(0, 1e-4, 48, dtype=np.float32).reshape(2, 4, 6)[:, ::-1, ::2],
    ],
    ids=["negative", "no numbers", "64 bits", "nothing", "a row", "infinite", "Fortran order", "a view"],
)
def test_what_is_no_probability_too(values):
    _same(values)
