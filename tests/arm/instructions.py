"""Instructions an image: counts, the committed ones, and what may not grow."""

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
"""Allowed growth of an entry over the committed one. Counts repeat within 2 %."""

INT8_SHARE = 0.4
"""Allowed share of the INT8 network in FP32's instructions, if the processor multiplies bytes."""

PROMISED = ("crnn", "Cortex-A76", ("onnxruntime", "ai-edge-litert"))
"""The model, the processor and the engines for which that holds."""


@dataclass(frozen=True, order=True)
class Key:
    """Identifies an entry.

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
    """The cost of an image.

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
        failures: What exceeds a limit.
        remarks: Other changes.
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
    """Compare new entries with the committed ones."""
    verdict = Verdict()
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            verdict.failures.append(f"{key}: vanished")
        elif key not in old:
            verdict.remarks.append(f"{key}: new, compared with nothing")
        else:
            for stage in STAGES:
                was, now = old[key].stages[stage], new[key].stages[stage]
                change = f"{key}, {stage}: {was:g} → {now:g} M ({100 * (now / was - 1):+.1f} %)"
                if now > was * (1 + GROWTH):
                    verdict.failures.append(change)
                elif now < was * (1 - GROWTH):
                    verdict.remarks.append(change)
    return verdict


def broken_promises(entries: Entries) -> list[str]:
    """Where INT8 saves less than `INT8_SHARE` demands."""
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
                f"expected at most {INT8_SHARE}"
            )
    return broken


def rows(entries: Entries) -> list[dict[str, Any]]:
    """Entries as values for JSON, sorted."""
    return [
        {**asdict(key), "version": entries[key].version, **entries[key].stages}
        for key in sorted(entries)
    ]


def write(path: Path, entries: Entries) -> None:
    """Write entries to the committed file."""
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows(entries))  # for the diff
    atomic_write(path, f'{{\n  "format": {FORMAT},\n  "rows": [\n{lines}\n  ]\n}}\n'.encode())


def read(path: Path) -> Entries:
    """The committed entries.

    Raises:
        CrnnError: If the file is missing or has another format.
    """
    return {
        Key(row["model"], row["precision"], row["engine"], row["processor"]): Entry(
            row["version"], {stage: row[stage] for stage in STAGES}
        )
        for row in load(path)
    }
