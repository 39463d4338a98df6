"""The average of one run's weights at several of its steps: `python -m model.average --help`.

Weights that a run passed through lie around a better place than where it happened to stop
(Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from crnn_edge.cli.run import run_command
from crnn_edge.errors import CrnnError
from crnn_edge.manifest import Manifest, TtaSettings
from model.network.checkpoint import Checkpoint, difference, load_checkpoint, save_checkpoint
from model.network.safetensors_file import read_safetensors

EXAMPLES = """
examples:
  python -m model.average runs/meter/best.safetensors runs/meter/last.safetensors \\
      --out meter.safetensors
"""


def average(first: Checkpoint, others: Sequence[Path]) -> None:
    """Put the mean of several networks' weights into the first.

    Args:
        first: A checkpoint.
        others: Checkpoints of the same shape, or states of runs (`last.safetensors`), of which
            the averaged weights count.

    Raises:
        CrnnError: If a file is damaged, or its network has another shape, or does not see or say
            the same.
    """
    sums = {name: value.double() for name, value in first.model.state_dict().items()}
    for path in others:
        tensors, metadata = read_safetensors(path)
        if "manifest" in metadata:
            manifest = Manifest.from_json(metadata["manifest"], str(path))
            if told := difference(manifest, first.manifest):
                raise CrnnError(f"{path} holds another network than {first.path}: {told}")
        else:
            print(f"{path} does not say what it reads: taken as the same", file=sys.stderr)
        state = {k.removeprefix("ema/"): v for k, v in tensors.items() if k.startswith("ema/")}
        weights = state or tensors
        if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in sums.items()}:
            raise CrnnError(f"{path} holds another network than {first.path}: nothing to average")
        for name in sums:
            sums[name] += weights[name].double()
    count = 1 + len(others)
    first.model.load_state_dict({k: (v / count).to(torch.float32) for k, v in sums.items()})


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m model.average`."""
    parser = argparse.ArgumentParser(
        prog="python -m model.average",
        description="Average what one training run learnt at several of its steps.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", type=Path, metavar="CHECKPOINT", help="whose manifest is kept")
    parser.add_argument(
        "others", type=Path, nargs="+", metavar="FILE", help="checkpoints, or a last.safetensors"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the average")
    parser.add_argument(
        "--tta-threshold",
        type=float,
        metavar="P",
        help="advise devices to read again what they read as less probable than this; 0 for never "
        "(default: as the first checkpoint does)",
    )
    args = parser.parse_args(argv)
    if args.tta_threshold is not None and not 0 <= args.tta_threshold <= 1:
        parser.error(f"--tta-threshold is a probability from 0 to 1, got {args.tta_threshold:g}")
    if args.out.suffix != ".safetensors":
        parser.error(
            f"--out {args.out}: an average is a checkpoint, so name a .safetensors; "
            "`python -m export.all` makes the other formats of one"
        )
    return run_command(lambda: _average(args))


def _average(args: argparse.Namespace) -> None:
    first = load_checkpoint(args.first)
    average(first, args.others)
    provenance = {**first.manifest.provenance, "averaged_with": len(args.others)}
    del provenance["checkpoint_sha256"]
    manifest = first.manifest.replace(provenance=provenance, metrics={})
    if args.tta_threshold is not None:
        manifest = manifest.replace(tta=TtaSettings(args.tta_threshold))
    save_checkpoint(args.out, first.model, manifest)
    print(f"wrote {args.out}, the average of {1 + len(args.others)}")


if __name__ == "__main__":
    sys.exit(main())
