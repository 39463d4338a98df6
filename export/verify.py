"""A finished model file against the checkpoint it came from, on your own pictures.

Example: `python -m export.verify FILE --data my-crops`

Exit code 0 if it loses no more than the margin (and, for FP32, if its logits differ by rounding
alone), else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from model.backend import TorchBackend
from model.checkpoint import DEFAULT, Checkpoint, load_checkpoint
from quantize import cli
from quantize.verify import TOLERANCE, Contender, compare


def torch_contender(checkpoint: Checkpoint) -> Contender:
    """A checkpoint, run by torch on one thread: what every exported file is measured against."""
    torch.set_num_threads(1)
    size = checkpoint.path.stat().st_size
    return Contender("torch", TorchBackend.from_checkpoint(checkpoint), size)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m export.verify`."""
    parser = argparse.ArgumentParser(
        prog="python -m export.verify",
        description="Compare a model file of any format with the checkpoint it came from, crop by\n"
        "crop. Exit code 1 if it loses more than the margin or, being FP32, if logits\n"
        f"differ by more than {TOLERANCE:g}.",
        epilog="examples:\n  python -m export.verify build/crnn-lite-int8.onnx\n"
        "  python -m export.verify meter.onnx --checkpoint runs/meter/best.safetensors "
        "--data meters/dev",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the model file")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=DEFAULT,
        help="(default: model/weights/crnn-lite.safetensors)",
    )
    cli.add_arguments(parser)
    args = parser.parse_args(argv)

    def work() -> None:
        candidate = Contender.open(args.file)
        _, judging = cli.crops(args)
        comparison = compare(torch_contender(load_checkpoint(args.checkpoint)), candidate, judging)
        print(json.dumps(comparison.to_dict()) if args.json else comparison.table())
        exact = candidate.backend.manifest.precision == "fp32"
        comparison.demand(args.margin, TOLERANCE if exact else None)

    return cli.run(work)


if __name__ == "__main__":
    sys.exit(main())
