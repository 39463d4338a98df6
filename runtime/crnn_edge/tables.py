"""Markdown tables, and figures with their intervals as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crnn_edge.metrics import Estimate


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with the first column left-aligned and the others right-aligned.

    Cells are padded, so that the source is legible as plain text.
    """
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (heads, *rows)]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(heads))]
    lines = ["| " + " | ".join(_pad(row, widths)) + " |" for row in cells]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def _pad(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if k else cell.ljust(width)
        for k, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def figure(value: float) -> str:
    """Three digits that count: `0.123`, `1.23`, `12.3`, `123`, `1,234`."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 4)}f}"


def times(ratio: Estimate | None) -> str:
    """A ratio and its interval, if it has one: `0.41× [0.40, 0.43]`."""
    return "–" if ratio is None else f"{figure(ratio)}×{_bounds(ratio)}"


def percent(share: Estimate) -> str:
    """A share and the larger half of its interval: `76.2 ± 2.4`."""
    half = max(share.high - share, share - share.low)
    return f"{100 * share:.1f} ± {100 * half:.1f}"


def interval(value: Estimate) -> str:
    """A figure and its interval, if it has one: `307 [245, 690]`."""
    return f"{figure(value)}{_bounds(value)}"


def _bounds(value: Estimate) -> str:
    return "" if math.isnan(value.low) else f" [{figure(value.low)}, {figure(value.high)}]"
