"""Instructions an image: what boards counted, the committed figures, and what may not grow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crnn_edge.errors import CrnnError
from crnn_edge.files import atomic_write
from examples.benchmarks.arm import FORMAT, load
from tests.arm.device import STAGES

GROWTH = 0.05
"""How much more an entry may cost than the committed one. Counts repeat within 2 %."""

INT8_SHARE = 0.4
"""What the INT8 network may cost of FP32 where the processor multiplies bytes."""

PROMISED = ("crnn", "Cortex-A76", ("onnxruntime", "ai-edge-litert"))
"""The model, the processor and the engines for which that is promised."""


@dataclass(frozen=True, order=True)
class Key:
    """What an entry is known by.

    Attributes:
        model: Name of a checkpoint.
        precision: `fp32` or `int8`.
        engine: Name of a distribution.
        processor: Name of a processor.
    """

    model: str
    precision: str
    engine: str
    processor: str

    def __str__(self) -> str:
        """For messages."""
        return f"{self.model} {self.precision}, {self.engine}, {self.processor}"


@dataclass(frozen=True)
class Entry:
    """What an image costs.

    Attributes:
        version: Of the engine.
        stages: Millions of instructions, by stage.
    """

    version: str
    stages: dict[str, float]


Entries = dict[Key, Entry]


@dataclass
class Verdict:
    """A comparison with the committed figures.

    Attributes:
        failures: What is worse than it may be.
        remarks: What a person should know.
    """

    failures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def stages(marks: Sequence[int], runs: int) -> Iterator[dict[str, float]]:
    """Millions of instructions a run of each stage, model after model.

    Args:
        marks: Instructions so far, at the start and at the end of each stage.
        runs: How often a stage ran between.

    Raises:
        CrnnError: If there are not two marks for each stage, or they do not grow.
    """
    size = 2 * len(STAGES)
    if not marks or len(marks) % size or list(marks) != sorted(set(marks)):
        raise CrnnError(f"expected {size} growing marks a model, got {len(marks)}: {marks[:8]} …")
    for start in range(0, len(marks), size):
        ends = marks[start + 1 : start + size : 2]
        starts = marks[start : start + size : 2]
        yield {
            stage: round((b - a) / runs / 1e6, 3)
            for stage, a, b in zip(STAGES, starts, ends, strict=True)
        }


def compare(old: Entries, new: Entries) -> Verdict:
    """What became of each committed entry, and what has joined them."""
    verdict = Verdict()
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            verdict.failures.append(f"{key}: vanished")
        elif key not in old:
            verdict.remarks.append(f"{key}: new, compared with nothing")
        else:
            for stage in STAGES:
                was, now = old[key].stages[stage], new[key].stages[stage]
                told = f"{key}, {stage}: {was:g} → {now:g} M ({100 * (now / was - 1):+.1f} %)"
                if now > was * (1 + GROWTH):
                    verdict.failures.append(told)
                elif now < was * (1 - GROWTH):
                    verdict.remarks.append(told)
    return verdict


def broken_promises(entries: Entries) -> list[str]:
    """Where INT8 saves less than was promised."""
    model, processor, engines = PROMISED
    broken = []
    for engine in engines:
        fp32, int8 = (entries.get(Key(model, p, engine, processor)) for p in ("fp32", "int8"))
        if fp32 is None or int8 is None:
            continue
        share = int8.stages["network"] / fp32.stages["network"]
        if share > INT8_SHARE:
            broken.append(
                f"{model}, {engine}, {processor}: INT8 costs {share:.2f} of FP32, "
                f"{INT8_SHARE} at most is promised"
            )
    return broken


def rows(entries: Entries) -> list[dict[str, Any]]:
    """Figures as JSON can hold them, in order."""
    return [
        {**asdict(key), "version": entries[key].version, **entries[key].stages}
        for key in sorted(entries)
    ]


def write(path: Path, entries: Entries) -> None:
    """Make figures the committed ones."""
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows(entries))  # for the diff
    atomic_write(path, f'{{\n  "format": {FORMAT},\n  "rows": [\n{lines}\n  ]\n}}\n'.encode())


def read(path: Path) -> Entries:
    """The committed figures.

    Raises:
        CrnnError: If the file is missing or says something else.
    """
    return {
        Key(row["model"], row["precision"], row["engine"], row["processor"]): Entry(
            row["version"], {stage: row[stage] for stage in STAGES}
        )
        for row in load(path)
    }
