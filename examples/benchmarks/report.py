"""The results of `backends` as text: tables, a chart, and what changed since an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from crnn_edge.metrics import Estimate
from crnn_edge.tables import figure, markdown, percent, times
from examples.benchmarks.chart import Point, chart
from examples.benchmarks.recommendation import recommended, unscaled
from examples.benchmarks.results import READ
from examples.benchmarks.stats import from_list, verdict


def table(found: dict[str, Any], *, brief: bool = False) -> str:
    """The conditions, a row for each reader, recommendations, and what was left out.

    Args:
        found: The results.
        brief: Only the columns to choose by.
    """
    engines = sorted({f"{n} {v}" for row in found["rows"] for n, v in row["engine"].items()})
    columns = _columns(found, brief)
    rows = [[cell(row) for cell in columns.values()] for row in found["rows"]]
    threads = " or ".join(map(str, sorted({row["threads"] for row in found["rows"]})))
    parts = [found["conditions"], *engines, *([f"threads: {threads}"] if rows else [])]
    sound = [row for row in found["rows"] if row["label"] not in found["failures"]]
    remarks = [
        *(f"- recommended {text}" for text in recommended(sound)),
        *(f"- does not scale {text}" for text in unscaled(found["rows"])),
        *(f"- left out: {label}: {why}" for label, why in found["failures"].items()),
    ]
    return "\n".join(
        [
            f"{'; '.join(parts)}; {images(found)}",
            "",
            markdown(list(columns), rows) if rows else "nothing was measured",
            *(["", *remarks] if remarks else []),
        ]
    )


def draw(found: dict[str, Any], path: Path) -> None:
    """A chart of the rows with the fewest threads."""
    fewest = min(row["threads"] for row in found["rows"])
    points = [
        Point(
            f"{row['name']}, {row['precision']}, {row['backend']}",
            row["backend"],
            row["read_median_ms"][0],
            row["score"]["accuracy"],
        )
        for row in sorted(found["rows"], key=lambda row: row["backend"])
        if row["threads"] == fewest
    ]
    title = f"{found['conditions'].split(',')[0]}, {images(found)}"
    chart(points, title, f"median ms a read, threads: {fewest}", path)


def _columns(found: dict[str, Any], brief: bool) -> dict[str, Callable[[Any], str]]:
    """What formats each cell of a row, by the head of its column."""
    sizes = sorted({size for row in found["rows"] for size in row["words_per_s"]}, key=int)

    def rate(row: dict[str, Any], size: str) -> str:
        value = from_list(row["words_per_s"].get(size))
        return "–" if value is None else figure(value)

    def scaled(row: dict[str, Any]) -> str:
        ratio = row["times_one_thread"].get(sizes[-1])
        return f"{ratio[0]:.2f}" if ratio else "–"

    def spread(quantiles: dict[str, float]) -> str:
        return " / ".join(map(figure, quantiles.values()))

    def cold(row: dict[str, Any]) -> str:
        parts = " + ".join(map(figure, row["cold_parts_ms"].values()))
        return f"{figure(row['cold_start_ms'])} ({parts})"

    def compared(row: dict[str, Any]) -> str:
        return "1" if row["label"] == found["baseline"] else times(from_list(row["times_baseline"]))

    def scored(row: dict[str, Any], kind: str) -> str:
        return percent(Estimate(*row["score"][kind]))

    columns: dict[str, Callable[[Any], str]] = {
        "model": lambda row: row["file"],
        "engine": lambda row: row["backend"],
        "precision": lambda row: row["precision"],
        "threads": lambda row: str(row["threads"]),
    }
    if brief:
        columns["ms a read"] = lambda row: figure(row["read_ms"]["p50_ms"])
    else:
        columns["ms a read p50 / p95 / p99"] = lambda row: spread(row["read_ms"])
        for stage in READ:
            columns[f"{stage} p50 / p95 / p99"] = lambda row, stage=stage: spread(  # type: ignore[misc]
                row["stages_ms"][stage]
            )
    columns["overhead %"] = lambda row: f"{100 * row['overhead']:.0f}"
    columns["× baseline"] = compared
    for size in sizes:
        columns[f"words/s, {size} at once"] = lambda row, size=size: rate(row, size)  # type: ignore[misc]
    if brief:
        columns["cold start ms"] = lambda row: figure(row["cold_start_ms"])
    else:
        if sizes:
            columns[f"× 1 thread, {sizes[-1]} at once"] = scaled
        columns["cold start ms (import + load + first read)"] = cold
    columns["peak MB"] = lambda row: figure(row["peak_rss_mb"])
    columns["file MB"] = lambda row: f"{row['size_bytes'] / 1e6:.2f}"
    columns["STR accuracy %"] = lambda row: scored(row, "accuracy")
    columns["exact %"] = lambda row: scored(row, "exact")
    columns["n"] = lambda row: f"{row['score']['n']:,}"
    return columns


def images(found: dict[str, Any]) -> str:
    """What was read, as text."""
    return f"{found['data']['images']:,} images of {Path(found['data']['folder']).name}"


def widths_table(found: dict[str, Any]) -> str:
    """Milliseconds a read by the width of the image."""
    widths = sorted({width for row in found["rows"] for width in row["widths_ms"]}, key=int)
    rows = []
    for row in found["rows"]:
        values = [from_list(row["widths_ms"].get(width)) for width in widths]
        rows.append([row["label"], *(figure(v) if v is not None else "–" for v in values)])
    return markdown(["median ms a read", *(f"{width} px wide" for width in widths)], rows)


def comparison(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What changed since an earlier run; "slower" where the intervals do not overlap."""
    before = {_key(row): row for row in old["rows"]}
    rows = []
    for row in new["rows"]:
        was, now_ms = before.pop(_key(row), None), row["read_median_ms"][0]
        if was is None:
            rows.append([row["label"], "–", figure(now_ms), "–", "–", "–", "new"])
            continue
        was_ms = was["read_median_ms"][0]
        accuracy = 100 * (row["score"]["accuracy"][0] - was["score"]["accuracy"][0])
        cells = [
            row["label"],
            figure(was_ms),
            figure(now_ms),
            f"{100 * (now_ms / was_ms - 1):+.1f} %",
        ]
        cells += [f"{100 * (row['size_bytes'] / was['size_bytes'] - 1):+.1f} %", f"{accuracy:+.1f}"]
        rows.append([*cells, verdict(was["read_median_ms"], row["read_median_ms"])])
    for row in before.values():
        was_ms = figure(row["read_median_ms"][0])
        rows.append([row["label"], was_ms, "–", "–", "–", "–", "gone"])
    remarks = []
    if old["conditions"].split(",")[:2] != new["conditions"].split(",")[:2]:
        remarks.append(f"The earlier run was on another machine: {old['conditions']}\n\n")
    if old["data"] != new["data"]:
        remarks.append(f"The earlier run read other images: {images(old)}\n\n")
    heads = ["compared", "ms before", "ms now", "time", "file", "accuracy, points", "verdict"]
    return "".join(remarks) + markdown(heads, rows)


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["file"], row["backend"], row["threads"]
