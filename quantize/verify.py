"""Is this file as good as that one? Two backends, the same labelled crops, a table, a verdict.

Conversion and quantization both end here, and neither leaves a file that did not pass.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_edge.backends import Backend, open_backend
from crnn_edge.decoders.ctc import log_softmax
from crnn_edge.files import model_size
from crnn_edge.manifest import Manifest
from crnn_edge.metrics import Estimate, Z, score
from crnn_edge.recognizer import Recognizer
from crnn_edge.selftest import LOGIT_MARGIN, run_selftest, selftest_classes
from quantize.calibration import Crops
from quantize.comparison import Comparison, Side, VerificationError

MARGIN_POINTS = 1.0
"""Points of accuracy that a file may lose against its reference."""

TOLERANCE = 1e-3
"""The largest logit difference that float rounding can explain."""

_BATCH = 64  # crops read at a time

_FOREIGN = (
    "they do not come from the same checkpoint (`python -m export.verify` takes the one to compare "
    "with as --checkpoint)"
)


@dataclass(frozen=True)
class Contender:
    """One of those in a comparison: what to call it, how to run it, what its file weighs."""

    name: str
    backend: Backend
    bytes: int

    @classmethod
    def open(cls, path: Path) -> Contender:
        """A model file on one thread."""
        return cls(path.name, open_backend(path, threads=1), model_size(path))

    def probe(self, crops: Crops) -> None:
        """Run it on the first crop, so that one that cannot run is told from those that can.

        Raises:
            VerificationError: If its logits are not finite.
        """
        tensor = next(crops.tensors(self.backend.manifest.preprocess))
        self.check(self.backend(tensor))

    def check(self, logits: npt.NDArray[np.float32]) -> None:
        """Refuse logits that nothing can be made of.

        Raises:
            VerificationError: If they are not finite.
        """
        if not np.isfinite(logits).all():
            raise VerificationError(f"{self.name} gives logits that are not finite")


def compare(reference: Contender, candidate: Contender, crops: Crops) -> Comparison:
    """Run both on every crop: `compare_all` with a single candidate."""
    return compare_all(reference, [candidate], crops)[0]


def compare_all(
    reference: Contender, candidates: Sequence[Contender], crops: Crops, calls: int = 1
) -> list[Comparison]:
    """Run all on every crop, one at a time, taking turns in who goes first.

    Logits and times are of the crops as they stand. Texts are what a `Recognizer` of the file
    reads, with all the looks that it has, because that is what its users get.

    Args:
        reference: What is trusted.
        candidates: What is in question.
        crops: Labelled crops that nobody was fitted to.
        calls: How often each runs in a row; the fastest counts. More than one tells small
            differences of time, which else drown in what others left in the processor's caches.

    Returns:
        A comparison of each candidate with the reference.

    Raises:
        VerificationError: If they do not even agree on what a picture becomes, or on how many
            time steps it has.
    """
    for candidate in candidates:
        _check_kinship(reference, candidate)
    preprocess = reference.backend.manifest.preprocess
    runs = [_Run(contender) for contender in (reference, *candidates)]
    for index, tensor in enumerate(crops.tensors(preprocess)):
        for turn in range(len(runs)):
            runs[(index + turn + 1) % len(runs)].run(tensor, calls)
        for run in runs[1:]:
            run.differ(runs[0])
    sides = [run.side(crops) for run in runs]
    return [
        run.comparison(runs[0], crops, sides[0], side)
        for run, side in zip(runs[1:], sides[1:], strict=True)
    ]


def _check_kinship(reference: Contender, candidate: Contender) -> None:
    a, b = reference.backend.manifest, candidate.backend.manifest
    if (a.charset, a.preprocess, a.stride) != (b.charset, b.preprocess, b.stride):
        raise VerificationError(
            f"{candidate.name} and {reference.name} differ in charset, preprocessing or stride: "
            f"{_FOREIGN}"
        )


@dataclass(frozen=True)
class _Difference:
    """Between the logits of two contenders for one crop; all but `largest` are means."""

    largest: float
    mean: float
    divergence: float
    same_steps: float


@dataclass
class _Run:
    """A contender at work: how long it took, how it differed, what it read."""

    contender: Contender
    times_ms: list[float] = field(default_factory=list)
    differences: list[_Difference] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def run(self, tensor: npt.NDArray[np.float32], calls: int) -> None:
        times_ms = []
        for _ in range(calls):
            start = time.perf_counter()
            self.logits = self.contender.backend(tensor)
            times_ms.append((time.perf_counter() - start) * 1e3)
        self.times_ms.append(min(times_ms))
        self.log_probs = log_softmax(self.logits)

    def differ(self, reference: _Run) -> None:
        if self.logits.shape != reference.logits.shape:  # a manifest tells strides, not step counts
            raise VerificationError(
                f"{self.contender.name} gives logits {self.logits.shape}, "
                f"{reference.contender.name} {reference.logits.shape} for the same crop: {_FOREIGN}"
            )
        self.contender.check(self.logits)
        apart = np.abs(self.logits - reference.logits)
        nats = np.exp(reference.log_probs) * (reference.log_probs - self.log_probs)
        same = self.logits.argmax(axis=-1) == reference.logits.argmax(axis=-1)
        figures = (apart.max(), apart.mean(), nats.sum(axis=-1).mean(), same.mean())
        self.differences.append(_Difference(*map(float, figures)))

    def side(self, crops: Crops) -> Side:
        backend = self.contender.backend
        recognizer, images = Recognizer(backend, "greedy"), crops.images()
        while some := list(islice(images, _BATCH)):
            self.texts += [reading.text for reading in recognizer.batch(some)]
        pins = any(k >= 0 for k in backend.manifest.selftest)
        return Side(
            self.contender.name,
            backend.manifest.precision,
            self.contender.bytes,
            score(crops.texts, self.texts, backend.manifest.charset),
            float(np.median(self.times_ms)),
            run_selftest(backend) if pins else None,
        )

    def comparison(self, reference: _Run, crops: Crops, before: Side, after: Side) -> Comparison:
        def mean(name: str) -> float:
            return float(np.mean([getattr(each, name) for each in self.differences]))

        pairs = zip(self.texts, reference.texts, strict=True)
        return Comparison(
            crops=crops.name,
            n=len(crops),
            max_difference=float(np.max([each.largest for each in self.differences])),
            mean_difference=mean("mean"),
            divergence=mean("divergence"),
            same_steps=mean("same_steps"),
            same_text=float(np.mean([mine == theirs for mine, theirs in pairs])),
            ratio=_median(np.divide(self.times_ms, reference.times_ms)),
            reference=before,
            candidate=after,
        )


def _median(values: npt.NDArray[np.float64]) -> Estimate:
    """The median, with the 95 % interval that ranks alone give it (Conover 1971)."""
    ordered, half = np.sort(values), Z * math.sqrt(len(values)) / 2
    low, high = (round(len(values) / 2 + side) for side in (-half, half))
    last = len(values) - 1
    return Estimate(
        float(np.median(values)), float(ordered[max(low - 1, 0)]), float(ordered[min(high, last)])
    )


def accept(
    path: Path,
    reference: Contender,
    crops: Crops,
    *,
    margin_points: float,
    tolerance: float | None = None,
    replace_manifest: Callable[[Path, Manifest], None],
) -> Comparison:
    """Verify a fresh model file; if it passes, write what was measured into its manifest.

    Args:
        path: The file.
        reference: What is trusted.
        crops: Labelled crops that the file was not calibrated with.
        margin_points: See `Comparison.demand`.
        tolerance: See `Comparison.demand`.
        replace_manifest: Gives a file of this format another manifest.

    Raises:
        VerificationError: If it does not pass, or `seal` refuses it.
    """
    comparison = compare(reference, Contender.open(path), crops)
    comparison.demand(margin_points, tolerance)
    return seal(path, comparison, replace_manifest)


def seal(
    path: Path, comparison: Comparison, replace_manifest: Callable[[Path, Manifest], None]
) -> Comparison:
    """Write what was measured of a model file, and its self-test, into its manifest.

    Args:
        path: The file, a candidate that passed.
        comparison: What was measured of it.
        replace_manifest: Gives a file of this format another manifest.

    Returns:
        The comparison, knowing the file's final size.

    Raises:
        VerificationError: If the network is too unsure for a self-test.
    """
    backend = open_backend(path, threads=1)
    manifest, classes = backend.manifest, selftest_classes(backend)
    if all(k < 0 for k in classes):
        raise VerificationError(
            f"{path.name} is sure of nothing yet: at no time step of the self-test's picture is a "
            f"class {LOGIT_MARGIN:g} above the others, so that no device could prove that it "
            "computes the same: train it longer"
        )
    metrics = {**manifest.metrics, manifest.precision: comparison.metrics()}
    replace_manifest(path, manifest.replace(metrics=metrics, selftest=classes))
    finished = run_selftest(open_backend(path, threads=1))
    if not finished.ok:
        told = finished.describe(manifest.charset)
        raise VerificationError(f"{path.name} reads otherwise once its manifest is written: {told}")
    side = dataclasses.replace(comparison.candidate, bytes=model_size(path), selftest=finished)
    return dataclasses.replace(comparison, candidate=side)
