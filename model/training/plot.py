"""A run's curve as a picture: loss and accuracy by step."""

from __future__ import annotations

from pathlib import Path

from crnn_edge.files import atomic_path


def plot_history(history: list[dict[str, float]], path: Path, title: str) -> None:
    """Draw loss (left, logarithmic) and accuracy (right) into the PNG `path`, atomically."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    losses = [(h["step"], h["loss"]) for h in history if "loss" in h]
    scores = [(h["step"], h["accuracy"], h["exact"]) for h in history if "accuracy" in h]
    figure, left = plt.subplots(figsize=(9, 5), layout="constrained")
    if losses:
        left.semilogy(*zip(*losses, strict=True), color="tab:blue", alpha=0.7)
    left.set(xlabel="step", ylabel="CTC loss per text", title=title)
    left.yaxis.label.set_color("tab:blue")
    right = left.twinx()
    if scores:
        steps, accuracy, exact = zip(*scores, strict=True)
        right.plot(steps, [100 * a for a in accuracy], "o-", color="tab:red", ms=3, label="STR")
        right.plot(steps, [100 * e for e in exact], "o--", color="tab:orange", ms=3, label="exact")
        right.legend(loc="lower right")
    right.set(ylabel="accuracy of the averaged weights (%)", ylim=(0, 100))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)
