"""The command line of every quantizer: `python -m quantize.X MODEL`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from crnn_edge.backends import find_model
from crnn_edge.cli.run import run_command
from crnn_edge.files import model_size
from quantize.arguments import add_quantization, add_verification, check_out, to_config
from quantize.comparison import Comparison
from quantize.config import QuantizationConfig
from quantize.pipeline import quantize_file
from quantize.quantizer import Quantizer
from quantize.tables import pair

_DESCRIPTION = """\
Quantize an FP32 {suffix} model file to INT8, a quarter of the size, and verify it: a table
shows what it costs. Needs no torch."""

_EXAMPLES = """\
examples:
  python -m quantize.{name} build/crnn-lite{suffix}
  python -m quantize.{name} meter{suffix} --calibration meter-crops --max-drop 2
"""


def main(quantizer: Quantizer, arguments: Sequence[str] | None = None) -> int:
    """Quantize and verify one file, and print a table.

    Args:
        quantizer: That of the command's format.
        arguments: The command line; None for that of the process.

    Returns:
        The exit code, as of `run_command`.
    """
    fmt = quantizer.fmt
    parser = argparse.ArgumentParser(
        prog=f"python -m quantize.{fmt.name}",
        description=_DESCRIPTION.format(suffix=fmt.suffix),
        epilog=_EXAMPLES.format(name=fmt.name, suffix=fmt.suffix),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=find_model,
        help="FP32 model file with a manifest, or the name of a bundled model",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help=f"(default: MODEL-int8{fmt.suffix}, beside MODEL)",
    )
    add_verification(parser)
    add_quantization(parser, quantizer)
    options = parser.parse_args(arguments)
    config = to_config(parser, options, QuantizationConfig)
    if options.model.suffix.lower() != fmt.suffix:
        parser.error(
            f"{options.model} is not an {fmt.suffix} file: expected one that `python -m export."
            f"{fmt.name} CHECKPOINT` wrote (which quantizes at once with --int8)"
        )
    check_out(parser, options.out, fmt.suffix)
    if options.out and options.out.resolve() == options.model.resolve():
        parser.error(f"invalid --out {options.out}: it is MODEL itself, which would be lost")

    def work() -> None:
        result = quantize_file(options.model, config, options.out, quantizer)
        print(report(result.path, [result.comparison], as_json=options.json))

    return run_command(work)


def report(path: Path, comparisons: Sequence[Comparison], *, as_json: bool) -> str:
    """What was written and how it compares, as tables or as JSON."""
    if as_json:
        verified = [comparison.to_dict() for comparison in comparisons]
        return json.dumps({"file": str(path), "bytes": model_size(path), "verified": verified})
    tables = [pair(comparison) for comparison in comparisons]
    return "\n\n".join([*tables, f"wrote {path} ({model_size(path) / 1e3:.0f} kB)"])
