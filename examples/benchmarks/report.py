"""What `backends` found: as JSON, as a table, compared with an earlier run, as a chart."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.benchmarks.stats import median
from examples.benchmarks.table import figure, markdown, percent, times
from examples.benchmarks.turns import Reader, against
from runtime.bench import STAGES, quantiles
from runtime.errors import CrnnError
from runtime.metrics import Estimate

FORMAT = 1
"""Of the JSON; another number, another meaning."""

_READ = 3  # stages that a read consists of; the confidence is computed only when asked for
_SLOWER = 1.05  # less is not worth a word, even where the intervals tell it


def figures(
    readers: Sequence[Reader], truths: Sequence[str], baseline: str | None
) -> dict[str, Any]:
    """Everything measured, as JSON can hold it: `rows`, and `failures` with their reasons.

    Raises:
        CrnnError: If no row is called like the baseline.
    """
    measured = [reader for reader in readers if reader.durations_ms]
    chosen = [reader for reader in measured if reader.label.startswith(baseline or "")]
    if measured and not chosen:
        labels = "; ".join(reader.label for reader in measured)
        raise CrnnError(f"no row is called {baseline!r}, to be the baseline. There are: {labels}")
    return {
        "format": FORMAT,
        "baseline": chosen[0].label if chosen else None,
        "rows": [_row(reader, chosen[0], measured, truths) for reader in measured],
        "failures": {reader.label: reader.failure for reader in readers if reader.failure},
    }


def _row(
    reader: Reader, baseline: Reader, readers: Sequence[Reader], truths: Sequence[str]
) -> dict[str, Any]:
    durations_ms = np.array(reader.durations_ms)
    reads_ms = durations_ms[:, :_READ].sum(axis=1)
    single = next(
        (
            other
            for other in readers
            if all(other.about[k] == reader.about[k] for k in ("file", "backend"))
            and other.about["threads"] == 1
        ),
        None,
    )
    rates = {size: dict(rates) for size, rates in reader.about["words_per_s"].items()}
    scaling = {
        size: against(rates[size], single.about["words_per_s"].get(size, {}))
        for size in rates
        if single is not None and single is not reader
    }
    found = reader.score(truths)
    return {
        **reader.about,
        "label": reader.label,
        "reads": len(reads_ms),
        "read_ms": vars(quantiles(reads_ms)),
        "read_median_ms": _list(median(reads_ms.tolist())),
        "stages_ms": {s: vars(quantiles(durations_ms[:, k])) for k, s in enumerate(STAGES)},
        "overhead": float(1 - np.median(durations_ms[:, 1]) / np.median(reads_ms)),
        "times_baseline": _list(against(reader.rounds_ms, baseline.rounds_ms)),
        "words_per_s": {size: _list(median(list(r.values()))) for size, r in rates.items()},
        "times_one_thread": {size: _list(value) for size, value in scaling.items()},
        "widths_ms": {w: _list(median(ms)) for w, ms in reader.about["widths_ms"].items()},
        "score": found.to_dict() if found else None,
    }


def _list(value: Estimate | None) -> list[float] | None:
    return None if value is None else [round(float(x), 5) for x in (value, value.low, value.high)]


def _estimate(value: Sequence[float] | None) -> Estimate | None:
    return None if value is None else Estimate(*value)


def save(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any]:
    """The figures of an earlier run.

    Raises:
        CrnnError: If the file is missing or was not written by this benchmark.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        assert found["format"] == FORMAT
        assert isinstance(found["rows"], list)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise CrnnError(
            f"--compare {path}: expected the --json of an earlier run of `backends`, format "
            f"{FORMAT} ({type(error).__name__}: {error})"
        ) from None
    return found


def table(found: dict[str, Any]) -> str:
    """The conditions, a row a reader, and what was left out."""
    engines = sorted({f"{n} {v}" for row in found["rows"] for n, v in row["engine"].items()})
    lines = [f"{'; '.join([found['conditions'], *engines])}; {_pictures(found)}", ""]
    sizes = sorted({size for row in found["rows"] for size in row["words_per_s"]}, key=int)
    heads = [
        "model", "engine", "precision", "threads", "read p50 / p95 / p99 ms",
        "preprocess + model + decode ms", "overhead", "× baseline",
        *(f"words/s, {size} at once" for size in sizes), "× 1 thread",
        "cold start ms", "peak MB", "file MB", "STR accuracy %", "exact %", "n",
    ]  # fmt: skip
    rows = []
    for row in found["rows"]:
        ratio, scaling = _estimate(row["times_baseline"]), row["times_one_thread"]
        scaled = [_estimate(value) for value in list(scaling.values())[-1:] if value]
        rates = [_estimate(row["words_per_s"].get(size)) for size in sizes]
        scores = [Estimate(*row["score"][k]) for k in ("accuracy", "exact")]
        rows.append(
            [
                row["file"],
                row["backend"],
                row["precision"],
                str(row["threads"]),
                " / ".join(map(figure, row["read_ms"].values())),
                " + ".join(figure(row["stages_ms"][s]["p50_ms"]) for s in STAGES[:_READ]),
                f"{100 * row['overhead']:.0f} %",
                "1" if row["label"] == found["baseline"] else times(ratio) if ratio else "–",
                *(figure(rate) if rate is not None else "–" for rate in rates),
                f"{scaled[0]:.2f}" if scaled and scaled[0] is not None else "–",
                figure(row["cold_start_ms"]),
                figure(row["peak_rss_mb"]),
                f"{row['size_bytes'] / 1e6:.2f}",
                *map(percent, scores),
                f"{row['score']['n']:,}",
            ]
        )
    lines.append(markdown(heads, rows) if rows else "nothing was measured")
    lines += [f"\nleft out: {label}: {why}" for label, why in found["failures"].items()]
    return "\n".join(lines)


def _pictures(found: dict[str, Any]) -> str:
    return f"{found['data']['pictures']:,} pictures of {Path(found['data']['folder']).name}"


def widths_table(found: dict[str, Any]) -> str:
    """Milliseconds a read by the width of the picture."""
    widths = sorted({width for row in found["rows"] for width in row["widths_ms"]}, key=int)
    rows = []
    for row in found["rows"]:
        values = [_estimate(row["widths_ms"].get(width)) for width in widths]
        rows.append([row["label"], *(figure(v) if v is not None else "–" for v in values)])
    return markdown(["median ms a read", *(f"{width} px wide" for width in widths)], rows)


def comparison(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What changed since an earlier run, row by row; "slower" where the intervals are apart."""
    before = {_key(row): row for row in old["rows"]}
    rows = []
    for row in new["rows"]:
        if (was := before.pop(_key(row), None)) is None:
            rows.append([row["label"], "–", figure(row["read_median_ms"][0]), "–", "–", "–", "new"])
            continue
        a, b = Estimate(*was["read_median_ms"]), Estimate(*row["read_median_ms"])
        accuracy = 100 * (row["score"]["accuracy"][0] - was["score"]["accuracy"][0])
        rows.append(
            [
                row["label"],
                figure(a),
                figure(b),
                f"{100 * (b / a - 1):+.1f} %",
                f"{100 * (row['size_bytes'] / was['size_bytes'] - 1):+.1f} %",
                f"{accuracy:+.1f}",
                verdict(a, b),
            ]
        )
    rows += [[row["label"], figure(row["read_median_ms"][0]), *"––––", "gone"]
             for row in before.values()]  # fmt: skip
    heads = ["compared", "ms before", "ms now", "time", "file", "accuracy, points", "so it is"]
    remark = "" if old["conditions"].split(",")[:2] == new["conditions"].split(",")[:2] else (
        f"Another machine then: {old['conditions']}\n\n"
    )  # fmt: skip
    return remark + markdown(heads, rows)


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["file"], row["backend"], row["threads"]


def verdict(before: Estimate, now: Estimate) -> str:
    """`slower` or `faster` where both the intervals and 5 % tell it, else `the same`."""
    if now.low > before.high and now > before * _SLOWER:
        return "slower"
    if now.high < before.low and before > now * _SLOWER:
        return "faster"
    return "the same"


def chart(found: dict[str, Any], path: Path) -> None:
    """Draw accuracy against latency, a bubble as large as the file, one thread."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

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
    axes.set_xlabel(f"median ms a read, threads: {fewest}")
    axes.set_ylabel("STR accuracy, % (95 % interval)")
    axes.set_title(f"{found['conditions'].split(',')[0]}, {_pictures(found)}", fontsize=9)
    axes.margins(0.2)
    axes.grid(alpha=0.3, which="both")
    axes.legend(title="engine", markerscale=0.5)
    figure_.savefig(path, dpi=150)
    pyplot.close(figure_)
