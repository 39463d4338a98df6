"""A chart of accuracy against time: a labelled point a recognizer, and the frontier."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crnn_edge.files import atomic_write

_COLORS = ("#c0392b", "#2471a3", "#7d6608", "#6c3483", "#1e8449", "#555555")
_LABEL_HEIGHT, _CHARACTER_WIDTH = 12, 5.4  # size of a label, in points of the chart

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


class Point(NamedTuple):
    """One recognizer.

    Attributes:
        label: Its name.
        family: Points of one family have one color.
        ms: How long it takes for an image.
        accuracy: A share of the images, and its 95 % interval.
    """

    label: str
    family: str
    ms: float
    accuracy: Sequence[float]


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points than which no other one is both faster and more accurate, fastest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.ms, -point.accuracy[0])):
        if not best or point.accuracy[0] > best[-1].accuracy[0]:
            best.append(point)
    return best


def chart(points: Sequence[Point], title: str, time: str, path: Path) -> None:
    """Draw the points, each with its interval and its name, and a line along the frontier.

    Args:
        points: The recognizers.
        title: What was measured.
        time: What `ms` is, the label of the horizontal axis.
        path: Where the PNG goes.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    families = list(dict.fromkeys(point.family for point in points))
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    best = frontier(points)
    axes.plot(
        [point.ms for point in best],
        [100 * point.accuracy[0] for point in best],
        color="0.6",
        linewidth=1.5,
        zorder=0,
    )
    for point in points:
        value, low, high = (100 * share for share in point.accuracy)
        color = _COLORS[families.index(point.family) % len(_COLORS)]
        axes.errorbar(
            [point.ms], [value], [[value - low], [high - value]],
            fmt="o", color=color, markersize=6, elinewidth=1, alpha=0.9,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.margins(0.1, 0.1)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel(time)
    axes.set_ylabel("STR accuracy, %")
    axes.set_title(f"{title}\nbars: 95 % intervals; gray line: the frontier", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)
    figure.draw_without_rendering()
    scale = 72 / figure.dpi  # pixels to points
    at = [axes.transData.transform((p.ms, 100 * p.accuracy[0])) * scale for p in best]
    taken = [
        (x - 1.0, y - 1.0, x + 1.0, y + 1.0)
        for (x1, y1), (x2, y2) in pairwise(at)
        for x, y in np.linspace((x1, y1), (x2, y2), 60)
    ]
    for point in points:
        x, low = axes.transData.transform((point.ms, 100 * point.accuracy[1])) * scale
        _, high = axes.transData.transform((point.ms, 100 * point.accuracy[2])) * scale
        taken.append((x - 3, low, x + 3, high))
    edges = axes.bbox.x0 * scale, axes.bbox.x1 * scale
    for point in sorted(points, key=lambda point: -point.accuracy[0]):
        x, y = axes.transData.transform((point.ms, 100 * point.accuracy[0])) * scale
        dx, dy = _place(x, y, len(point.label) * _CHARACTER_WIDTH, edges, taken)
        axes.annotate(
            point.label,
            (point.ms, 100 * point.accuracy[0]),
            (dx, dy),
            textcoords="offset points",
            ha="left" if dx > 0 else "right",
            va="center",
            fontsize=9,
            color=_COLORS[families.index(point.family) % len(_COLORS)],
            fontweight="bold" if point in best else "normal",
        )
    drawn = BytesIO()
    figure.savefig(drawn, dpi=150, format="png")
    pyplot.close(figure)
    atomic_write(path, drawn.getvalue())


def _place(
    x: float, y: float, width: float, edges: tuple[float, float], taken: list[Box]
) -> tuple[float, float]:
    """Where a label goes, relative to its point, so that it covers nothing else.

    Args:
        x: Of the point, in points of the chart.
        y: Likewise.
        width: Of the label.
        edges: Left and right edge of the axes.
        taken: Boxes of what is drawn already; the label's is added.
    """
    best = 6.0, 9.0
    heights = [5.0 * k * sign for k in range(10) for sign in (1, -1)]
    for dx, dy in ((dx, dy) for dy in heights for dx in (8.0, -8.0)):
        left = x + dx if dx > 0 else x + dx - width
        box = (left, y + dy - _LABEL_HEIGHT / 2, left + width, y + dy + _LABEL_HEIGHT / 2)
        inside = edges[0] < box[0] and box[2] < edges[1]
        if inside and not any(
            box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken
        ):
            best = dx, dy
            taken.append(box)
            break
    return best
