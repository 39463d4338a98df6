"""The results of `backends` as plain values for JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.benchmark import STAGES, quantiles
from crnn_edge.errors import CrnnError
from examples.benchmarks.interleaved import Reader, against
from examples.benchmarks.stats import as_list, median

FORMAT = 2
"""Version of the JSON's format."""

READ = STAGES[:3]
"""The stages of a read; the confidence is computed only on demand."""

_COMPARED = frozenset(
    {"file", "backend", "threads", "label", "read_median_ms", "size_bytes", "score"}
)
"""Keys that a row needs to be compared with another."""


def baseline(labels: Sequence[str], wanted: str | None) -> str:
    """The label of the row that the others are compared with.

    Args:
        labels: Of all rows: file, engine and threads, separated by `, `.
        wanted: One of them, or its beginning up to a comma; None for the first.

    Raises:
        CrnnError: If no row has this label.
    """
    for label in labels:
        if wanted is None or f"{label}, ".startswith(f"{wanted}, "):
            return label
    rows = "; ".join(labels)
    raise CrnnError(f"--baseline {wanted!r}: no such row; rows: {rows}")


def figures(readers: Sequence[Reader], labels: Sequence[str], compared_with: str) -> dict[str, Any]:
    """Everything measured, as values for JSON: `rows`, and `failures` with their reasons.

    Args:
        readers: What was measured.
        labels: Of the images.
        compared_with: The label of the baseline; the first row if that was left out.
    """
    # Without it not even one round was finished.
    measured = [reader for reader in readers if "peak_rss_mb" in reader.about]
    chosen = [reader for reader in measured if reader.label == compared_with] or measured
    return {
        "format": FORMAT,
        "baseline": chosen[0].label if chosen else None,
        "rows": [_row(reader, chosen[0], measured, labels) for reader in measured],
        "failures": {reader.label: reader.failure for reader in readers if reader.failure},
    }


def _row(
    reader: Reader, baseline: Reader, readers: Sequence[Reader], labels: Sequence[str]
) -> dict[str, Any]:
    durations_ms = np.array(reader.durations_ms)
    reads_ms = durations_ms[:, : len(READ)].sum(axis=1)
    single = next(
        (
            other
            for other in readers
            if all(other.about[k] == reader.about[k] for k in ("file", "backend"))
            and other.about["threads"] == 1
        ),
        None,
    )
    rates = {size: dict(rates) for size, rates in reader.about["words_per_s"].items()}
    scaling = {
        size: against(rates[size], single.about["words_per_s"].get(size, {}))
        for size in rates
        if single is not None and single is not reader
    }
    found = reader.score(labels)
    return {
        **reader.about,
        "label": reader.label,
        "reads": len(reads_ms),
        "read_ms": quantiles(reads_ms),
        "read_median_ms": as_list(median(reads_ms.tolist())),
        "stages_ms": {s: quantiles(durations_ms[:, k]) for k, s in enumerate(STAGES)},
        "overhead": float(np.median(1 - durations_ms[:, STAGES.index("model")] / reads_ms)),
        "times_baseline": as_list(against(reader.rounds_ms, baseline.rounds_ms)),
        "words_per_s": {size: as_list(median(list(r.values()))) for size, r in rates.items()},
        "times_one_thread": {size: as_list(value) for size, value in scaling.items()},
        "widths_ms": {w: as_list(median(ms)) for w, ms in reader.about["widths_ms"].items()},
        "score": found.to_dict() if found else None,
    }


def load(path: Path) -> dict[str, Any]:
    """The results of an earlier run.

    Raises:
        CrnnError: If the file is missing or was not written by this benchmark.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}")
        if lacking := {"rows", "conditions", "data"} - found.keys():
            raise ValueError(f"it has no {', '.join(sorted(lacking))}")
        if lacking := {"folder", "images"} - found["data"].keys():
            raise ValueError(f"its data has no {', '.join(sorted(lacking))}")
        for number, row in enumerate(found["rows"], start=1):
            if lacking := _COMPARED - row.keys():
                raise ValueError(f"its row {number} has no {', '.join(sorted(lacking))}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CrnnError(
            f"--compare {path}: expected the --json of an earlier run of `backends`, format "
            f"{FORMAT} ({type(error).__name__}: {error})"
        ) from None
    return found
