"""A chart of what `backends` found: accuracy against latency, a bubble as large as the file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from examples.benchmarks.report import pictures
from runtime.files import write_whole

_STEPS = 3  # heights of the numbers, so that neighbours do not cover each other


def chart(found: dict[str, Any], path: Path) -> None:
    """Draw the rows with the fewest threads, numbered from the fastest on, and list them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    fewest = min(row["threads"] for row in found["rows"])
    rows = [row for row in found["rows"] if row["threads"] == fewest]
    rows.sort(key=lambda row: row["read_median_ms"][0])
    engines = sorted({row["backend"] for row in rows})
    figure_, axes = pyplot.subplots(figsize=(11, 5.5), layout="constrained")
    for k, row in enumerate(rows):
        x, megabytes = row["read_median_ms"][0], row["size_bytes"] / 1e6
        y, low, high = (100 * share for share in row["score"]["accuracy"])
        colour = f"C{engines.index(row['backend'])}"
        told = f"{k + 1}  {row['file']}, {row['precision']}, {row['backend']}, {megabytes:.2f} MB"
        axes.scatter([x], [y], s=60 * megabytes, color=colour, alpha=0.4)
        axes.errorbar([x], [y], [[y - low], [high - y]], fmt=".", color=colour, label=told)
        offset = 0, 2 + 11 * (k % _STEPS)
        axes.annotate(
            str(k + 1), (x, high), offset, textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel(f"median ms a read, threads: {fewest}")
    axes.set_ylabel("STR accuracy, % (95 % interval)")
    axes.set_title(f"{found['conditions'].split(',')[0]}, {pictures(found)}", fontsize=9)
    axes.margins(0.1, 0.15)
    axes.grid(alpha=0.3)
    figure_.legend(loc="outside right upper", fontsize=7, frameon=False)
    drawn = BytesIO()
    figure_.savefig(drawn, dpi=150, format="png")
    pyplot.close(figure_)
    write_whole(path, drawn.getvalue())
