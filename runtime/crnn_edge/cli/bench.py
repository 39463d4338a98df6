"""Speed of model files on this machine: each stage of a read, throughput, cold start, size.

Several files are timed in turns, image by image, so that a busy minute of the machine hits all of
them alike. What is reported are quantiles, never means: one interruption would own a mean.
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

from crnn_edge.charset import Charset
from crnn_edge.decoders.recognition import Recognition
from crnn_edge.errors import EngineError, ImageError
from crnn_edge.files import model_size
from crnn_edge.metrics import Score, score
from crnn_edge.recognizer import Recognizer

STAGES = ("preprocess", "model", "decode", "confidence")
"""A read consists of the first three; decoding is all that is neither of the two before it, such as
what Python itself takes, and the scores that decide on test-time augmentation. Else, confidence
and spans are computed only when asked for."""

_Made = TypeVar("_Made")
_WARM_UP = 5  # reads; engines plan memory for each new width
_PASSES = 3  # over the pictures in batches
_COLD = (
    "import json, sys; from crnn_edge import Recognizer; "
    "from crnn_edge.selftest import selftest_image; "
    "Recognizer.load(sys.argv[1], **json.loads(sys.argv[2]))(selftest_image())"
)


@dataclass(frozen=True)
class Report:
    """What was measured of one model file.

    Attributes:
        path: The model file.
        name: The model's name.
        precision: `fp32` or `int8`.
        size_bytes: Size of the file.
        cold_start_ms: From starting Python to the first reading, median of three processes.
        read: One image after the other: preprocess, model, decode.
        stages: The same by stage, and `confidence`, which a read leaves out. Both `quantiles`.
        words_per_s: Images a second, read in batches.
        runs: Reads behind the quantiles.
        score: Agreement with the labels, where there are some.
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
    """This machine in words: the board or processor, and how many cores."""
    named = platform.processor() or "unknown processor"
    with suppress(OSError):
        told = Path("/proc/cpuinfo").read_text(errors="replace")
        named = (re.findall(r"^model name\s*:\s*(.+)", told, re.MULTILINE) or [named])[0]
    with suppress(OSError):  # a board that tells its own name
        named = Path("/proc/device-tree/model").read_text(errors="replace").strip("\0\n ") or named
    return f"{named}, {platform.machine()}, {os.cpu_count()} logical cores"


def bench(
    paths: Sequence[Path],
    images: Sequence[npt.NDArray[np.uint8]],
    texts: Sequence[str] | None = None,
    *,
    names: Sequence[object] = (),
    runs: int = 200,
    **options: Any,
) -> list[Report]:
    """Measure model files side by side.

    Args:
        paths: The model files.
        images: What is read, in rotation.
        texts: Their true texts, to score the readings.
        names: What to call them where one is refused, such as their paths.
        runs: Timed reads a model; in batches as many again, or 64, three times.
        **options: Of `Recognizer.load`: backend, decoder and its settings, threads, device.

    Raises:
        ImageError: If an image is none, or too long a line for one of the models.
    """
    readers = [Recognizer.load(path, **options) for path in paths]
    for reader in readers:
        _check_widths(reader, names, images)
    staged = [StagedReader(reader) for reader in readers]
    times = np.empty((len(readers), _WARM_UP + runs, len(STAGES) - 1))
    for run in range(_WARM_UP + runs):
        for k, timed in enumerate(staged):
            times[k, run] = timed(images[run % len(images)])[1]
    read = [reader.batch(images) for reader in readers]  # which warms up for batches, too
    count = max(64, runs)
    many = [images[i * len(images) // count] for i in range(count)]  # from all over them
    together_s = np.empty((len(readers), _PASSES))
    for turn in range(_PASSES):
        for k, reader in enumerate(readers):
            start = time.perf_counter()
            reader.batch(many)
            together_s[k, turn] = time.perf_counter() - start
    rates = len(many) / np.median(together_s, axis=1)
    reports = []
    measured = zip(paths, readers, times[:, _WARM_UP:], read, rates.tolist(), strict=True)
    for path, reader, stages, readings, rate in measured:
        confidence = np.array([confidence_ms(reading) for reading in readings])
        reports.append(
            Report(
                path=str(path),
                name=reader.manifest.name,
                precision=reader.manifest.precision,
                size_bytes=model_size(path),
                cold_start_ms=_cold_start_ms(path, options),
                read=quantiles(stages.sum(axis=1)),
                stages=dict(zip(STAGES, map(quantiles, [*stages.T, confidence]), strict=True)),
                words_per_s=round(rate, 1),
                runs=runs,
                score=None if texts is None else _score(texts, readings, reader.manifest.charset),
            )
        )
    return reports


def _check_widths(
    reader: Recognizer, names: Sequence[object], images: Sequence[npt.NDArray[np.uint8]]
) -> None:
    for name, image in zip(names, images, strict=False):
        try:
            reader.manifest.preprocess.bucket(*image.shape[:2])
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None


class StagedReader:
    """A recognizer that tells how long each stage of a read took, of all the looks it needed.

    Args:
        recognizer: It is left alone: a copy is timed.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        """Put clocks before its stages."""
        self._timed = copy.copy(recognizer)
        self._timed.preprocess = self._clocked("preprocess", recognizer.preprocess)
        self._timed.backend = self._clocked("model", recognizer.backend)
        self._clocks: list[tuple[str, float, float]] = []

    def __call__(self, image: npt.NDArray[np.uint8]) -> tuple[Recognition, list[float]]:
        """The reading of an image, and how many milliseconds each stage of it took."""
        self._clocks.clear()
        start = time.perf_counter()
        reading = self._timed(image)
        whole_s = time.perf_counter() - start
        taken_s = dict.fromkeys(("preprocess", "model"), 0.0)
        for stage, began, ended in self._clocks:
            taken_s[stage] += ended - began
        return reading, [1e3 * s for s in (*taken_s.values(), whole_s - sum(taken_s.values()))]

    def _clocked(self, stage: str, work: Callable[..., _Made]) -> Callable[..., _Made]:
        def timed(*given: Any, clock: Callable[[], float] = time.perf_counter) -> _Made:
            began = clock()
            made = work(*given)
            self._clocks.append((stage, began, clock()))  # sums wait until the read is over
            return made

        return timed


def confidence_ms(reading: Recognition) -> float:
    """How many milliseconds score and spans of a reading take, if nobody asked for them before.

    Ask only when all reads are timed: in between, it would leave them cold caches.
    """
    # Copies, which forget what is computed already.
    reading = replace(reading, hypothesis=replace(reading.hypothesis))
    start = time.perf_counter()
    _ = reading.confidence, reading.characters
    return 1e3 * (time.perf_counter() - start)


def _score(texts: Sequence[str], readings: Sequence[Recognition], charset: Charset) -> Score:
    return score(texts, [reading.text for reading in readings[: len(texts)]], charset)


def quantiles(durations_ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """`p50_ms`, the median of durations, and what 95 and 99 of 100 stay below."""
    return {f"p{q}_ms": round(float(np.percentile(durations_ms, q)), 4) for q in (50, 95, 99)}


def _cold_start_ms(path: Path, options: dict[str, Any]) -> float:
    command = [sys.executable, "-c", _COLD, str(path), json.dumps(options, default=str)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # imports what we import
    durations_ms = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        durations_ms.append(1e3 * (time.perf_counter() - start))
        if done.returncode:
            raise EngineError(f"a fresh process cannot read with {path}: {done.stderr[-300:]}")
    return round(float(np.median(durations_ms)), 1)
