"""The constants of full-integer TFLite graphs: ranges of states, and biases."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.formats.tflite.full_integer import symmetric, weights
from quantize.formats.tflite.graph import scale_and_zero


class Constants:
    """A graph that keeps nothing but constants."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, np.ndarray, np.ndarray]] = []

    def constant(self, name: str, values: np.ndarray, scale: np.ndarray) -> int:
        self.kept.append((name, values, scale))
        return len(self.kept) - 1


@pytest.mark.parametrize("over", [(-3.0, 2.0), (-1.0, 3.0), (0.0, 3.0), (-3.0, 3.0)])
def test_a_symmetric_range_has_0_in_the_middle_and_its_larger_end_as_a_level(over) -> None:
    low, high = symmetric(over)
    scale, zero = scale_and_zero((low, high))
    assert zero == 0
    assert 127 * scale == pytest.approx(high) == 3
    assert -128 * scale == pytest.approx(low)


def test_a_symmetric_range_has_zero_point_0_whatever_its_size() -> None:
    for size in np.random.default_rng(0).uniform(1e-3, 1e3, 2000):
        assert scale_and_zero(symmetric((-size, size)))[1] == 0


def test_biases_are_counted_in_units_of_input_times_weight() -> None:
    graph = Constants()
    weight = np.array([[1.27, -0.5], [0.254, 0.0]], np.float32)
    places = weights(graph, weight, np.array([0.5, -0.25], np.float32), 1, (-1.28, 1.27))
    (_, values, scale), (_, bias, unit) = (graph.kept[place] for place in places)
    assert values.tolist() == [[127, -50], [127, 0]]  # of 0.01 and 0.002 each
    np.testing.assert_allclose(scale, [0.01, 0.002], rtol=1e-6)
    np.testing.assert_allclose(unit, [1e-4, 2e-5], rtol=1e-6)  # the input's levels are 0.01 apart
    assert (bias.dtype, bias.tolist()) == (np.int32, [5000, -12500])


def test_a_bias_beyond_32_bits_is_the_largest_there_is_and_keeps_its_sign() -> None:
    graph = Constants()
    weight = np.full((3, 2), 1e-6, np.float32)
    weights(graph, weight, np.array([1e6, -1e6, 1e-9], np.float32), 0, (-1.0, 1.0))
    bias = graph.kept[1][1].astype(np.int64)
    assert bias[0] == -bias[1]
    assert 2**31 - 256 <= bias[0] < 2**31
    assert 0 < bias[2] < 100
