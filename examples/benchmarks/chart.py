"""A chart of accuracy against latency: a bubble a reader, as large as its file."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from crnn_edge.files import atomic_write

_STEPS = 3  # heights of the numbers, so that neighbors do not cover each other


class Bubble(NamedTuple):
    """One reader.

    Attributes:
        told: What it is called.
        group: Readers of one group have one color.
        ms: How long it takes for a picture.
        accuracy: A share of the pictures, and its 95 % interval.
        size_bytes: Of its file.
    """

    told: str
    group: str
    ms: float
    accuracy: Sequence[float]
    size_bytes: int


def chart(bubbles: Sequence[Bubble], title: str, time: str, path: Path) -> None:
    """Draw readers, numbered from the fastest on, and list them.

    Args:
        bubbles: The readers.
        title: What was measured.
        time: What `ms` is.
        path: Where the PNG goes.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    groups = list(dict.fromkeys(bubble.group for bubble in bubbles))
    figure, axes = pyplot.subplots(figsize=(11, 5.5), layout="constrained")
    for k, bubble in enumerate(sorted(bubbles, key=lambda bubble: bubble.ms)):
        x, megabytes = bubble.ms, bubble.size_bytes / 1e6
        y, low, high = (100 * share for share in bubble.accuracy)
        color = f"C{groups.index(bubble.group)}"
        told = f"{k + 1}  {bubble.told}, {megabytes:.2f} MB"
        axes.scatter([x], [y], s=60 * megabytes, color=color, alpha=0.4)
        axes.errorbar([x], [y], [[y - low], [high - y]], fmt=".", color=color, label=told)
        offset = 0, 2 + 11 * (k % _STEPS)
        axes.annotate(
            str(k + 1), (x, high), offset, textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel(time)
    axes.set_ylabel("STR accuracy, % (95 % interval)")
    axes.set_title(title, fontsize=9)
    axes.margins(0.1, 0.15)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=7, frameon=False)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=150, format="png")
    pyplot.close(figure)
    atomic_write(path, drawn.getvalue())
