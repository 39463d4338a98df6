"""Statistics of durations: medians, never means, and ratios with an interval.

A single interruption by another program would dominate a mean. Ratios are taken round by round,
under the same load on both sides, so a busy minute cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crnn_edge.metrics import Estimate

_RESAMPLES = 2000
_SLOWER = 1.05  # smaller changes are not reported
_BLOCK = 1 << 16  # values drawn at a time; bounds memory, however many reads there were
_FEWEST = 6  # values; the extremes of six enclose the median 95 times of 100


def median(values: Sequence[float]) -> Estimate:
    """The median and its 95 % interval by resampling (bootstrap, fixed seed).

    Of fewer than six values there is no such interval: its bounds are then not a number.
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < _FEWEST:
        return Estimate(float(np.median(sample)), math.nan, math.nan)
    rng, medians = np.random.default_rng(0), np.empty(_RESAMPLES)
    step = max(1, _BLOCK // len(sample))
    for first in range(0, _RESAMPLES, step):
        block = medians[first : first + step]
        drawn = rng.integers(len(sample), size=(len(block), len(sample)))
        np.median(sample[drawn], axis=1, out=block, overwrite_input=True)
    low, high = np.percentile(medians, (2.5, 97.5))
    return Estimate(float(np.median(sample)), float(low), float(high))


def ratio(values: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """The ratio to the baseline: the median over rounds.

    Raises:
        ValueError: If they were not measured in the same rounds.
    """
    if len(values) != len(baseline):
        raise ValueError(f"{len(values)} rounds cannot be compared with {len(baseline)}")
    return median(np.divide(values, baseline).tolist())


def as_list(value: Estimate | None) -> list[float | None] | None:
    """An estimate as values for JSON: `[value, low, high]`."""
    if value is None:
        return None
    bounds = (None if math.isnan(x) else round(x, 5) for x in (value.low, value.high))
    return [round(float(value), 5), *bounds]


def from_list(value: Sequence[float | None] | None) -> Estimate | None:
    """The inverse of `as_list`."""
    if value is None:
        return None
    return Estimate(*(math.nan if x is None else x for x in value))


def verdict(before: Sequence[float | None], now: Sequence[float | None]) -> str:
    """`slower` or `faster` if the intervals do not overlap and it is over 5 %, else `the same`."""
    a, b = from_list(before), from_list(now)
    assert a is not None
    assert b is not None
    if b.low > a.high and b > a * _SLOWER:
        return "slower"
    if b.high < a.low and a > b * _SLOWER:
        return "faster"
    return "the same"
