"""Measuring several readers in turns, chunk by chunk of the same pictures.

Every picture is read by each, so the durations and the accuracy come from the same reads. The
order rotates and the chunks are shuffled, so whatever ends a run early (Ctrl-C, a crash) leaves
figures of the same pictures for all, and where time is short those of a slow one are of a sample.
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
    """One way to read pictures, and what was measured of it so far.

    Attributes:
        label: Its name in the table.
        child: Its process, once it runs.
        charset: What it spells in, where it tells.
        about: What it told of itself.
        texts: What it read, by number of the picture.
        durations_ms: Of every read, by stage.
        rounds_ms: Mean of a round's reads, by number of the round. A reader that looks again at
            some pictures takes long for them, which a median of reads would hide; what interrupts
            the machine owns a round, and a median of rounds does not see it.
        turns: How many it has taken.
        spent_s: How long its turns took.
        failure: Why it was left out, if it was.
    """

    label: str
    child: Child | None = None
    charset: Charset | None = None
    about: dict[str, Any] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    durations_ms: list[list[float]] = field(default_factory=list)
    rounds_ms: dict[int, float] = field(default_factory=dict)
    turns: int = 0
    spent_s: float = 0.0
    failure: str = ""

    def ask(self, function: str, *arguments: Any) -> Any:
        """Ask its process.

        Raises:
            ChildError: If it is dead, hangs, or answered with an error.
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
        """Read the pictures of a round.

        Args:
            number: Of the round.
            chunk: Numbers of its pictures.
            paths: All pictures.
            stages: Those that count as reading.
            function: What to ask the process.

        Raises:
            ChildError: If it is dead, hangs, or answered with an error.
        """
        answer = self.ask(function, [str(paths[i].resolve()) for i in chunk])
        self.texts.update(zip(chunk, answer["texts"], strict=True))
        self.durations_ms += answer["stages_ms"]
        self.rounds_ms[number] = float(np.mean([sum(ms[stages]) for ms in answer["stages_ms"]]))

    def read_together(self, chunk: Sequence[int], paths: Sequence[Path], size: int) -> float:
        """Read pictures in batches.

        Args:
            chunk: Numbers of the pictures.
            paths: All pictures.
            size: Pictures a batch.

        Returns:
            How many were read a second.

        Raises:
            ChildError: If it is dead, hangs, or answered with an error.
        """
        answer = self.ask("read_together", [str(paths[i].resolve()) for i in chunk], size)
        self.texts.update(zip(chunk, answer["texts"], strict=True))
        return len(chunk) / float(answer["seconds"])

    def score(self, truths: Sequence[str]) -> Score | None:
        """How well it read, of the pictures that it has read."""
        if not self.texts:
            return None
        return score([truths[i] for i in self.texts], list(self.texts.values()), self.charset)


def against(values: dict[int, float], baseline: dict[int, float]) -> Estimate | None:
    """How many times the baseline, over the rounds that both have; None where there is none."""
    common = sorted(values.keys() & baseline.keys())
    return ratio([values[k] for k in common], [baseline[k] for k in common]) if common else None


def chunks(count: int, size: int, at_least: int) -> Iterator[list[int]]:
    """Numbers below `count` in a fixed random order, `size` at a time.

    All once; where those are fewer than `at_least`, all once more, as often as it takes.
    """
    rng = np.random.default_rng(0)
    given = 0
    while given < at_least or not given:
        order = rng.permutation(count).tolist()
        given += count
        yield from (order[k : k + size] for k in range(0, count, size))


def take_turns(
    readers: Sequence[Reader],
    rounds: Sequence[Any],
    turn: Callable[[Reader, int, Any], None],
    seconds: float,
) -> None:
    """Give each reader its turn in every round, until all are done or Ctrl-C.

    Args:
        readers: Who takes turns; one that fails is left out from then on.
        rounds: What each round is about.
        turn: Called with a reader, the round's number and what it is about.
        seconds: For all; no turn begins later. A reader that has used up its share (`fair_s`)
            waits, so that a slow one does not leave the others without figures.
    """
    end_s = time.monotonic() + seconds
    try:
        for number, about in enumerate(progress(rounds, "rounds")):
            first = number % len(readers)
            share_s = fair_s([_needs_s(reader, len(rounds)) for reader in readers], seconds)
            for reader in (*readers[first:], *readers[:first]):
                start_s = time.monotonic()
                if not reader.failure and reader.spent_s < share_s and start_s < end_s:
                    attempt(reader, lambda one: turn(one, number, about))  # noqa: B023 (at once)
                    reader.spent_s += time.monotonic() - start_s
                    reader.turns += 1
    except KeyboardInterrupt:
        print("interrupted: the table so far", file=sys.stderr)
    else:
        for reader in readers:
            if not reader.failure and reader.turns < len(rounds):
                told = f"{reader.turns} of {len(rounds)} rounds"
                print(f"time was up for {reader.label} after {told}", file=sys.stderr)


def fair_s(needs_s: Sequence[float], seconds: float) -> float:
    """The share of each: equal, except that who needs less leaves the rest to the others."""
    for k, need_s in enumerate(sorted(needs_s)):
        share_s = seconds / (len(needs_s) - k)
        if need_s >= share_s:
            return share_s
        seconds -= need_s
    return math.inf


def _needs_s(reader: Reader, rounds: int) -> float:
    """How long a reader will take for all rounds, by those it has had."""
    if reader.failure:
        return reader.spent_s
    return reader.spent_s / reader.turns * rounds if reader.turns else math.inf


def attempt(reader: Reader, action: Callable[[Reader], None]) -> None:
    """Do something with a reader unless it has failed; if it fails now, keep the reason."""
    if reader.failure:
        return
    try:
        action(reader)
    except ChildError as error:
        reader.failure = str(error)
        print(f"left out: {reader.label}: {error}", file=sys.stderr)
