"""Average the weights of one run at several of its steps: `python -m model.average --help`.

In Python: `model.network.averaging.average(checkpoint, others)`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crnn_edge.cli.run import run_command
from model.network.bundled import find_checkpoint

EXAMPLES = """
examples:
  python -m model.average runs/meter/best.safetensors runs/meter/last.safetensors \\
      --out meter.safetensors
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m model.average",
        description="Average the weights of one training run at several of its steps.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "first", type=find_checkpoint, metavar="CHECKPOINT", help="checkpoint with the manifest"
    )
    parser.add_argument(
        "others",
        type=find_checkpoint,
        nargs="+",
        metavar="FILE",
        help="further checkpoints, or a run's last.safetensors",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the result")
    parser.add_argument(
        "--tta-threshold",
        type=float,
        metavar="P",
        help="confidence below which the manifest recommends test-time augmentation; 0 for never "
        "(default: that of the first checkpoint)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m model.average`."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.tta_threshold is not None and not 0 <= options.tta_threshold <= 1:
        parser.error(
            f"--tta-threshold must be a probability from 0 to 1, got {options.tta_threshold:g}"
        )
    if options.out.suffix != ".safetensors":
        parser.error(
            f"--out {options.out} must end in .safetensors: the result is a checkpoint. "
            "`python -m export.all` converts it to other formats"
        )

    def work() -> None:
        _average(options.first, options.others, options.out, options.tta_threshold)

    return run_command(work, extra="train")


def _average(first: Path, others: Sequence[Path], out: Path, tta_threshold: float | None) -> None:
    from crnn_edge.manifest import TtaSettings
    from model.network.averaging import average
    from model.network.checkpoint import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint(first)
    average(checkpoint, others)
    provenance = {**checkpoint.manifest.provenance, "averaged_with": len(others)}
    del provenance["checkpoint_sha256"]
    manifest = checkpoint.manifest.replace(provenance=provenance, metrics={})
    if tta_threshold is not None:
        manifest = manifest.replace(tta=TtaSettings(tta_threshold))
    save_checkpoint(out, checkpoint.model, manifest)
    print(f"wrote {out}, the average of {1 + len(others)}")


if __name__ == "__main__":
    sys.exit(main())
