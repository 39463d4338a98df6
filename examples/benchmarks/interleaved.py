"""Interleaved runs: several readers measured in rounds, on the same images.

Every image is read by each reader, so times and accuracy come from the same reads. The order of
the readers rotates and the images are shuffled, so that whatever ends a run early (Ctrl-C, a crash)
leaves results on the same images for all, and where time is short those of a slow reader are of a
random sample.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.metrics import Estimate, Score, score
from examples.benchmarks.child import Child, ChildError
from examples.benchmarks.progress import progress
from examples.benchmarks.stats import ratio


@dataclass
class Reader:
    """One way to read images, and what was measured of it so far.

    Attributes:
        label: Its name in the table.
        child: Its process, once it runs.
        charset: Of its texts, if known.
        about: Facts that its process reported.
        texts: Its predictions, by number of the image.
        durations_ms: Of every read, by stage.
        rounds_ms: Mean of a round's reads, by number of the round. With test-time augmentation some
            reads take long, which a median of reads would hide; an interruption by another program
            spoils one round, which a median of rounds ignores.
        num_rounds: How many rounds it has done.
        spent_s: How long they took.
        failure: Why it was left out, if it was.
    """

    label: str
    child: Child | None = None
    charset: Charset | None = None
    about: dict[str, Any] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    durations_ms: list[list[float]] = field(default_factory=list)
    rounds_ms: dict[int, float] = field(default_factory=dict)
    num_rounds: int = 0
    spent_s: float = 0.0
    failure: str = ""

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function in its process.

        Raises:
            ChildError: If it is dead, hangs, or answers with an error.
        """
        assert self.child
        return self.child.ask(function, *arguments)

    def read(
        self,
        number: int,
        chunk: Sequence[int],
        paths: Sequence[Path],
        stages: slice,
        function: str = "read",
    ) -> None:
        """Read the images of a round.

        Args:
            number: Of the round.
            chunk: Numbers of its images.
            paths: All images.
            stages: Those that count as reading.
            function: The function of the process that reads.

        Raises:
            ChildError: If it is dead, hangs, or answers with an error.
        """
        answer = self.ask(function, [str(paths[i].resolve()) for i in chunk])
        self.texts.update(zip(chunk, answer["texts"], strict=True))
        self.durations_ms += answer["stages_ms"]
        self.rounds_ms[number] = float(np.mean([sum(ms[stages]) for ms in answer["stages_ms"]]))

    def read_batches(self, chunk: Sequence[int], paths: Sequence[Path], size: int) -> float:
        """Read images in batches.

        Args:
            chunk: Numbers of the images.
            paths: All images.
            size: Images in a batch.

        Returns:
            Images read a second.

        Raises:
            ChildError: If it is dead, hangs, or answers with an error.
        """
        answer = self.ask("read_batches", [str(paths[i].resolve()) for i in chunk], size)
        self.texts.update(zip(chunk, answer["texts"], strict=True))
        return len(chunk) / float(answer["seconds"])

    def score(self, labels: Sequence[str]) -> Score | None:
        """The score of its predictions, over the images that it has read."""
        if not self.texts:
            return None
        return score([labels[i] for i in self.texts], list(self.texts.values()), self.charset)


def against(values: dict[int, float], baseline: dict[int, float]) -> Estimate | None:
    """The ratio to the baseline, over the rounds that both have; None if there are none."""
    common = sorted(values.keys() & baseline.keys())
    return ratio([values[k] for k in common], [baseline[k] for k in common]) if common else None


def chunks(count: int, size: int, at_least: int) -> Iterator[list[int]]:
    """The numbers below `count` in a fixed random order, `size` at a time.

    Each occurs once, or equally often until there are `at_least`.
    """
    rng = np.random.default_rng(0)
    given = 0
    while given < at_least or not given:
        order = rng.permutation(count).tolist()
        given += count
        yield from (order[k : k + size] for k in range(0, count, size))


def run_interleaved(
    readers: Sequence[Reader],
    rounds: Sequence[Any],
    measure: Callable[[Reader, int, Any], None],
    seconds: float,
) -> None:
    """Measure each reader in every round, until all is done or Ctrl-C.

    Args:
        readers: One that fails is left out from then on.
        rounds: What is measured in each round.
        measure: Called with a reader, the round's number and its element of `rounds`.
        seconds: For everything; no measurement begins later. A reader that has used up its share
            (`fair_s`) waits, so that a slow one does not leave the others without results.
    """
    end_s = time.monotonic() + seconds
    try:
        for number, content in enumerate(progress(rounds, "rounds")):
            first = number % len(readers)
            share_s = fair_s([_needs_s(reader, len(rounds)) for reader in readers], seconds)
            for reader in (*readers[first:], *readers[:first]):
                start_s = time.monotonic()
                if not reader.failure and reader.spent_s < share_s and start_s < end_s:
                    attempt(reader, lambda one: measure(one, number, content))  # noqa: B023
                    reader.spent_s += time.monotonic() - start_s
                    reader.num_rounds += 1
    except KeyboardInterrupt:
        print("interrupted: the table so far", file=sys.stderr)
    else:
        for reader in readers:
            if not reader.failure and reader.num_rounds < len(rounds):
                done = f"{reader.num_rounds} of {len(rounds)} rounds"
                print(f"time is up: {reader.label} was measured in {done}", file=sys.stderr)


def fair_s(needs_s: Sequence[float], seconds: float) -> float:
    """The share of each reader: equal, except that what some do not need goes to the others."""
    for k, need_s in enumerate(sorted(needs_s)):
        share_s = seconds / (len(needs_s) - k)
        if need_s >= share_s:
            return share_s
        seconds -= need_s
    return math.inf


def _needs_s(reader: Reader, rounds: int) -> float:
    """How long a reader will take for all rounds, estimated from those it has done."""
    if reader.failure:
        return reader.spent_s
    return reader.spent_s / reader.num_rounds * rounds if reader.num_rounds else math.inf


def attempt(reader: Reader, action: Callable[[Reader], None]) -> None:
    """Do something with a reader unless it has failed; if it fails now, keep the reason."""
    if reader.failure:
        return
    try:
        action(reader)
    except ChildError as error:
        reader.failure = str(error)
        print(f"left out: {reader.label}: {error}", file=sys.stderr)
