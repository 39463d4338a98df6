"""Finished model files against the checkpoint they came from, on your own pictures.

Example: `python -m export.verify FILE … --data my-crops`

Exit code 0 if none loses more than the margin (and, for FP32, if logits differ by rounding alone)
and every self-test holds, else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from crnn_edge.cli.run import run_command
from crnn_edge.files import model_files
from model.network.backend import TorchBackend
from model.network.bundled import DEFAULT_CHECKPOINT
from model.network.checkpoint import Checkpoint, load_checkpoint
from model.network.fusion import num_parameters
from quantize import cli
from quantize.comparison import Comparison, VerificationError
from quantize.tables import overview
from quantize.verify import TOLERANCE, Contender, compare_all

EXAMPLES = """\
examples:
  python -m export.verify build/crnn-lite-int8.onnx
  python -m export.verify build/crnn-lite* --data real-crops
  python -m export.verify meter.onnx --checkpoint runs/meter/best.safetensors --data meters/dev
"""


def torch_contender(checkpoint: Checkpoint) -> Contender:
    """A checkpoint, run by torch on one thread: what every exported file is measured against."""
    torch.set_num_threads(1)
    size = checkpoint.path.stat().st_size
    return Contender("torch", TorchBackend.from_checkpoint(checkpoint), size)


def demand(comparison: Comparison, margin_points: float) -> None:
    """Pass a file in silence, or say what is wrong with it: an FP32 file must not differ at all.

    Raises:
        VerificationError: If it is not as good as its checkpoint, or its self-test fails.
    """
    candidate = comparison.candidate
    comparison.demand(margin_points, TOLERANCE if candidate.precision == "fp32" else None)
    if candidate.selftest and not candidate.selftest.ok:
        raise VerificationError(
            f"{candidate.name} fails its self-test here: `python -m crnn_edge check` tells more"
        )


def faults(comparisons: Sequence[Comparison], margin_points: float) -> list[str]:
    """What is wrong with any of the files, a sentence for each that fails."""
    found = []
    for comparison in comparisons:
        try:
            demand(comparison, margin_points)
        except VerificationError as error:
            found.append(str(error))
    return found


def models(files: Sequence[Path]) -> list[Path]:
    """The files without those that only belong to another of them, as a shell's `*` names both."""
    belonging = {part for file in files for part in model_files(file)[:-1]}
    return [file for file in files if file not in belonging]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m export.verify`."""
    parser = argparse.ArgumentParser(
        prog="python -m export.verify",
        description="Compare model files of any format with the checkpoint they came from, crop\n"
        "by crop, and run their self-tests. Exit code 1 if one loses more than the margin\n"
        f"or, being FP32, if its logits differ by more than {TOLERANCE:g}.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="model files; the .bin of an .xml among them is passed over",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=DEFAULT_CHECKPOINT,
        help=f"(default: model/weights/{DEFAULT_CHECKPOINT.name})",
    )
    cli.add_arguments(parser)
    args = parser.parse_args(argv)
    cli.check_arguments(parser, args)

    def work() -> None:
        candidates = [Contender.open(file) for file in models(args.files)]
        _, judging = cli.crops(args)
        checkpoint = load_checkpoint(args.checkpoint)
        int8 = any(candidate.backend.manifest.precision == "int8" for candidate in candidates)
        judging = cli.judges(judging, checkpoint.manifest.charset, int8=int8)
        cli.remark(f"comparing on {judging}")
        comparisons = compare_all(torch_contender(checkpoint), candidates, judging)
        if args.json:
            print("\n".join(json.dumps(comparison.to_dict()) for comparison in comparisons))
        else:
            print(overview(comparisons, num_parameters(checkpoint.model)))
        if wrong := faults(comparisons, args.margin):
            raise VerificationError("\n".join(wrong))

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
