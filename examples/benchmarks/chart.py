"""A chart of what `backends` found: accuracy against latency, a bubble as large as the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from examples.benchmarks.report import pictures


def chart(found: dict[str, Any], path: Path) -> None:
    """Draw the rows with the fewest threads."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    fewest = min(row["threads"] for row in found["rows"])
    rows = [row for row in found["rows"] if row["threads"] == fewest]
    figure_, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    for backend in sorted({row["backend"] for row in rows}):
        own = [row for row in rows if row["backend"] == backend]
        x = [row["read_median_ms"][0] for row in own]
        y = [100 * row["score"]["accuracy"][0] for row in own]
        bars = np.abs(np.array([row["score"]["accuracy"][1:] for row in own]).T * 100 - y)
        area = [60 * row["size_bytes"] / 1e6 for row in own]
        points = axes.scatter(x, y, s=area, alpha=0.5, label=backend)
        colour = points.get_facecolor()[0]
        axes.errorbar(x, y, yerr=bars, fmt=".", color=colour, elinewidth=0.8, markersize=3)
        for row, across, up in zip(own, x, y, strict=True):
            told = f"{row['file']}\n{row['size_bytes'] / 1e6:.2f} MB"
            axes.annotate(told, (across, up), (8, 8), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel(f"median ms a read, threads: {fewest}")
    axes.set_ylabel("STR accuracy, % (95 % interval)")
    axes.set_title(f"{found['conditions'].split(',')[0]}, {pictures(found)}", fontsize=9)
    axes.margins(0.2)
    axes.grid(alpha=0.3)
    axes.legend(title="engine", markerscale=0.5, loc="lower right")
    figure_.savefig(path, dpi=150)
    pyplot.close(figure_)
