"""Speed of model files on this machine: each stage of a read, throughput, cold start, size.

Runs of several files are interleaved, image by image, so that a busy minute of the machine affects
all of them alike. Quantiles are reported, not means: one interruption would dominate a mean.
"""

from __future__ import annotations

import copy
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crnn_edge.errors import EngineError, ImageError
from crnn_edge.files import model_size
from crnn_edge.metrics import Score, score
from crnn_edge.recognition import Recognition
from crnn_edge.recognizer import Recognizer

STAGES = ("preprocess", "model", "decode", "confidence")
"""A read consists of the first three; `decode` is all that is in neither of the two before it,
including Python's overhead and the scores that test-time augmentation needs. `confidence` is the
time for score and characters, which are only computed when they are asked for."""

_Result = TypeVar("_Result")
_WARM_UP = 5  # reads; engines plan memory for each new width
_PASSES = 3  # over the images in batches
_COLD = (
    "import json, sys; from crnn_edge import Recognizer; "
    "from crnn_edge.selftest import selftest_image; "
    "Recognizer.load(sys.argv[1], **json.loads(sys.argv[2]))(selftest_image())"
)


@dataclass(frozen=True)
class Report:
    """The measurements of one model file.

    Attributes:
        path: The model file.
        name: The model's name.
        precision: `fp32` or `int8`.
        size_bytes: Size of the file.
        cold_start_ms: From starting Python to the first result, median of three processes.
        read: One image after the other: preprocess, model, decode.
        stages: The same by stage, and `confidence`, which no read includes. Both `quantiles`.
        words_per_s: Images a second, read in batches.
        runs: Reads behind the quantiles.
        score: Agreement with the labels, if there are any.
    """

    path: str
    name: str
    precision: str
    size_bytes: int
    cold_start_ms: float
    read: dict[str, float]
    stages: dict[str, dict[str, float]]
    words_per_s: float
    runs: int
    score: Score | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return vars(self) | {"score": self.score.to_dict() if self.score else None}


def machine() -> str:
    """This machine in words: the board or processor, and the number of cores."""
    name = platform.processor() or "unknown processor"
    with suppress(OSError):
        cpuinfo = Path("/proc/cpuinfo").read_text(errors="replace")
        name = (re.findall(r"^model name\s*:\s*(.+)", cpuinfo, re.MULTILINE) or [name])[0]
    with suppress(OSError):  # a board with a device tree
        name = Path("/proc/device-tree/model").read_text(errors="replace").strip("\0\n ") or name
    return f"{name}, {platform.machine()}, {os.cpu_count()} logical cores"


def bench(
    paths: Sequence[Path],
    images: Sequence[npt.NDArray[np.uint8]],
    labels: Sequence[str] | None = None,
    *,
    names: Sequence[object] = (),
    runs: int = 200,
    **options: Any,
) -> list[Report]:
    """Measure model files side by side.

    Args:
        paths: The model files.
        images: Images to read, in rotation.
        labels: Their texts, to score the predictions.
        names: Names of the images for error messages, such as their paths.
        runs: Timed reads per model; in batches as many again, or 64, three times.
        **options: Keywords of `Recognizer.load`.

    Raises:
        ImageError: If an image is invalid, or too long a line for one of the models.
    """
    recognizers = [Recognizer.load(path, **options) for path in paths]
    for recognizer in recognizers:
        _check_widths(recognizer, names, images)
    staged = [StagedReader(recognizer) for recognizer in recognizers]
    times = np.empty((len(recognizers), _WARM_UP + runs, len(STAGES) - 1))
    for run in range(_WARM_UP + runs):
        for k, timed in enumerate(staged):
            times[k, run] = timed(images[run % len(images)])[1]
    results = [recognizer.batch(images) for recognizer in recognizers]  # and a warm-up of batches
    count = max(64, runs)
    many = [images[i * len(images) // count] for i in range(count)]  # spread over all of them
    batch_s = np.empty((len(recognizers), _PASSES))
    for turn in range(_PASSES):
        for k, recognizer in enumerate(recognizers):
            start = time.perf_counter()
            recognizer.batch(many)
            batch_s[k, turn] = time.perf_counter() - start
    rates = len(many) / np.median(batch_s, axis=1)
    reports = []
    measured = zip(paths, recognizers, times[:, _WARM_UP:], results, rates.tolist(), strict=True)
    for path, recognizer, stages, recognitions, rate in measured:
        confidence = np.array([confidence_ms(recognition) for recognition in recognitions])
        reports.append(
            Report(
                path=str(path),
                name=recognizer.manifest.name,
                precision=recognizer.manifest.precision,
                size_bytes=model_size(path),
                cold_start_ms=_cold_start_ms(path, options),
                read=quantiles(stages.sum(axis=1)),
                stages=dict(zip(STAGES, map(quantiles, [*stages.T, confidence]), strict=True)),
                words_per_s=round(rate, 1),
                runs=runs,
                score=None
                if labels is None
                else score(labels, [r.text for r in recognitions], recognizer.manifest.charset),
            )
        )
    return reports


def _check_widths(
    recognizer: Recognizer, names: Sequence[object], images: Sequence[npt.NDArray[np.uint8]]
) -> None:
    for name, image in zip(names, images, strict=False):
        try:
            recognizer.manifest.preprocess.geometry(*image.shape[:2])
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None


class StagedReader:
    """Reads with a recognizer and measures each stage, over all views that were needed.

    Args:
        recognizer: Not changed: a copy of it is timed.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        """Wrap the stages of a copy."""
        self._timed = copy.copy(recognizer)
        self._timed.preprocess = self._clocked("preprocess", recognizer.preprocess)
        self._timed.backend = self._clocked("model", recognizer.backend)
        self._clocks: list[tuple[str, float, float]] = []

    def __call__(self, image: npt.NDArray[np.uint8]) -> tuple[Recognition, list[float]]:
        """The recognition of an image, and the milliseconds that each stage took."""
        self._clocks.clear()
        start = time.perf_counter()
        recognition = self._timed(image)
        whole_s = time.perf_counter() - start
        taken_s = dict.fromkeys(("preprocess", "model"), 0.0)
        for stage, began, ended in self._clocks:
            taken_s[stage] += ended - began
        return recognition, [1e3 * s for s in (*taken_s.values(), whole_s - sum(taken_s.values()))]

    def _clocked(self, stage: str, work: Callable[..., _Result]) -> Callable[..., _Result]:
        def timed(*args: Any, clock: Callable[[], float] = time.perf_counter) -> _Result:
            began = clock()
            result = work(*args)
            self._clocks.append((stage, began, clock()))  # sums wait until the read is over
            return result

        return timed


def confidence_ms(recognition: Recognition) -> float:
    """Milliseconds that score and characters of a recognition take to compute.

    Call it when all reads are timed: in between, it would cool their caches.
    """
    # Copies, which forget what is computed already.
    recognition = replace(recognition, hypothesis=replace(recognition.hypothesis))
    start = time.perf_counter()
    _ = recognition.confidence, recognition.characters
    return 1e3 * (time.perf_counter() - start)


def quantiles(durations_ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """The 50th, 95th and 99th percentile: `{"p50_ms": …, "p95_ms": …, "p99_ms": …}`."""
    return {f"p{q}_ms": round(float(np.percentile(durations_ms, q)), 4) for q in (50, 95, 99)}


def _cold_start_ms(path: Path, options: dict[str, Any]) -> float:
    command = [sys.executable, "-c", _COLD, str(path), json.dumps(options, default=str)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path)
    }  # imports from the same places
    durations_ms = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        durations_ms.append(1e3 * (time.perf_counter() - start))
        if done.returncode:
            raise EngineError(f"cold start of {path} failed in a new process: {done.stderr[-300:]}")
    return round(float(np.median(durations_ms)), 1)
