"""How well readings match the truth, with intervals that say how much the sample can tell."""

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
    """The agreement of readings with the truth.

    Attributes:
        n: Sample size.
        accuracy: Fraction of words right under the scene-text protocol, `normalize`; as written
            where that leaves nothing of the truth, or every reading without a-z and 0-9 would do.
        exact: Fraction right as written, case and punctuation included.
        ned: Mean of 1 - edit distance / longer length, likewise. More is better.
        cer: Edits per true character, or symbol, as written. Less is better, may exceed 1.
    """

    n: int
    accuracy: Estimate
    exact: Estimate
    ned: Estimate
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


def score(truths: Sequence[str], readings: Sequence[str], charset: Charset | None = None) -> Score:
    """Compare readings with the truth, pair by pair.

    Args:
        truths: What they should be.
        readings: What they are.
        charset: What they are spelt in. If its tokens are whole symbols, such as notes, these are
            what is counted, and nothing is left out of `accuracy`; by default they are characters.

    Raises:
        ValueError: If there are no pairs, or not as many readings as truths.
    """
    if len(truths) != len(readings) or not truths:
        raise ValueError(f"cannot score {len(readings)} readings of {len(truths)} truths")
    n = len(truths)
    texts = list(zip(truths, readings, strict=True))
    pairs: list[tuple[Sequence[str], Sequence[str]]] = list(texts)
    short: list[tuple[Sequence[str], Sequence[str]]]
    if charset is not None and charset.separator:
        short = pairs = [(charset.split(a), charset.split(b)) for a, b in texts]
    else:
        short = [(normalize(a), normalize(b)) if normalize(a) else (a, b) for a, b in texts]
    edits = [edit_distance(a, b) for a, b in pairs]
    likeness = [1 - edit_distance(a, b) / max(len(a), len(b), 1) for a, b in short]
    return Score(
        n=n,
        accuracy=proportion(sum(a == b for a, b in short), n),
        exact=proportion(sum(e == 0 for e in edits), n),
        ned=_ratio(likeness, [1] * n, most=1.0),
        cer=_ratio(edits, [len(truth) for truth, _ in pairs], most=math.inf),
    )


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
