"""Whether two models differ in accuracy, from the crops that only one of them reads right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SIGNIFICANCE = 0.05
"""A loss is shown if chance alone would give as large a one less often than this."""


@dataclass(frozen=True)
class PairedCounts:
    """How many crops are read right by only one of two models.

    Attributes:
        n: The number of crops.
        lost: Crops that only the reference reads right.
        gained: Crops that only the candidate reads right.
    """

    n: int
    lost: int
    gained: int

    @classmethod
    def count(cls, reference: Sequence[bool], candidate: Sequence[bool]) -> PairedCounts:
        """Count pairs.

        Args:
            reference: Whether the reference reads each crop right.
            candidate: Whether the candidate does.
        """
        pairs = list(zip(reference, candidate, strict=True))
        lost = sum(before and not after for before, after in pairs)
        return cls(len(pairs), lost, sum(after and not before for before, after in pairs))

    @property
    def drop_points(self) -> float:
        """By how many points the candidate is less accurate."""
        return 100 * (self.lost - self.gained) / self.n

    @property
    def p_value(self) -> float:
        """The probability that as many crops are lost by chance, if the models are equally good.

        McNemar's test in its exact, one-sided form: of the crops that the two read differently,
        each is then lost or gained with equal probability.
        """
        total = self.lost + self.gained
        as_many = sum(math.comb(total, k) for k in range(self.lost, total + 1))
        return as_many / (1 << total)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"lost": self.lost, "gained": self.gained, "p": round(self.p_value, 5)}

    def __str__(self) -> str:
        """For messages: `3 of 40 crops lost, 1 gained, p = 0.31`."""
        return f"{self.lost} of {self.n} crops lost, {self.gained} gained, p = {self.p_value:.2g}"
