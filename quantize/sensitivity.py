"""Which layer costs how much when it is quantized: `python -m quantize.sensitivity MODEL`.

Every layer is made INT8 by itself, the others left in float. Accuracy on a few hundred crops tells
little of one layer, so the report has finer measures, too: how many time steps get another class,
and how far the classes' distribution moves (Kullback-Leibler divergence).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crnn_edge.backends import CHECKPOINT, SUFFIXES, open_backend
from crnn_edge.cli.run import run_command
from crnn_edge.errors import ModelFileError
from crnn_edge.tables import markdown
from quantize import cli
from quantize import mixed_precision as auto
from quantize.comparison import Comparison

CALLS = 3
"""How often each file runs on a crop, so that the microseconds of one layer can be told."""

_BAR = 20  # characters

EXAMPLES = """\
examples:
  python -m quantize.sensitivity build/crnn-lite.onnx
  python -m quantize.sensitivity meter.onnx --calibration meter-crops --data meters/dev --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m quantize.sensitivity`."""
    parser = argparse.ArgumentParser(
        prog="python -m quantize.sensitivity",
        description="Quantize each layer of an FP32 model file by itself and tell what that costs\n"
        "in accuracy, and what it gains in time and size. `--auto` of the commands that\n"
        "quantize keeps those layers in float that need it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="FP32 model file of any format")
    cli.add_crops(parser)
    args = parser.parse_args(argv)

    def work() -> None:
        form = _format(args.model)
        calibrating, judging = cli.crops(args)
        charset = open_backend(args.model, threads=1).manifest.charset
        judging = cli.judges(judging, charset, int8=True)
        cli.remark(f"quantizing each layer with {calibrating}, comparing on {judging}")
        found = auto.costs(form, args.model, calibrating, judging, CALLS)
        print(json.dumps(to_dict(found)) if args.json else table(found))

    return run_command(work)


def to_dict(found: Mapping[str, Comparison]) -> dict[str, Any]:
    """The report for programs: a comparison with the FP32 file for each layer."""
    return {layer: comparison.to_dict() for layer, comparison in found.items()}


def table(found: Mapping[str, Comparison]) -> str:
    """The report for people."""
    together = found[auto.TOGETHER]
    worst = max(comparison.divergence for comparison in found.values()) or 1
    heads = (
        *("INT8 alone", "accuracy", "exact", "same text %", "same steps %", "mean Δ"),
        *("KL, mnat", "", "time", "kB"),
    )
    rows = [
        (
            layer,
            *(f"{_points(comparison, name):+.2f}" for name in ("accuracy", "exact")),
            f"{100 * comparison.same_text:.1f}",
            f"{100 * comparison.same_steps:.2f}",
            f"{comparison.mean_difference:.3f}",
            f"{1e3 * comparison.divergence:.2f}",
            "█" * round(_BAR * comparison.divergence / worst),
            f"{_percent(comparison.ratio):+.1f} % "
            f"[{_percent(comparison.ratio.low):+.1f}, {_percent(comparison.ratio.high):+.1f}]",
            f"{(comparison.candidate.bytes - comparison.reference.bytes) / 1e3:+,.0f}",
        )
        for layer, comparison in found.items()
    ]
    before = together.reference
    caption = (
        f"{together.crops}, n = {together.n:,}, against {before.name} (accuracy "
        f"{100 * before.score.accuracy:.2f} %, {before.bytes / 1e3:,.0f} kB, "
        f"{before.median_ms:.3f} ms a crop on one thread).\nAccuracy and exact in points; mean "
        "|Δ logit|; KL divergence of a time step; time with its 95 % interval."
    )
    return f"{caption}\n\n{markdown(heads, rows)}"


def _format(path: Path) -> cli.Format:
    """The format of a model file, by its suffix.

    Raises:
        ModelFileError: If no format has that suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        told = ": export it first" if suffix == CHECKPOINT else ""
        raise ModelFileError(
            f"{path} is no model file by its suffix: expected one of {', '.join(SUFFIXES)}{told}"
        )
    form: cli.Format = importlib.import_module(f"quantize.{SUFFIXES[suffix]}").FORMAT
    return form


def _points(comparison: Comparison, name: str) -> float:
    after, before = comparison.candidate.score, comparison.reference.score
    return 100 * float(getattr(after, name) - getattr(before, name))


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)


if __name__ == "__main__":
    sys.exit(main())
