"""Accuracy of predictions against labels, each figure with its 95 % confidence interval."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crnn_edge.charset import Charset

Z = 1.959964  # the normal quantile of a two-sided 95 % interval


class Estimate(float):
    """A fraction measured on a sample, with the bounds of its 95 % interval.

    It is a float, so it computes, compares and prints as one.

    Attributes:
        low: Lower bound.
        high: Upper bound.
    """

    low: float
    high: float

    def __new__(cls, value: float, low: float, high: float) -> Estimate:
        """Make one; the bounds are not checked."""
        estimate = super().__new__(cls, value)
        estimate.low, estimate.high = low, high
        return estimate

    def __getnewargs__(self) -> tuple[float, float, float]:  # type: ignore[override]
        """Let it be copied and pickled."""
        return float(self), self.low, self.high

    def __str__(self) -> str:
        """The value and its interval."""
        return f"{float(self):.4f} [{self.low:.4f}, {self.high:.4f}]"

    __repr__ = __str__


@dataclass(frozen=True)
class Score:
    """The accuracy of predictions against labels.

    Attributes:
        n: Sample size.
        accuracy: Fraction of words right under the scene-text protocol (`normalize`). A label of
            which `normalize` leaves nothing is compared as written.
        exact: Fraction right as written, case and punctuation included.
        one_minus_ned: Mean of 1 - edit distance / longer length, compared as for `accuracy`. More
            is better.
        cer: Character error rate: edits per character (or symbol) of the labels, as written. Less
            is better; may exceed 1.
    """

    n: int
    accuracy: Estimate
    exact: Estimate
    one_minus_ned: Estimate
    cer: Estimate

    def to_dict(self) -> dict[str, Any]:
        """For JSON and manifests: each figure as `[value, low, high]`."""
        figures = {k: v for k, v in vars(self).items() if isinstance(v, Estimate)}
        return {"n": self.n} | {
            name: [round(x, 5) for x in (float(v), v.low, v.high)] for name, v in figures.items()
        }


def normalize(text: str) -> str:
    """A text as the scene-text protocol compares it: lower-case, only `[a-z0-9]`."""
    return re.sub("[^a-z0-9]", "", text.lower())


Pair = tuple[Sequence[str], Sequence[str]]


def score(
    labels: Sequence[str], predictions: Sequence[str], charset: Charset | None = None
) -> Score:
    """Compare predictions with labels, pair by pair.

    Args:
        labels: The expected texts.
        predictions: The texts that were read.
        charset: If its tokens are whole symbols, such as notes, symbols are counted instead of
            characters, and `accuracy` ignores none of them.

    Raises:
        ValueError: If there are no pairs, or the two differ in length.
    """
    written, normalized = _pairs(labels, predictions, charset)
    n = len(written)
    edits = [edit_distance(a, b) for a, b in written]
    likeness = [1 - edit_distance(a, b) / max(len(a), len(b), 1) for a, b in normalized]
    return Score(
        n=n,
        accuracy=proportion(sum(a == b for a, b in normalized), n),
        exact=proportion(sum(e == 0 for e in edits), n),
        one_minus_ned=_ratio(likeness, [1] * n, most=1.0),
        cer=_ratio(edits, [len(label) for label, _ in written], most=math.inf),
    )


def correct(
    labels: Sequence[str], predictions: Sequence[str], charset: Charset | None = None
) -> dict[str, list[bool]]:
    """Which predictions are right, as `accuracy` and as `exact` of `score` count them.

    Raises:
        ValueError: As `score` does.
    """
    written, normalized = _pairs(labels, predictions, charset)
    return {
        "accuracy": [a == b for a, b in normalized],
        "exact": [a == b for a, b in written],
    }


def _pairs(
    labels: Sequence[str], predictions: Sequence[str], charset: Charset | None
) -> tuple[list[Pair], list[Pair]]:
    """Labels and predictions as written, and as the scene-text protocol compares them."""
    if len(labels) != len(predictions) or not labels:
        raise ValueError(f"cannot score {len(predictions)} predictions for {len(labels)} labels")
    texts = list(zip(labels, predictions, strict=True))
    if charset is not None and charset.separator:
        symbols: list[Pair] = [(charset.split(a), charset.split(b)) for a, b in texts]
        return symbols, symbols
    normalized = [(normalize(a), normalize(b)) if normalize(a) else (a, b) for a, b in texts]
    return list(texts), list(normalized)


def proportion(successes: float, n: int) -> Estimate:
    """A fraction with Wilson's interval, which is honest near 0 and 1 (Wilson 1927)."""
    p = successes / n
    center = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return Estimate(p, max(0.0, min(p, center - half)), min(1.0, max(p, center + half)))


def _ratio(parts: Sequence[float], wholes: Sequence[int], most: float) -> Estimate:
    """Sum of parts over sum of wholes, with the ratio estimator's normal interval.

    Where all parts are alike, that would be no interval at all; so it is Wilson's, as if each text
    were right or wholly wrong.
    """
    n, whole = len(parts), max(sum(wholes), 1)
    value = math.fsum(parts) / whole
    spread = math.fsum((a - value * b) ** 2 for a, b in zip(parts, wholes, strict=True))
    if spread < 1e-12:  # nothing but rounding
        widest = proportion(min(value, 1.0) * n, n)
        return Estimate(value, min(value, widest.low), max(value, widest.high))
    half = Z * math.sqrt(spread * n / max(n - 1, 1)) / whole
    return Estimate(value, max(0.0, value - half), min(most, value + half))


def edit_distance(a: Sequence[object], b: Sequence[object]) -> int:
    """The least insertions, deletions and substitutions that turn `a` into `b` (Levenshtein)."""
    if a == b:
        return 0
    row = list(range(len(b) + 1))
    for i, item in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            cost = diagonal + (item != other)
            diagonal = row[j]
            row[j] = min(cost, diagonal + 1, row[j - 1] + 1)
    return row[-1]
