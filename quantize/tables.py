"""Comparisons as tables for people: Markdown, padded so that it reads as plain text, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crnn_edge.backends import SUFFIXES
from crnn_edge.metrics import Score
from crnn_edge.tables import markdown, percent
from quantize.comparison import Comparison, Side


def pair(comparison: Comparison) -> str:
    """One comparison in full: a row a figure, the two sides next to each other."""
    a, b = comparison.reference, comparison.candidate
    heads = (f"{comparison.crops}, n = {comparison.n}", a.name, b.name, "change")
    rows = [
        ("precision", a.precision, b.precision, ""),
        *(_score_row(name, a.score, b.score) for name in ("accuracy", "exact", "cer")),
        ("file, kB", f"{a.bytes / 1e3:.0f}", f"{b.bytes / 1e3:.0f}", _times(b.bytes / a.bytes)),
        (
            "median ms a crop, one thread",
            f"{a.median_ms:.2f}",
            f"{b.median_ms:.2f}",
            _times(b.median_ms / a.median_ms),
        ),
        ("same text, %", "", f"{100 * comparison.same_text:.2f}", ""),
        ("max |Δ logit|", "", f"{comparison.max_difference:.2g}", ""),
        ("mean |Δ logit|", "", f"{comparison.mean_difference:.2g}", ""),
    ]
    return markdown(heads, rows)


def overview(comparisons: Sequence[Comparison], weights: int) -> str:
    """Many files against one reference: a row a file, the reference first.

    Args:
        comparisons: Those of one run, at least one.
        weights: How many weights the network has.
    """
    first = comparisons[0]
    heads = (
        *("file", "format", "precision", "kB", "bytes/weight", "accuracy %", "exact %", "CER %"),
        *("same text %", "max Δ", "median ms", f"× {first.reference.name}", "self-test"),
    )
    rows = [(*_row(first.reference, weights), "", "", _ms(first.reference), "1", "")]
    for comparison in comparisons:
        side = comparison.candidate
        rows.append(
            (
                *_row(side, weights),
                f"{100 * comparison.same_text:.1f}",
                f"{comparison.max_difference:.2g}",
                _ms(side),
                f"{comparison.ratio:.2f}",
                _pinned(side),
            )
        )
    caption = (
        f"{first.crops}, n = {first.n:,}, crop by crop in turns, one thread each. Against "
        f"{first.reference.name}:\nsame text, max |Δ logit| (max Δ) and the median ratio of times; "
        "self-test: checked time steps."
    )
    return f"{caption}\n\n{markdown(heads, rows)}"


def _row(side: Side, weights: int) -> tuple[str, ...]:
    return (
        side.name,
        SUFFIXES.get(Path(side.name).suffix, "–"),
        side.precision,
        f"{side.bytes / 1e3:,.0f}",
        f"{side.bytes / weights:.2f}",
        *(percent(x) for x in (side.score.accuracy, side.score.exact, side.score.cer)),
    )


def _pinned(side: Side) -> str:
    test = side.selftest
    return f"{test.num_checked - len(test.differences)}/{test.num_checked}" if test else "none"


def _ms(side: Side) -> str:
    return f"{side.median_ms:.2f}"


def _score_row(name: str, a: Score, b: Score) -> tuple[str, str, str, str]:
    before, after = getattr(a, name), getattr(b, name)
    cells = [f"{100 * x:.2f} [{100 * x.low:.1f}, {100 * x.high:.1f}]" for x in (before, after)]
    return (f"{name}, % [95 % interval]", cells[0], cells[1], f"{100 * (after - before):+.2f}")


def _times(ratio: float) -> str:
    return f"×{ratio:.2f}"
