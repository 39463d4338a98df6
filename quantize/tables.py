"""Comparisons as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crnn_edge.backends import FORMAT_BY_SUFFIX
from crnn_edge.metrics import Score
from crnn_edge.tables import markdown, percent
from quantize.comparison import Comparison, ModelResult


def pair(comparison: Comparison) -> str:
    """One comparison in full: a row for each figure, the two models side by side."""
    a, b = comparison.reference, comparison.candidate
    heads = (f"{comparison.crops}, n = {comparison.n}", a.name, b.name, "change")
    rows = [
        ("precision", a.precision, b.precision, ""),
        ("decoder", a.decoder, b.decoder, ""),
        *_score_rows("", a.score, b.score),
        ("same text, %", "", f"{100 * comparison.text_agreement:.2f}", ""),
        *_score_rows("greedy: ", a.greedy, b.greedy),
        ("greedy: same text, %", "", f"{100 * comparison.greedy_text_agreement:.2f}", ""),
        ("files, kB", f"{a.bytes / 1e3:.0f}", f"{b.bytes / 1e3:.0f}", _times(b.bytes / a.bytes)),
        (
            "median ms per crop, one thread",
            f"{a.median_ms:.2f}",
            f"{b.median_ms:.2f}",
            _times(b.median_ms / a.median_ms),
        ),
        ("max abs Δ logit", "", f"{comparison.max_difference:.2g}", ""),
        ("mean abs Δ logit", "", f"{comparison.mean_difference:.2g}", ""),
    ]
    return markdown(heads, rows)


def overview(comparisons: Sequence[Comparison], num_parameters: int) -> str:
    """Many files against one reference: a row for each file, the reference first.

    Args:
        comparisons: At least one, all with the same reference.
        num_parameters: The network's number of parameters.
    """
    first = comparisons[0]
    heads = (
        *("file", "format", "precision", "kB", "bytes/param", "accuracy %", "exact %", "CER %"),
        *("same text %", "greedy exact %", "max Δ", "median ms", f"× {first.reference.name}"),
        "self-test",
    )
    rows = [_row(first.reference, num_parameters, "", "", "1")]
    for comparison in comparisons:
        rows.append(
            _row(
                comparison.candidate,
                num_parameters,
                f"{100 * comparison.text_agreement:.1f}",
                f"{comparison.max_difference:.2g}",
                f"{comparison.latency_ratio:.2f}",
            )
        )
    caption = (
        f"{first.crops}, n = {first.n:,}, read with the decoder of each manifest ("
        f"{first.candidate.decoder}), greedily beside it; one thread, models in turn.\n"
        f"Against {first.reference.name}: same text, largest absolute logit difference (max Δ), "
        "median ratio of times.\nSelf-test: time steps that agree."
    )
    return f"{caption}\n\n{markdown(heads, rows)}"


def _row(
    result: ModelResult, num_parameters: int, agreement: str, difference: str, ratio: str
) -> tuple[str, ...]:
    test = result.selftest
    return (
        result.name,
        FORMAT_BY_SUFFIX.get(Path(result.name).suffix, "–"),
        result.precision,
        f"{result.bytes / 1e3:,.0f}",
        f"{result.bytes / num_parameters:.2f}",
        *(percent(x) for x in (result.score.accuracy, result.score.exact, result.score.cer)),
        agreement,
        percent(result.greedy.exact),
        difference,
        f"{result.median_ms:.2f}",
        ratio,
        f"{test.num_checked - len(test.differences)}/{test.num_checked}" if test else "none",
    )


def _score_rows(prefix: str, a: Score, b: Score) -> list[tuple[str, str, str, str]]:
    rows = []
    for name in ("accuracy", "exact", "cer"):
        before, after = getattr(a, name), getattr(b, name)
        cells = [f"{100 * x:.2f} [{100 * x.low:.1f}, {100 * x.high:.1f}]" for x in (before, after)]
        label = f"{prefix}{name}, % [95 % interval]"
        rows.append((label, cells[0], cells[1], f"{100 * (after - before):+.2f}"))
    return rows


def _times(ratio: float) -> str:
    return f"×{ratio:.2f}"
