"""Instructions an image on Arm processors, as `make test-arm64` counted them in an emulator.

This only prints the recorded counts. A number of instructions is not a time: use it to compare
models, precisions and engines on one processor.

Examples:
  python -m examples.benchmark arm
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from crnn_edge.errors import CrnnError
from crnn_edge.tables import figure, markdown
from examples.benchmarks.child import ROOT

FORMAT = 1
"""Version of the file's format."""

COUNTED = ROOT / "tests" / "arm" / "instructions.json"

_SHARED = ("preprocess", "decode")
"""Stages that do not depend on the model or the engine."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--file", type=Path, default=COUNTED, help="(default: tests/arm/instructions.json)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    print(table(load(options.file)))
    return 0


def load(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that `make test-arm64` wrote.

    Raises:
        CrnnError: If the file is missing or of another format.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"format is {found['format']}, expected {FORMAT}")
        rows: list[dict[str, Any]] = found["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CrnnError(
            f"cannot read the counts in {path}: {error}; `make test-arm64 ARM='--update'` writes "
            "that file"
        ) from None
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The versions, a row for each model, precision and engine, and a row for each shared stage."""
    processors = list(dict.fromkeys(row["processor"] for row in rows))
    networks: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    versions = defaultdict(set)
    for row in rows:
        name = row["model"], row["engine"], row["precision"]
        networks[name][row["processor"]] = row["network"]
        versions[row["engine"]].add(row["version"])

    def cells(found: dict[str, float]) -> list[str]:
        return [figure(found[p]) if p in found else "–" for p in processors]

    def shares(name: tuple[str, str, str]) -> list[str]:
        model, engine, precision = name
        whole = networks.get((model, engine, "fp32"), {}) if precision != "fp32" else {}
        found = {p: count / whole[p] for p, count in networks[name].items() if p in whole}
        return [f"{found[p]:.2f}×" if p in found else "–" for p in processors]

    lines = [[*name, *cells(networks[name]), *shares(name)] for name in sorted(networks)]
    for stage in _SHARED:
        counts = {
            p: median(row[stage] for row in rows if row["processor"] == p) for p in processors
        }
        lines.append([f"any: {stage}", "–", "–", *cells(counts), *("–" for _ in processors)])
    engines = [f"{name} {', '.join(sorted(numbers))}" for name, numbers in sorted(versions.items())]
    heads = ["M instructions an image", "engine", "precision", *processors]
    return "\n".join(
        [
            f"emulated, one thread, an image 96 px wide; {'; '.join(engines)}",
            "",
            markdown([*heads, *(f"of FP32, {p}" for p in processors)], lines),
        ]
    )
