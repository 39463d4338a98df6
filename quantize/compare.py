"""Comparing models: two backends or more, the same labelled crops, what differs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_edge.backends import Backend, open_backend
from crnn_edge.decoders import make_decoder
from crnn_edge.decoders.ctc import log_softmax
from crnn_edge.files import model_size
from crnn_edge.manifest import DecoderChoice, Manifest
from crnn_edge.metrics import Estimate, Z, correct, score
from crnn_edge.recognizer import Recognizer
from crnn_edge.selftest import run_selftest
from quantize.calibration import LabelledCrops
from quantize.comparison import Comparison, ModelResult, VerificationError
from quantize.paired_test import PairedCounts

_READ_BATCH = 64  # crops read at a time

_UNRELATED = (
    "they do not come from the same checkpoint (`python -m export.verify` takes the right one as "
    "--checkpoint)"
)


@dataclass(frozen=True)
class ModelUnderTest:
    """One of the models of a comparison: its name, its backend, and the size of its files."""

    name: str
    backend: Backend
    bytes: int

    @classmethod
    def open(cls, path: Path) -> ModelUnderTest:
        """A model file on one thread."""
        return cls(path.name, open_backend(path, threads=1), model_size(path))

    def probe(self, crops: LabelledCrops) -> None:
        """Run it on the first crop, to find out early whether it runs.

        Raises:
            VerificationError: If its logits are not finite.
        """
        tensor = next(crops.tensors(self.backend.manifest.preprocess))
        self.check(self.backend(tensor))

    def check(self, logits: npt.NDArray[np.float32]) -> None:
        """Refuse logits with NaN or infinity.

        Raises:
            VerificationError: If they are not finite.
        """
        if not np.isfinite(logits).all():
            raise VerificationError(f"{self.name} gives logits that are not finite")


def compare(
    reference: ModelUnderTest, candidate: ModelUnderTest, crops: LabelledCrops
) -> Comparison:
    """Run both on every crop: `compare_all` with a single candidate."""
    return compare_all(reference, [candidate], crops)[0]


def compare_all(
    reference: ModelUnderTest,
    candidates: Sequence[ModelUnderTest],
    crops: LabelledCrops,
    calls: int = 1,
) -> list[Comparison]:
    """Run all models on every crop, one at a time, in rotating order.

    Logits and times are those of the unchanged crops. Texts are read twice: with the decoder and
    the TTA of each model's manifest, which its users get, and greedily from those logits.

    Args:
        reference: The model that is trusted.
        candidates: The models to verify.
        crops: Labelled crops that were not used to calibrate.
        calls: How often each model runs in a row; the fastest call counts. More than one shows
            small differences in time, which else are hidden by the state of the caches.

    Returns:
        A comparison of each candidate with the reference.

    Raises:
        VerificationError: If the models differ in preprocessing or in the number of time steps, or
            logits are not finite.
    """
    for candidate in candidates:
        _check_related(reference, candidate)
    preprocess = reference.backend.manifest.preprocess
    runs = [_Run(model) for model in (reference, *candidates)]
    for index, tensor in enumerate(crops.tensors(preprocess)):
        for turn in range(len(runs)):
            runs[(index + turn + 1) % len(runs)].run(tensor, calls)
        for run in runs[1:]:
            run.compare_logits(runs[0])
    for run in runs:
        run.read(crops)
    results = [run.result(crops) for run in runs]
    return [
        run.comparison(runs[0], crops, results[0], result)
        for run, result in zip(runs[1:], results[1:], strict=True)
    ]


def _check_related(reference: ModelUnderTest, candidate: ModelUnderTest) -> None:
    a, b = reference.backend.manifest, candidate.backend.manifest
    if (a.charset, a.preprocess, a.stride) != (b.charset, b.preprocess, b.stride):
        raise VerificationError(
            f"{candidate.name} and {reference.name} differ in charset, preprocessing or stride: "
            f"{_UNRELATED}"
        )


def _reads_greedily(manifest: Manifest) -> bool:
    return manifest.decoder == DecoderChoice() and not manifest.tta.threshold


def describe_decoder(manifest: Manifest) -> str:
    """The decoder and the TTA that a manifest ships, in words: `lm, TTA below 0.7`."""
    threshold = manifest.tta.threshold
    return f"{manifest.decoder.name}{f', TTA below {threshold:g}' if threshold else ''}"


@dataclass(frozen=True)
class _Difference:
    """Between the logits of two models for one crop; all but `largest` are means."""

    largest: float
    mean: float
    kl_divergence: float
    top1_agreement: float


@dataclass
class _Run:
    """One model during a comparison: its times, its texts, its differences to the reference."""

    model: ModelUnderTest
    times_ms: list[float] = field(default_factory=list)
    differences: list[_Difference] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    greedy_texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.charset = self.model.backend.manifest.charset
        self.greedy = make_decoder("greedy", self.charset)

    def run(self, tensor: npt.NDArray[np.float32], calls: int) -> None:
        """Run the model on one crop and read it greedily."""
        times_ms = []
        for _ in range(calls):
            start = time.perf_counter()
            self.logits = self.model.backend(tensor)
            times_ms.append((time.perf_counter() - start) * 1e3)
        self.times_ms.append(min(times_ms))
        self.model.check(self.logits)
        self.log_probs = log_softmax(self.logits)
        best = self.greedy(self.log_probs)[0][0]
        self.greedy_texts.append(self.charset.decode(best.classes))

    def compare_logits(self, reference: _Run) -> None:
        """Compare the logits of the crop that both ran on last."""
        if self.logits.shape != reference.logits.shape:  # manifests have strides, not time steps
            raise VerificationError(
                f"{self.model.name} gives logits {self.logits.shape}, {reference.model.name} "
                f"{reference.logits.shape} for the same crop: {_UNRELATED}"
            )
        apart = np.abs(self.logits - reference.logits)
        nats = np.exp(reference.log_probs) * (reference.log_probs - self.log_probs)
        same = self.logits.argmax(axis=-1) == reference.logits.argmax(axis=-1)
        figures = (apart.max(), apart.mean(), nats.sum(axis=-1).mean(), same.mean())
        self.differences.append(_Difference(*map(float, figures)))

    def read(self, crops: LabelledCrops) -> None:
        """Read all crops with the decoder and the TTA of the manifest."""
        if _reads_greedily(self.model.backend.manifest):
            self.texts = self.greedy_texts
            return
        recognizer, images = Recognizer(self.model.backend), crops.images()
        while batch := list(islice(images, _READ_BATCH)):
            self.texts += [recognition.text for recognition in recognizer.batch(batch)]

    def result(self, crops: LabelledCrops) -> ModelResult:
        """What was measured of this model."""
        manifest = self.model.backend.manifest
        has_selftest = any(k >= 0 for k in manifest.selftest)
        return ModelResult(
            name=self.model.name,
            precision=manifest.precision,
            bytes=self.model.bytes,
            decoder=describe_decoder(manifest),
            score=score(crops.texts, self.texts, manifest.charset),
            greedy=score(crops.texts, self.greedy_texts, manifest.charset),
            median_ms=float(np.median(self.times_ms)),
            selftest=run_selftest(self.model.backend) if has_selftest else None,
        )

    def comparison(
        self, reference: _Run, crops: LabelledCrops, before: ModelResult, after: ModelResult
    ) -> Comparison:
        """What was measured of this model against the reference."""

        def mean(name: str) -> float:
            return float(np.mean([getattr(each, name) for each in self.differences]))

        def agreement(ours: Sequence[str], theirs: Sequence[str]) -> float:
            return float(np.mean([a == b for a, b in zip(ours, theirs, strict=True)]))

        right = correct(crops.texts, reference.texts, self.charset)
        now_right = correct(crops.texts, self.texts, self.charset)
        return Comparison(
            crops=crops.name,
            n=len(crops),
            max_difference=float(np.max([each.largest for each in self.differences])),
            mean_difference=mean("mean"),
            kl_divergence=mean("kl_divergence"),
            top1_agreement=mean("top1_agreement"),
            text_agreement=agreement(self.texts, reference.texts),
            greedy_text_agreement=agreement(self.greedy_texts, reference.greedy_texts),
            latency_ratio=_median(np.divide(self.times_ms, reference.times_ms)),
            changes={k: PairedCounts.count(right[k], now_right[k]) for k in right},
            reference=before,
            candidate=after,
        )


def _median(values: npt.NDArray[np.float64]) -> Estimate:
    """The median, with a 95 % interval from ranks alone (Conover 1971)."""
    ordered, half = np.sort(values), Z * math.sqrt(len(values)) / 2
    low, high = (round(len(values) / 2 + side) for side in (-half, half))
    last = len(values) - 1
    return Estimate(
        float(np.median(values)), float(ordered[max(low - 1, 0)]), float(ordered[min(high, last)])
    )
