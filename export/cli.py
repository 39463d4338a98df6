"""The command line that every exporter shares: `python -m export.X [CHECKPOINT]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from crnn_edge.cli.run import run_command
from export.verify import torch_contender
from model.network.bundled import DEFAULT_CHECKPOINT
from model.network.checkpoint import Checkpoint, load_checkpoint
from quantize import cli
from quantize import full_integer as integer
from quantize.comparison import Comparison
from quantize.verify import TOLERANCE, accept

FOLDER = Path("build")
"""Where files go that are not told where: never among the sources, so a clone stays clean."""

EXAMPLES = """\
examples:
  python -m export.{name}                 the shipped checkpoint, FP32
  python -m export.{name} --int8          the same, a quarter of the size
  python -m export.{name} runs/meter/best.safetensors --int8 --calibration meter-crops \\
      --out meter{suffix}
"""


def parse(form: cli.Format, argv: Sequence[str] | None) -> tuple[argparse.Namespace, cli.Format]:
    """Settings from a command line, and the format as they want it."""
    parser = argparse.ArgumentParser(
        prog=f"python -m export.{form.name}",
        description=f"Write a checkpoint as {form.suffix}, FP32 or INT8, and verify it\n"
        "against what it came from, on labelled crops and through the runtime's own backend.\n"
        "A file that loses more than the margin is not written.",
        epilog=EXAMPLES.format(name=form.name, suffix=form.suffix),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help=f"(default: {FOLDER}/NAME{form.suffix} or {FOLDER}/NAME-int8{form.suffix}, with the "
        "checkpoint's name)",
    )
    cli.add_arguments(parser)
    cli.add_auto(parser)
    integer.add_arguments(parser, form)
    args = parser.parse_args(argv)
    asked = integer.as_asked(parser, args, form)
    if asked is not form and not args.int8:
        parser.error("--io int8 is about an INT8 file: add --int8")
    if args.out is None:
        args.out = FOLDER / file_name(args.checkpoint, asked, int8=args.int8)
    cli.check_out(parser, args, form.suffix)
    cli.check_arguments(parser, args)
    check_auto(parser, args)
    return args, asked


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what to export."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        nargs="?",
        type=Path,
        default=DEFAULT_CHECKPOINT,
        help=f"(default: model/weights/{DEFAULT_CHECKPOINT.name})",
    )
    parser.add_argument("--int8", action="store_true", help="quantize, too")


def check_auto(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse `--auto` where nothing is quantized."""
    if args.auto and not args.int8:
        parser.error("--auto chooses what stays float in an INT8 file: add --int8")


def file_name(checkpoint: Path, form: cli.Format, *, int8: bool) -> str:
    """What a checkpoint's file is called unless something else is asked for."""
    return f"{checkpoint.stem}{form.ending if int8 else ''}{form.suffix}"


def main(
    form: cli.Format,
    convert: Callable[[Checkpoint, Path], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Export, verify, deliver.

    Args:
        form: The format.
        convert: Writes a checkpoint as an FP32 file of that format, unverified.
        argv: The command line; None for the process's own.

    Returns:
        The exit code: 1 if anything was refused, in which case no file was written.
    """
    args, form = parse(form, argv)
    return run_command(lambda: _export(args, form, convert))


def _export(
    args: argparse.Namespace, form: cli.Format, convert: Callable[[Checkpoint, Path], None]
) -> None:
    checkpoint = load_checkpoint(args.checkpoint)
    # Only formats that have files of a fixed width have the argument.
    integer.check_width(getattr(args, "width", None), checkpoint.manifest.preprocess)
    calibrating, judging = cli.crops(args)
    judging = cli.judges(judging, checkpoint.manifest.charset, int8=args.int8)
    comparisons: list[Comparison] = []
    with cli.scratch(args.out) as folder:
        finished = fp32 = folder / f"fp32{form.suffix}"
        cli.remark(f"exporting {args.checkpoint}")
        convert(checkpoint, fp32)
        cli.remark(f"comparing on {judging}")
        comparison = accept(
            fp32,
            torch_contender(checkpoint),
            judging,
            margin_points=args.margin,
            tolerance=TOLERANCE,
            replace_manifest=form.replace_manifest,
        )
        comparisons.append(comparison)
        if args.int8:
            finished = folder / f"int8{form.suffix}"
            comparison = cli.shrink(form, fp32, finished, calibrating, judging, args)
            comparisons.append(comparison)
        cli.deliver(finished, args.out)
    cli.report(args.out, comparisons, args.json)
