"""Is this file as good as that one? Two backends, the same labelled crops, a table, a verdict.

Conversion and quantisation both end here, and neither leaves a file that did not pass.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantize.calibration import Crops
from runtime.backends import Backend, model_size, open_backend
from runtime.decoders import make_decoder
from runtime.errors import CrnnError
from runtime.manifest import Manifest
from runtime.metrics import Score, score
from runtime.recognizer import log_softmax
from runtime.selftest import selftest_classes

MARGIN_POINTS = 1.0
"""Points of accuracy that a file may lose against its reference."""

TOLERANCE = 1e-3
"""The largest logit difference that float rounding can explain."""


class VerificationError(CrnnError):
    """A file that reads worse than its reference by more than the margin."""


@dataclass(frozen=True)
class Contender:
    """One of the two in a comparison: what to call it, how to run it, what its file weighs."""

    name: str
    backend: Backend
    bytes: int

    @classmethod
    def open(cls, path: Path) -> Contender:
        """A model file on one thread."""
        return cls(path.name, open_backend(path, threads=1), model_size(path))


@dataclass(frozen=True)
class Side:
    """What a comparison found out about one contender."""

    name: str
    precision: str
    bytes: int
    score: Score
    median_ms: float


@dataclass(frozen=True)
class Comparison:
    """A candidate against its reference, crop by crop on the same tensors.

    Attributes:
        crops: The labelled set's name.
        n: Its size.
        max_difference: Largest absolute difference between two logits.
        mean_difference: Mean absolute difference between two logits.
        same_text: Share of crops that both read alike, 0 to 1.
        reference: What the candidate should be as good as.
        candidate: The file in question.
    """

    crops: str
    n: int
    max_difference: float
    mean_difference: float
    same_text: float
    reference: Side
    candidate: Side

    def table(self) -> str:
        """The comparison for people: a Markdown table that is aligned as plain text, too."""
        a, b = self.reference, self.candidate
        rows = [
            (f"{self.crops}, n = {self.n}", a.name, b.name, "change"),
            ("precision", a.precision, b.precision, ""),
            *(_score_row(name, a.score, b.score) for name in ("accuracy", "exact", "cer")),
            ("file, kB", f"{a.bytes / 1e3:.0f}", f"{b.bytes / 1e3:.0f}", _times(a.bytes, b.bytes)),
            (
                "median ms a crop, one thread",
                f"{a.median_ms:.2f}",
                f"{b.median_ms:.2f}",
                _times(a.median_ms, b.median_ms),
            ),
            ("same text, %", "", f"{100 * self.same_text:.2f}", ""),
            ("max |Δ logit|", "", f"{self.max_difference:.2g}", ""),
            ("mean |Δ logit|", "", f"{self.mean_difference:.2g}", ""),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The comparison for programs."""
        sides = {
            role: {**vars(side), "score": side.score.to_dict()}
            for role, side in (("reference", self.reference), ("candidate", self.candidate))
        }
        return {**vars(self), **sides}

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
            if lost > margin_points:
                faults.append(f"{name} falls by {lost:.2f} points (margin: {margin_points:g})")
        # Negated, so that a NaN is a fault as well.
        if tolerance is not None and not self.max_difference <= tolerance:
            faults.append(f"logits differ by {self.max_difference:.3g} (bound: {tolerance:g})")
        if faults:
            raise VerificationError(
                f"{self.candidate.name} is not as good as {self.reference.name} on {self.crops} "
                f"(n = {self.n}): {'; '.join(faults)}"
            )


def compare(reference: Contender, candidate: Contender, crops: Crops) -> Comparison:
    """Run both on every crop, one at a time, taking turns in who goes first.

    Args:
        reference: What is trusted.
        candidate: What is in question.
        crops: Labelled crops that neither was fitted to.

    Raises:
        VerificationError: If they do not even agree on what a picture becomes.
    """
    pair = (reference, candidate)
    a, b = (contender.backend.manifest for contender in pair)
    if (a.charset, a.preprocess, a.stride) != (b.charset, b.preprocess, b.stride):
        raise VerificationError(
            f"{candidate.name} and {reference.name} differ in charset, preprocessing or stride: "
            "they do not come from the same checkpoint"
        )
    decode = make_decoder("greedy", a.charset)
    texts: tuple[list[str], list[str]] = ([], [])
    times_ms: tuple[list[float], list[float]] = ([], [])
    largest, means = [], []
    for index, tensor in enumerate(crops.tensors(a.preprocess)):
        logits: list[Any] = [None, None]
        for which in (0, 1) if index % 2 else (1, 0):
            start = time.perf_counter()
            logits[which] = pair[which].backend(tensor)
            times_ms[which].append((time.perf_counter() - start) * 1e3)
            texts[which].append(decode(log_softmax(logits[which]))[0].text)
        difference = np.abs(logits[0] - logits[1])
        largest.append(difference.max())
        means.append(difference.mean())
    sides = [
        Side(
            contender.name,
            contender.backend.manifest.precision,
            contender.bytes,
            score(crops.texts, readings),
            float(np.median(ms)),
        )
        for contender, readings, ms in zip(pair, texts, times_ms, strict=True)
    ]
    same_text = float(np.mean([x == y for x, y in zip(*texts, strict=True)]))
    return Comparison(
        crops.name, len(crops), float(np.max(largest)), float(np.mean(means)), same_text, *sides
    )


def accept(
    path: Path,
    reference: Contender,
    crops: Crops,
    *,
    margin_points: float,
    tolerance: float | None = None,
    restamp: Callable[[Path, Manifest], None],
) -> Comparison:
    """Verify a fresh model file; if it passes, write what was measured into its manifest.

    Args:
        path: The file.
        reference: What is trusted.
        crops: Labelled crops that the file was not calibrated with.
        margin_points: See `Comparison.demand`.
        tolerance: See `Comparison.demand`.
        restamp: Gives a file of this format another manifest.

    Raises:
        VerificationError: If it does not pass.
    """
    candidate = Contender.open(path)
    comparison = compare(reference, candidate, crops)
    comparison.demand(margin_points, tolerance)
    manifest = candidate.backend.manifest
    metrics = {**manifest.metrics, manifest.precision: comparison.metrics()}
    restamp(path, manifest.replace(metrics=metrics, selftest=selftest_classes(candidate.backend)))
    side = dataclasses.replace(comparison.candidate, bytes=model_size(path))
    return dataclasses.replace(comparison, candidate=side)


def _score_row(name: str, a: Score, b: Score) -> tuple[str, str, str, str]:
    before, after = getattr(a, name), getattr(b, name)
    cells = [f"{100 * x:.2f} [{100 * x.low:.1f}, {100 * x.high:.1f}]" for x in (before, after)]
    return (f"{name}, % [95 % interval]", cells[0], cells[1], f"{100 * (after - before):+.2f}")


def _times(before: float, after: float) -> str:
    return f"×{after / before:.2f}"
