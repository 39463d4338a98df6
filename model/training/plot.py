"""A run's training curve as a picture: loss and accuracy by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_edge.files import atomic_path

_SMOOTHING = 0.03  # of the entries: the width of the moving average


def plot_history(history: list[dict[str, float]], path: Path, title: str) -> None:
    """Draw loss (left, logarithmic) and accuracy (right) into the PNG `path`, atomically.

    Args:
        history: Entries of a run's log.
        path: The file.
        title: Above the plot.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter, MaxNLocator

    losses = [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]
    scores = [(e["step"], e["exact"], e["accuracy"]) for e in history if "accuracy" in e]
    figure, left = plt.subplots(figsize=(9, 5), layout="constrained")
    if losses:
        steps, loss = np.array(losses, dtype=np.float64).T
        left.plot(steps, loss, color="tab:blue", alpha=0.2, lw=0.8)
        left.plot(steps, smoothed(loss), color="tab:blue", lw=1.6)
        if np.isfinite(loss).any() and np.nanmin(loss) > 0:
            _set_log_scale(left, loss[np.isfinite(loss)])
    left.set(xlabel="step", ylabel="CTC loss per text, nats (smoothed)", title=title)
    left.yaxis.label.set_color("tab:blue")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.xaxis.set_major_formatter(EngFormatter(sep=""))
    left.grid(alpha=0.25)
    right = left.twinx()
    if scores:
        at, exact, accuracy = zip(*scores, strict=True)
        right.plot(at, [100 * e for e in exact], "o-", color="tab:red", ms=3, label="exact")
        right.plot(
            at,
            [100 * a for a in accuracy],
            "o--",
            color="tab:orange",
            ms=3,
            label="STR accuracy",
        )
        right.legend(loc="center right")
    right.set(ylabel="validation set, averaged weights (%)", ylim=(0, 100))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def smoothed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The centered moving average of values `(N,)`; values that are not finite are ignored."""
    half = max(1, round(len(values) * _SMOOTHING / 2))
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.where(finite, values, 0.0).cumsum()])
    counts = np.concatenate([[0], finite.cumsum()])
    first = np.maximum(np.arange(len(values)) - half, 0)
    end = np.minimum(np.arange(len(values)) + half + 1, len(values))
    with np.errstate(invalid="ignore"):
        return (sums[end] - sums[first]) / (counts[end] - counts[first])  # type: ignore[no-any-return]


def _set_log_scale(axes: object, values: npt.NDArray[np.float64]) -> None:
    """A logarithmic axis whose ticks are plain numbers: 0.5, 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")  # type: ignore[attr-defined]
    wide = values.max() / values.min() > 200
    subs = (1.0,) if wide else (1.0, 2.0, 5.0)
    axis = axes.yaxis  # type: ignore[attr-defined]
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
