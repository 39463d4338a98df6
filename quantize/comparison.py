"""The result of comparing two models, and whether it is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crnn_edge.errors import CrnnError
from crnn_edge.metrics import Estimate, Score
from crnn_edge.selftest import SelfTestResult
from quantize.paired_test import SIGNIFICANCE, PairedCounts


class VerificationError(CrnnError):
    """A model file that is less accurate than its reference by more than is allowed."""


@dataclass(frozen=True)
class ModelResult:
    """What a comparison measured of one model.

    Attributes:
        name: The name of its file.
        precision: `fp32` or `int8`.
        bytes: Size of its files.
        decoder: The decoder and TTA that its manifest ships, in words.
        score: Accuracy with them.
        greedy: Accuracy of the greedy decoder on the unchanged image alone.
        median_ms: Milliseconds for a crop on one thread.
        selftest: The result of its manifest's self-test; None if the manifest has none.
    """

    name: str
    precision: str
    bytes: int
    decoder: str
    score: Score
    greedy: Score
    median_ms: float
    selftest: SelfTestResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        scores = {"score": self.score.to_dict(), "greedy": self.greedy.to_dict()}
        return {**vars(self), **scores, "selftest": self.selftest.ok if self.selftest else None}


@dataclass(frozen=True)
class Comparison:
    """A candidate against its reference, crop by crop on the same tensors.

    Attributes:
        crops: The name of the validation set.
        n: Its size.
        max_difference: Largest absolute difference between two logits.
        mean_difference: Mean absolute difference between two logits.
        kl_divergence: Mean Kullback-Leibler divergence of the classes of a time step, in nats.
        top1_agreement: Fraction of time steps with the same most probable class.
        text_agreement: Fraction of crops that both read alike with the decoders they ship.
        greedy_text_agreement: The same with the greedy decoder.
        latency_ratio: The candidate's time divided by the reference's, median over crops.
        changes: For `accuracy` and `exact`, which crops only one of the two reads right, with the
            decoders they ship.
        reference: The result of the model that is trusted.
        candidate: The result of the model to verify.
    """

    crops: str
    n: int
    max_difference: float
    mean_difference: float
    kl_divergence: float
    top1_agreement: float
    text_agreement: float
    greedy_text_agreement: float
    latency_ratio: Estimate
    changes: dict[str, PairedCounts]
    reference: ModelResult
    candidate: ModelResult

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        ratio = self.latency_ratio
        return {
            **vars(self),
            "latency_ratio": [round(x, 5) for x in (float(ratio), ratio.low, ratio.high)],
            "changes": {name: counts.to_dict() for name, counts in self.changes.items()},
            "reference": self.reference.to_dict(),
            "candidate": self.candidate.to_dict(),
        }

    def metrics(self) -> dict[str, Any]:
        """For a manifest: no times, so that the same input gives the same file."""

        def scores(result: ModelResult) -> dict[str, Any]:
            return {**result.score.to_dict(), "greedy": result.greedy.to_dict()}

        return {
            "set": self.crops,
            "decoder": self.candidate.decoder,
            **scores(self.candidate),
            "text_agreement": round(self.text_agreement, 5),
            "reference": {"name": self.reference.name, **scores(self.reference)},
        }

    def check_drop(self, max_drop: float, tolerance: float | None) -> None:
        """Refuse a candidate that is worse than its reference.

        Args:
            max_drop: Points of accuracy, and of exact accuracy, that may be lost. A larger loss is
                refused if the crops are enough to show that there is a loss (`SIGNIFICANCE`).
            tolerance: The largest logit difference allowed; None for a quantized candidate.

        Raises:
            VerificationError: With each figure that is out of bounds, and what to do.
        """
        faults = [
            f"{name} falls by {counts.drop_points:.2f} points (allowed: {max_drop:g}; {counts})"
            for name, counts in self.changes.items()
            if counts.drop_points > max_drop and counts.p_value < SIGNIFICANCE
        ]
        if faults and tolerance is None:
            faults[-1] += (
                ". Add --mixed-precision to keep the most sensitive layers in float, or allow more "
                "with --max-drop POINTS"
            )
        if tolerance is None and not self.reference.score.exact + self.reference.score.accuracy:
            faults.append(
                f"reference {self.reference.name} has 0 % accuracy on the validation set: check "
                "the labels, or train longer"
            )
        # Negated, so that NaN is a fault as well.
        if tolerance is not None and not self.max_difference <= tolerance:
            faults.append(f"logits differ by {self.max_difference:.3g} (allowed: {tolerance:g})")
        if faults:
            raise VerificationError(
                f"{self.candidate.name} is not as good as {self.reference.name} on {self.crops} "
                f"(n = {self.n}): {'; '.join(faults)}"
            )

    def unproven_drops(self, max_drop: float) -> list[str]:
        """Losses beyond `max_drop` that too few crops show, each as a sentence."""
        return [
            f"{self.candidate.name}: {name} falls by {counts.drop_points:.2f} points, more than "
            f"{max_drop:g}, but this may be chance ({counts}): add labelled crops to be certain"
            for name, counts in self.changes.items()
            if counts.drop_points > max_drop and counts.p_value >= SIGNIFICANCE
        ]
