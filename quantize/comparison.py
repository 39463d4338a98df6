"""What a comparison of two model files found out, and whether that is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crnn_edge.errors import CrnnError
from crnn_edge.metrics import Estimate, Score
from crnn_edge.selftest import SelfTestResult

_ROUNDING = 1e-9  # points: 14 % less 13 % is a little more than one point


class VerificationError(CrnnError):
    """A file that reads worse than its reference by more than the margin."""


@dataclass(frozen=True)
class Side:
    """What a comparison found out about one contender.

    Attributes:
        name: Its file.
        precision: `fp32` or `int8`.
        bytes: Size of its files.
        score: How well it reads.
        median_ms: Milliseconds a crop on one thread.
        selftest: How its manifest's self-test went; None if there is none in it.
    """

    name: str
    precision: str
    bytes: int
    score: Score
    median_ms: float
    selftest: SelfTestResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """The side for programs."""
        selftest = self.selftest.ok if self.selftest else None
        return {**vars(self), "score": self.score.to_dict(), "selftest": selftest}


@dataclass(frozen=True)
class Comparison:
    """A candidate against its reference, crop by crop on the same tensors.

    Attributes:
        crops: The labelled set's name.
        n: Its size.
        max_difference: Largest absolute difference between two logits.
        mean_difference: Mean absolute difference between two logits.
        divergence: Mean Kullback-Leibler divergence of a time step's classes, in nats.
        same_steps: Share of time steps whose best class is the same, 0 to 1.
        same_text: Share of crops that both read alike, 0 to 1.
        ratio: The candidate's time as a multiple of the reference's, median over crops.
        reference: What the candidate should be as good as.
        candidate: The file in question.
    """

    crops: str
    n: int
    max_difference: float
    mean_difference: float
    divergence: float
    same_steps: float
    same_text: float
    ratio: Estimate
    reference: Side
    candidate: Side

    def to_dict(self) -> dict[str, Any]:
        """The comparison for programs."""
        ratio = [round(x, 5) for x in (float(self.ratio), self.ratio.low, self.ratio.high)]
        sides = {"reference": self.reference.to_dict(), "candidate": self.candidate.to_dict()}
        return {**vars(self), **sides, "ratio": ratio}

    def metrics(self) -> dict[str, Any]:
        """What a manifest keeps: no timings, so that the same input gives the same file."""
        reference = {"name": self.reference.name, **self.reference.score.to_dict()}
        return {
            "set": self.crops,
            **self.candidate.score.to_dict(),
            "same_text": round(self.same_text, 5),
            "reference": reference,
        }

    def demand(self, margin_points: float, tolerance: float | None) -> None:
        """Pass in silence, or say what is wrong.

        Args:
            margin_points: Points of accuracy, lower-cased or exact, that may be lost.
            tolerance: Largest logit difference allowed; None where rounding is the purpose.

        Raises:
            VerificationError: If more is lost, with every figure beyond its bound.
        """
        faults = []
        for name in ("accuracy", "exact"):
            lost = 100 * (getattr(self.reference.score, name) - getattr(self.candidate.score, name))
            if lost > margin_points + _ROUNDING:
                faults.append(f"{name} falls by {lost:.2f} points (margin: {margin_points:g})")
        if tolerance is None and not self.reference.score.exact + self.reference.score.accuracy:
            faults.append(
                f"{self.reference.name} itself reads none of them as they are labelled, so they "
                "cannot judge: look at the labels, or train longer"
            )
        # Negated, so that a NaN is a fault as well.
        if tolerance is not None and not self.max_difference <= tolerance:
            faults.append(f"logits differ by {self.max_difference:.3g} (bound: {tolerance:g})")
        if faults:
            raise VerificationError(
                f"{self.candidate.name} is not as good as {self.reference.name} on {self.crops} "
                f"(n = {self.n}): {'; '.join(faults)}"
            )
