"""Which layer costs how much accuracy when it is quantized: `python -m quantize.sensitivity MODEL`.

Every layer is quantized alone, the others kept in float. Accuracy on a few hundred crops says
little about one layer, so the report has finer measures, too: the share of time steps with the same
most probable class, and the Kullback-Leibler divergence of the classes.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from crnn_edge.backends import find_model, open_backend
from crnn_edge.cli.run import run_command
from crnn_edge.tables import markdown
from quantize.arguments import add_crops, to_config
from quantize.comparison import Comparison
from quantize.config import QuantizationConfig
from quantize.mixed_precision import ALL_LAYERS, layer_sensitivity
from quantize.pipeline import encodable_crops, load_crops, quantizer_of

CALLS = 3
"""How often each file runs on a crop, so that microseconds of one layer can be measured."""

_BAR = 20  # characters

EXAMPLES = """\
examples:
  python -m quantize.sensitivity build/crnn-lite.onnx
  python -m quantize.sensitivity meter.onnx --calibration meter-crops --validation meters/dev --json
"""

log = logging.getLogger("crnn_edge")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `python -m quantize.sensitivity`."""
    parser = argparse.ArgumentParser(
        prog="python -m quantize.sensitivity",
        description="Quantize each layer of an FP32 model file alone and show what that costs in\n"
        "accuracy and what it gains in time and size. `--mixed-precision` of the commands\n"
        "that quantize keeps the most sensitive layers in float.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=find_model,
        help="FP32 model file of any format, or the name of a bundled model",
    )
    add_crops(parser)
    options = parser.parse_args(arguments)
    config = to_config(parser, options, QuantizationConfig)

    def work() -> None:
        quantizer = quantizer_of(options.model)
        calibration, validation = load_crops(config)
        charset = open_backend(options.model, threads=1).manifest.charset
        validation = encodable_crops(validation, charset, int8=True)
        log.info("quantizing each layer with %s, comparing on %s", calibration, validation)
        found = layer_sensitivity(quantizer, options.model, calibration, validation, calls=CALLS)
        print(json.dumps(to_dict(found)) if options.json else table(found))

    return run_command(work)


def to_dict(sensitivity: Mapping[str, Comparison]) -> dict[str, Any]:
    """For JSON: a comparison with the FP32 file for each layer."""
    return {layer: comparison.to_dict() for layer, comparison in sensitivity.items()}


def table(sensitivity: Mapping[str, Comparison]) -> str:
    """A row for each layer, and one for all of them."""
    largest = max(comparison.kl_divergence for comparison in sensitivity.values()) or 1
    heads = (
        *("INT8 alone", "accuracy", "exact", "same text %", "top-1 agreement %", "mean Δ"),
        *("KL, mnat", "", "time", "kB"),
    )
    rows = [
        (
            layer,
            *(f"{_points(comparison, name):+.2f}" for name in ("accuracy", "exact")),
            f"{100 * comparison.text_agreement:.1f}",
            f"{100 * comparison.top1_agreement:.2f}",
            f"{comparison.mean_difference:.3f}",
            f"{1e3 * comparison.kl_divergence:.2f}",
            "█" * round(_BAR * comparison.kl_divergence / largest),
            _time_change(comparison),
            f"{(comparison.candidate.bytes - comparison.reference.bytes) / 1e3:+,.0f}",
        )
        for layer, comparison in sensitivity.items()
    ]
    first = sensitivity[ALL_LAYERS]
    fp32 = first.reference
    caption = (
        f"{first.crops}, n = {first.n:,}, against {fp32.name} (accuracy "
        f"{100 * fp32.score.accuracy:.2f} %, {fp32.bytes / 1e3:,.0f} kB, {fp32.median_ms:.3f} ms "
        f"per crop on one thread),\nread with its decoder, {fp32.decoder}. Accuracy and exact in "
        "points; mean absolute logit difference (mean Δ); KL divergence of a time step; time with "
        "its 95 % interval."
    )
    return f"{caption}\n\n{markdown(heads, rows)}"


def _points(comparison: Comparison, name: str) -> float:
    after, before = comparison.candidate.score, comparison.reference.score
    return 100 * float(getattr(after, name) - getattr(before, name))


def _time_change(comparison: Comparison) -> str:
    ratio = comparison.latency_ratio
    change, low, high = (100 * (r - 1) for r in (float(ratio), ratio.low, ratio.high))
    return f"{change:+.1f} % [{low:+.1f}, {high:+.1f}]"


if __name__ == "__main__":
    sys.exit(main())
