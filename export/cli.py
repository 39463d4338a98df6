"""The command line of every exporter: `python -m export.X [CHECKPOINT]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from crnn_edge.cli.run import run_command
from export.arguments import add_checkpoint
from export.config import BUILD_FOLDER, ExportConfig
from quantize.arguments import add_quantization, add_verification, check_out, to_config
from quantize.cli import report
from quantize.pipeline import load_quantizer

_DESCRIPTION = """\
Write a checkpoint as an {suffix} model file, FP32 or INT8, and verify it against the
checkpoint, on labelled crops and with the backend of the runtime. A file that is less
accurate than --max-drop allows is not written."""

_EXAMPLES = """\
examples:
  python -m export.{name}                 the shipped crnn-lite, FP32
  python -m export.{name} --int8          the same, a quarter of the size
  python -m export.{name} runs/meter/best.safetensors --int8 --calibration meter-crops \\
      --out meter{suffix}
"""


def main(name: str, arguments: Sequence[str] | None = None) -> int:
    """Export, verify, and print a table.

    Args:
        name: The format.
        arguments: The command line; None for that of the process.

    Returns:
        The exit code: 1 if the file was refused, in which case it was not written.
    """
    quantizer = load_quantizer(name)
    suffix = quantizer.fmt.suffix
    parser = argparse.ArgumentParser(
        prog=f"python -m export.{name}",
        description=_DESCRIPTION.format(suffix=suffix),
        epilog=_EXAMPLES.format(name=name, suffix=suffix),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help=f"(default: {BUILD_FOLDER}/NAME{suffix} or {BUILD_FOLDER}/NAME-int8{suffix}, NAME "
        "being that of the checkpoint)",
    )
    add_verification(parser)
    add_quantization(parser, quantizer)
    options = parser.parse_args(arguments)
    check_out(parser, options.out, suffix)
    config = to_config(parser, options, ExportConfig)

    def work() -> None:
        from export.pipeline import export  # torch takes seconds to import, --help needs none

        result = export(options.checkpoint, name, config)
        print(report(result.path, result.comparisons, as_json=options.json))

    return run_command(work, extra="export")
