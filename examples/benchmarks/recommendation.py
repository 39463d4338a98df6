"""Conclusions from the results of `backends`: which file and how many threads to use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from crnn_edge.tables import figure
from examples.benchmarks.stats import verdict

_SCALES = 0.8  # of the threads; two must give 1.6 times the words a second of one


def unscaled(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Rows whose threads give less than 80 % of that many times one thread's words a second."""
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for row in rows:
        for size, ratio in _short(row).items():
            text = f"{row['file']} ({row['backend']}) {ratio:.2f}×"
            found[row["threads"], size].append(text)
    for (threads, size), texts in found.items():
        yield f"to {threads} threads, {size} at once: {'; '.join(texts)}"


def recommended(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """For each model, the file, engine and number of threads to use.

    Among the files whose accuracy does not differ significantly from the best one's, it is the one
    that reads an image fastest with the fewest threads; then as many threads as its batches scale
    to, where several numbers were measured.
    """
    several = len({row["threads"] for row in rows}) > 1
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name and row["score"]]
        best_low = max((row["score"]["accuracy"][1] for row in own), default=0.0)
        fewest = min((row["threads"] for row in own), default=1)
        able = [
            row
            for row in own
            if row["threads"] == fewest and row["score"]["accuracy"][2] >= best_low
        ]
        if not able:
            continue
        best = able[0]
        for row in able[1:]:
            if verdict(best["read_median_ms"], row["read_median_ms"]) == "faster":
                best = row
        paying = [
            row
            for row in own
            if all(row[key] == best[key] for key in ("file", "backend")) and _pays(row, best)
        ]
        chosen = max(paying, key=lambda row: row["threads"], default=best)
        rates = ", ".join(
            f"{figure(rate[0])} words/s {size} at once"
            for size, rate in chosen["words_per_s"].items()
        )
        threads = f", threads: {chosen['threads']}" if several else ""
        yield (
            f"for {name}: {chosen['file']} in {chosen['backend']}{threads} "
            f"({figure(chosen['read_median_ms'][0])} ms a read{', ' if rates else ''}{rates})"
        )


def _pays(row: dict[str, Any], fewest: dict[str, Any]) -> bool:
    """Whether a row's additional threads speed up batches and do not slow down single reads."""
    if verdict(fewest["read_median_ms"], row["read_median_ms"]) == "slower" or _short(row):
        return False
    return any(_large(row, size) for size, ratio in row["times_one_thread"].items() if ratio)


def _large(row: dict[str, Any], size: str) -> bool:
    """Whether a batch has an image for each thread."""
    threads: int = row["threads"]
    return int(size) >= threads > 1


def _short(row: dict[str, Any]) -> dict[str, float]:
    """The ratio to one thread's words a second, by batch size, where it is too low."""
    return {
        size: ratio[0]
        for size, ratio in row["times_one_thread"].items()
        if _large(row, size) and ratio and ratio[0] < _SCALES * row["threads"]
    }
